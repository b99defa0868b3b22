"""COCO-Counterfactuals: two generated images whose captions differ in one noun."""

from __future__ import annotations

from compoclip.evaluation.paired import Layout, image_places, loader, places
from compoclip.evaluation.task import Task, plain_mean

TASK = Task(
    name="coco_counterfactuals",
    title="COCO-Counterfactuals: two generated images whose captions differ in one noun",
    source="https://huggingface.co/datasets/Intel/COCO-Counterfactuals",
    licence="CC BY 4.0",
    size="17,410 rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Le et al., COCO-Counterfactuals: Automatically Constructed Counterfactual Examples, NeurIPS 2023",
    version="1",
    needs="DIR/coco_counterfactuals/data/examples.jsonl and data/images.zip",
    load=loader(
        Layout(
            "coco_counterfactuals",
            places("coco_counterfactuals"),
            ("examples.jsonl",),
            image_places("coco_counterfactuals"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "all",
            suffix=".jpg",
        )
    ),
    averages=lambda counts: {"group": plain_mean(counts)},
)
