"""Cola: two images, two captions, whose attributes are on other objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.locations import photos
from compoclip.evaluation.questions import Layout, Row, loader, two_by_two
from compoclip.evaluation.scoring import TWO_BY_TWO
from compoclip.evaluation.task import Task, mean_called
from compoclip.io import read_json

FIELDS = ("image_0", "caption_0", "image_1", "caption_1")


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Lists of image address, caption, image address, caption."""
    table = read_json(path)
    for number, row in enumerate(table if isinstance(table, list) else [table]):
        if not isinstance(row, list):
            raise InputError(f"{path}: row {number} must be a list of {', '.join(FIELDS)}")
        yield f"{path}: row {number}", dict(zip(FIELDS, row))


TASK = Task(
    name="cola",
    title="Cola, multi-object: which of two images has the attributes on the right objects",
    rule="strict; score: image (both captions find their image)",
    chance="25",
    citation="Ray et al., Cola: A Benchmark for Compositional Text-to-image Retrieval, NeurIPS 2023",
    data=("cola",),
    parts={"multi-object": 210},
    load=loader(
        Layout(
            "cola",
            TWO_BY_TWO.led_by("image"),
            ("cola", "COLA/data"),
            {"COLA_multiobjects_matching_benchmark.json": "multi-object"},
            {"": photos("cola", "visual-genome")},
            two_by_two(("image_0", "image_1", "caption_0", "caption_1"), lambda row: "", suffix=".jpg"),
            rows=rows,
        )
    ),
    averages=mean_called("image"),
)
