"""Winoground: two images, two captions of the same words."""

from __future__ import annotations

from compoclip.evaluation.questions import Layout, Row, loader, two_by_two
from compoclip.evaluation.scoring import TWO_BY_TWO
from compoclip.evaluation.task import Task, plain_mean

TAGS = ("tag", "secondary_tag", "num_main_preds", "collapsed_tag")


def tags(row: Row) -> dict[str, str]:
    """How its authors divide the rows: swap type, linguistic and visual tags, number of main predicates."""
    return {name: str(row[name]) for name in TAGS if row.get(name) not in (None, "")} if TAGS[0] in row else {}


TASK = Task(
    name="winoground",
    title="Winoground: two images, two captions of the same words",
    rule="strict; score: group",
    chance="25 text, 25 image, 16.7 group",
    citation="Thrush et al., Winoground: Probing Models for Visio-Linguistic Compositionality, CVPR 2022",
    data=("winoground",),
    parts={"all": 400},
    load=loader(
        Layout(
            "winoground",
            TWO_BY_TWO,
            ("winoground/data", "winoground"),
            {"examples.jsonl": "all"},
            {"": ("winoground/data/images", "winoground/images")},
            two_by_two(("image_0", "image_1", "caption_0", "caption_1"), facets=tags),
            hub=("winoground",),
        )
    ),
    averages=lambda counts: {
        "group": plain_mean(counts),
        "text": plain_mean(counts, "text"),
        "image": plain_mean(counts, "image"),
    },
)
