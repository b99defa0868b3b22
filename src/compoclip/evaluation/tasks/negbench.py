"""NegBench: which of four captions fits, some of them with a negation."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.captions import Files, Row, loader
from compoclip.evaluation.tables import field, read_table
from compoclip.evaluation.task import Task, plain_mean


def read_negbench(path: Path) -> list[Row]:
    """`image_path` (its last part counts), `caption_0` to `caption_3`, `correct_answer`, `correct_answer_template`."""
    out = []
    for number, row in read_table(path):
        captions = [str(field(path, number, row, [f"caption_{k}"])) for k in range(4)]
        answer = str(field(path, number, row, ["correct_answer"]))
        if answer not in {"0", "1", "2", "3"}:
            raise InputError(f"{path}: line {number}: correct_answer {answer!r} is none of 0 to 3")
        true = captions.pop(int(answer))
        image = PurePosixPath(str(field(path, number, row, ["image_path"]))).name
        out.append(Row(image, (true, *captions)))
    return out


TASK = Task(
    name="negbench",
    title="NegBench: which of four captions fits, some of them with “no” and “not”",
    source="https://github.com/m1k2zoo/negbench (annotations), COCO val2017 and VOC2007 (photos)",
    licence="MIT (annotations)",
    size="5,914 COCO and 5,031 VOC rows",
    chance="25",
    rule="official: a tie is right; score: mean of COCO and VOC",
    citation="Alhamoud et al., Vision-Language Models Do Not Understand Negation, CVPR 2025",
    version="1",
    needs="DIR/negbench/{COCO_val,VOC2007}_mcq_llama3.1_rephrased.csv (or in its data/images); DIR/coco/val2017 and "
    "DIR/voc2007/VOCdevkit/VOC2007/JPEGImages",
    load=loader(
        Files(
            "negbench",
            ("negbench", "negbench/images", "negbench/data/images", "negbench/benchmarks/data/images", "negbench/data"),
            {
                "COCO_val_mcq_llama3.1_rephrased.csv": "COCO_MCQ",
                "VOC2007_mcq_llama3.1_rephrased.csv": "VOC_MCQ",
            },
            (
                "negbench/images",
                "coco/val2017",
                "val2017",
                *(
                    f"{base}VOC2007/JPEGImages"
                    for base in ("voc2007/VOCdevkit/", "VOCdevkit/", "negbench/VOCdevkit/", "")
                ),
                "images",
            ),
            read_negbench,
            "first",
            every=True,
        )
    ),
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)
