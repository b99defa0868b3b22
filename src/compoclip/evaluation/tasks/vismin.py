"""VisMin: two images, two captions, one minimal change."""

from __future__ import annotations

from compoclip.evaluation.questions import Layout, loader, two_by_two
from compoclip.evaluation.scoring import TWO_BY_TWO
from compoclip.evaluation.task import Task, plain_mean

TASK = Task(
    name="vismin",
    title="VisMin: minimal changes of object, attribute, relation and count",
    rule="strict; score: mean of the categories' group scores; beside it the authors' mean of twelve",
    chance="25 text, 25 image, 16.7 group",
    citation="Awal et al., VisMin: Visual Minimal-Change Understanding, NeurIPS 2024",
    data=("vismin",),
    parts=dict.fromkeys(("object", "attribute", "relation", "counting"), 0),
    load=loader(
        Layout(
            "vismin",
            TWO_BY_TWO,
            ("vismin", "vismin/data"),
            {"test.jsonl": "", "test.json": ""},
            {"": ("vismin/images", "vismin/data/images")},
            two_by_two(("image_0", "image_1", "text_0", "text_1"), lambda row: str(row.get("category", "all"))),
            hub=("vismin",),
            alternatives=True,
        )
    ),
    averages=lambda counts: {
        "mean of categories": plain_mean(counts),
        "mean of text, image and group over the categories": plain_mean(counts, ("text", "image", "group")),
    },
)
