"""ColorSwap: two images, two captions with the colours exchanged."""

from __future__ import annotations

from compoclip.evaluation.questions import Layout, loader, two_by_two
from compoclip.evaluation.scoring import TWO_BY_TWO
from compoclip.evaluation.task import Task, mean_called

TASK = Task(
    name="colorswap",
    title="ColorSwap: two images, two captions with the colours exchanged",
    rule="strict; score: group",
    chance="25 text, 25 image, 16.7 group",
    citation="Burapacheep et al., ColorSwap: A Color and Word Order Dataset, ACL Findings 2024",
    data=("colorswap",),
    parts={"test": 300},
    load=loader(
        Layout(
            "colorswap",
            TWO_BY_TWO,
            ("colorswap/data", "colorswap"),
            {"test.json": "test"},
            {"": ("colorswap/data/images", "colorswap/images", "colorswap")},
            two_by_two(("image_1", "image_2", "caption_1", "caption_2"), lambda row: "test"),
            hub=("colorswap",),
        )
    ),
    averages=mean_called("group"),
)
