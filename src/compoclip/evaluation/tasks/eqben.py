"""EqBen: two near-identical images, two captions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import SUBSETS
from compoclip.evaluation.locations import rows_of
from compoclip.evaluation.questions import Layout, Question, Row, loader, two_by_two
from compoclip.evaluation.scoring import TWO_BY_TWO
from compoclip.evaluation.task import Average, Task
from compoclip.io import read_json

PARTS = {
    "eqbenag": 195_872,
    "eqbenyoucook2": 45_849,
    "eqbengebc": 1_814,
    "eqbenkubric_loc": 2_000,
    "eqbenkubric_attr": 2_000,
    "eqbenkubric_cnt": 2_000,
    "eqbensd": 1_513,
}
FIELDS = ("image0", "image1", "caption0", "caption1")
FILES = ("eqben.json", "eqben_subset_10percent_final.json", "all_select.json", "ann_json_finegrained_random.json")
RELEASES = ("image_subset", "eqben_vllm/images")  # where the tenth and the small release keep their images


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


_ask = two_by_two(FIELDS, lambda row: PurePosixPath(str(row["image0"]).replace("\\", "/")).parts[0])


def ask(where: str, row: Row) -> tuple[str, Question] | None:
    if {"image", "caption"} <= row.keys():  # the shuffled release, scored on its own server only
        raise InputError(
            f"{where} needs the texts {', '.join(FIELDS)}; rows of one image and one caption do not say what fits: "
            "take the public annotation"
        )
    return _ask(where, row)


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """The mean of vl_compo's table, of group and of the text and image scores; a release that is not the full one is
    called what it is."""
    whole = sum(PARTS.values())
    part = "" if sum(counts.values()) == whole else f" ({sum(counts.values()):,} of {whole:,} rows)"
    weights = {name: SUBSETS["eqben"].get(name, 1 / 5) for name in counts}
    return {f"{way}, Kubric averaged first{part}": Average(weights, way) for way in ("group", "text", "image")}


TASK = Task(
    name="eqben",
    title="EqBen: two near-identical images, two captions",
    rule="strict; score: mean of the group scores of youcook2, gebc, ag, sd and the mean of the three Kubric subsets",
    chance="25 text, 25 image, 16.7 group",
    citation="Wang et al., Equivariant Similarity for Vision-Language Foundation Models, ICCV 2023",
    data=("eqben",),
    parts=PARTS,
    load=loader(
        Layout(
            "eqben",
            TWO_BY_TWO,
            ("eqben", "eqben/eqben_vllm", "eqben_vllm"),
            dict.fromkeys(FILES, ""),
            {"": ("eqben/images", *(f"{base}{name}" for base in ("eqben/", "") for name in RELEASES), "eqben")},
            ask,
            rows=rows,
            instead={".png": ".jpg"},  # the light release
            alternatives=True,
        )
    ),
    averages=averages,
)
