"""Cola: rows are lists of image address, caption, image address, caption."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.questions import Row
from compoclip.io import read_json

FIELDS = ("image_0", "caption_0", "image_1", "caption_1")


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    table = read_json(path)
    for number, row in enumerate(table if isinstance(table, list) else [table]):
        if not isinstance(row, list):
            raise InputError(f"{path}: row {number} must be a list of {', '.join(FIELDS)}")
        yield f"{path}: row {number}", dict(zip(FIELDS, row))


TASK = benchmark("cola", rows=rows)
