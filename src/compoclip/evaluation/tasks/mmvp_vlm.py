"""MMVP-VLM: nine categories of image pairs that CLIP sees as alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import MMVP
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import rows_of, texts
from compoclip.evaluation.questions import Row


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """The table has a line an image; lines 2k-1 and 2k are a pair."""
    lines = rows_of(path)
    if len(lines) % 2:
        raise InputError(f"{path}: {len(lines)} lines, but each pair needs two")
    for first, second in zip(lines[::2], lines[1::2]):
        row: dict[str, str] = {}
        for k, (where, line) in enumerate((first, second)):
            category, question, statement = texts(where, line, "Type", "Question ID", "Statement")
            row |= {f"image_{k}": f"{category}/{question}.jpg", f"text_{k}": f"a photo of {statement}"}
            row.setdefault("category", category)
        yield first[0], row


TASK = benchmark("mmvp_vlm", rows=rows, parts=dict.fromkeys(MMVP, 15))
