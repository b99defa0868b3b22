"""ConMe: the right answer sentence against one mined against large models."""

from __future__ import annotations

from pathlib import PurePosixPath

from compoclip.evaluation.locations import photos
from compoclip.evaluation.questions import Layout, loader, one_image
from compoclip.evaluation.scoring import CHOICE
from compoclip.evaluation.task import Task, mean_of_subsets

PARTS = [f"replace-{part}" for part in ("att", "obj", "rel")]

TASK = Task(
    name="conme",
    title="ConMe: the right answer sentence against one mined against large models",
    rule="strict; score: mean of the three",
    chance="50",
    citation="Huang et al., ConMe: Rethinking Evaluation of Compositional Reasoning for Modern VLMs, NeurIPS 2024",
    data=("conme",),
    parts=dict.fromkeys(PARTS, 0),
    load=loader(
        Layout(
            "conme",
            CHOICE,
            ("conme", "conme/data"),
            {f"{part}_HUMAN_FILTER.csv": part for part in PARTS},
            {"": photos("conme", "coco-val2017")},
            one_image("image", "correct_option", "incorrect_option", name=lambda path: PurePosixPath(path).name),
        )
    ),
    averages=mean_of_subsets,
)
