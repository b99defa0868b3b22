"""ColorSwap: two images, two captions with the colours exchanged."""

from __future__ import annotations

from compoclip.evaluation.paired import Layout, image_places, loader, places
from compoclip.evaluation.task import Task, plain_mean

TASK = Task(
    name="colorswap",
    title="ColorSwap: two images, two captions with the colours exchanged",
    source="https://github.com/Top34051/colorswap, huggingface.co/datasets/stanfordnlp/colorswap",
    licence="MIT",
    size="300 test rows",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: group",
    citation="Burapacheep et al., ColorSwap: A Color and Word Order Dataset, ACL Findings 2024",
    version="1",
    needs="DIR/colorswap/data/test.json and data/images.zip or data/images/",
    load=loader(
        Layout(
            "colorswap",
            places("colorswap"),
            ("test.json",),
            image_places("colorswap"),
            ("image_1", "image_2", "caption_1", "caption_2"),
            lambda row: "test",
        )
    ),
    averages=lambda counts: {"group": plain_mean(counts)},
)
