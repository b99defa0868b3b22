"""Winoground: two images, two captions of the same words."""

from __future__ import annotations

from compoclip.evaluation.paired import Layout, image_places, loader, places
from compoclip.evaluation.task import Task, plain_mean

TASK = Task(
    name="winoground",
    title="Winoground: two images, two captions of the same words",
    source="https://huggingface.co/datasets/facebook/winoground (gated: accept its licence there)",
    licence="Meta Images Research: no redistribution, at most 100 images in publications",
    size="400 rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Thrush et al., Winoground: Probing Models for Visio-Linguistic Compositionality, CVPR 2022",
    version="1",
    needs="DIR/winoground/data/examples.jsonl and images/ or images.zip beside it",
    load=loader(
        Layout(
            "winoground",
            places("winoground"),
            ("examples.jsonl",),
            image_places("winoground"),
            ("image_0", "image_1", "caption_0", "caption_1"),
            lambda row: "all",
        )
    ),
    averages=lambda counts: {"group": plain_mean(counts)},
)
