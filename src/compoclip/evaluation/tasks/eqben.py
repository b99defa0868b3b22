"""EqBen: two near-identical images, two captions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import SUBSETS
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import rows_of
from compoclip.evaluation.questions import Question, Row, columns
from compoclip.evaluation.task import Average
from compoclip.io import read_json

FIELDS = ("image0", "image1", "caption0", "caption1")


def rows(path: Path) -> list[tuple[str, Row]]:
    """A list of rows; or rows by video, or by video and subject."""
    table = read_json(path)
    inner = list(_inner(table)) if isinstance(table, dict) else []
    return [(f"{path}: row {k}", row) for k, row in enumerate(inner)] if inner else list(rows_of(path))


def _inner(table: Any, depth: int = 4) -> Iterator[dict[str, Any]]:
    """The rows (objects with images) within lists and objects, in order."""
    if isinstance(table, dict) and FIELDS[0] in table:
        yield table
    elif depth:
        parts = table.values() if isinstance(table, dict) else table if isinstance(table, list) else ()
        for part in parts:
            yield from _inner(part, depth - 1)


_ask = columns(FIELDS[:2], FIELDS[2:], suffix=".png")


def ask(where: str, row: Row) -> tuple[str, Question] | None:
    if {"image", "caption"} <= row.keys():  # the shuffled release, scored on its own server only
        raise InputError(
            f"{where} needs the texts {', '.join(FIELDS)}; rows of one image and one caption do not say what fits: "
            "take the public annotation"
        )
    asked = _ask(where, {name: v[0] if isinstance(v := row.get(name), list) and v else v for name in FIELDS})
    return asked and (PurePosixPath(str(asked[1].images[0])).parts[0], asked[1])


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """The mean of vl_compo's table, of group and of the text and image scores; a release that is not the full one is
    called what it is."""
    whole = sum(TASK.parts.values())
    part = "" if sum(counts.values()) == whole else f" ({sum(counts.values()):,} of {whole:,} rows)"
    weights = {name: SUBSETS["eqben"].get(name, 1 / 5) for name in counts}
    return {f"{way}, Kubric averaged first{part}": Average(weights, way) for way in ("group", "text", "image")}


TASK = benchmark("eqben", ask=ask, rows=rows, averages=averages)
