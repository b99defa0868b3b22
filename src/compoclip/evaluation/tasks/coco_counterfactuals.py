"""COCO-Counterfactuals: two generated images whose captions differ in one noun."""

from __future__ import annotations

from compoclip.evaluation.questions import Layout, loader, two_by_two
from compoclip.evaluation.scoring import TWO_BY_TWO
from compoclip.evaluation.task import Task, mean_called

TASK = Task(
    name="coco_counterfactuals",
    title="COCO-Counterfactuals: two generated images whose captions differ in one noun",
    rule="strict; score: group",
    chance="25 text, 25 image, 16.7 group",
    citation="Le et al., COCO-Counterfactuals: Automatically Constructed Counterfactual Examples, NeurIPS 2023",
    data=("coco-counterfactuals",),
    parts={"all": 17_410},
    load=loader(
        Layout(
            "coco_counterfactuals",
            TWO_BY_TWO,
            ("coco_counterfactuals/data", "coco_counterfactuals"),
            {"examples.jsonl": "all"},
            {"": ("coco_counterfactuals/data/images", "coco_counterfactuals/images")},
            two_by_two(("image_0", "image_1", "caption_0", "caption_1"), suffix=".jpg"),
            hub=("coco_counterfactuals",),
        )
    ),
    averages=mean_called("group"),
)
