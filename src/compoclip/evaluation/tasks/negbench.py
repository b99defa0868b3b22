"""NegBench: which of four captions fits, some of them with a negation."""

from __future__ import annotations

from pathlib import PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.locations import PHOTOS, texts
from compoclip.evaluation.questions import Layout, Question, Row, loader
from compoclip.evaluation.scoring import CHOICE
from compoclip.evaluation.task import Task, mean_of_subsets

FILES = {"COCO_val_mcq_llama3.1_rephrased.csv": "COCO_MCQ", "VOC2007_mcq_llama3.1_rephrased.csv": "VOC_MCQ"}
VOC = (*PHOTOS["voc2007"], "negbench/VOCdevkit/VOC2007/JPEGImages")


def ask(where: str, row: Row) -> tuple[str, Question]:
    """The image by the last part of its path; the captions, the true one first; which template made the question."""
    image, answer, *captions = texts(where, row, "image_path", "correct_answer", *(f"caption_{k}" for k in range(4)))
    if answer not in {"0", "1", "2", "3"}:
        raise InputError(f"{where}: correct_answer {answer!r} is none of 0 to 3")
    true = captions.pop(int(answer))
    template = row.get("correct_answer_template")
    facets = {"template": str(template)} if template else {}
    return "", Question([PurePosixPath(image).name], (true, *captions), facets=facets)


TASK = Task(
    name="negbench",
    title="NegBench: which of four captions fits, some of them with “no” and “not”",
    rule="official: a tie is right; score: mean of COCO and VOC; by template beside it",
    chance="25",
    citation="Alhamoud et al., Vision-Language Models Do Not Understand Negation, CVPR 2025",
    data=("negbench",),
    parts={"COCO_MCQ": 5_914, "VOC_MCQ": 5_031},
    load=loader(
        Layout(
            "negbench",
            CHOICE,
            ("negbench", "negbench/images", "negbench/data/images", "negbench/benchmarks/data/images", "negbench/data"),
            FILES,
            {"": ("negbench/images", *PHOTOS["coco-val2017"], *VOC, "images")},
            ask,
            rule=lambda subset: "first",
        )
    ),
    averages=mean_of_subsets,
)
