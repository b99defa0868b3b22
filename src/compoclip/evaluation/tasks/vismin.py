"""VisMin: two images, two captions, one minimal change."""

from __future__ import annotations

from compoclip.evaluation.paired import Layout, image_places, loader, places
from compoclip.evaluation.task import Task, plain_mean

TASK = Task(
    name="vismin",
    title="VisMin: minimal changes of object, attribute, relation and count",
    source="https://huggingface.co/datasets/mair-lab/vismin-bench",
    licence="none stated",
    size="2,084 rows in 4 categories",
    chance="25 text, 25 image, 16.7 group",
    rule="strict; score: mean of the categories' group scores (text and image scores beside it)",
    citation="Awal et al., VisMin: Visual Minimal-Change Understanding, NeurIPS 2024",
    version="1",
    needs="DIR/vismin/test.jsonl (image_0, text_0, image_1, text_1, category) and images/ beside it",
    load=loader(
        Layout(
            "vismin",
            places("vismin"),
            ("test.jsonl", "test.json"),
            image_places("vismin"),
            ("image_0", "image_1", "text_0", "text_1"),
            lambda row: str(row.get("category", "all")),
        )
    ),
    averages=lambda counts: {"mean of categories": plain_mean(counts)},
)
