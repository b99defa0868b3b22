"""CREPE's productivity: the true caption of a region among five false ones."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import box, rows_of, texts
from compoclip.evaluation.questions import Question, Row

KINDS = ("atom", "swap", "negate")
FOLDERS = ("crepe", "crepe/data", "CREPE/data")
COMPLEXITIES = range(4, 13)


def tree(root: Path) -> Mapping[str, Sequence[Path]]:
    """The official tree: a file for each complexity from 4 to 12, which published scores pool."""
    found = {}
    for kind in KINDS:
        names = [f"prod_hard_negatives/{kind}/prod_vg_hard_negs_{kind}_complexity_{n}.csv" for n in COMPLEXITIES]
        here = [path for base in FOLDERS for name in names if (path := root / base / name).is_file()]
        if here:
            found[f"{kind}.csv"] = here
    return found


def rows(path: Path) -> list[tuple[str, Row]]:
    """The rows of a file, with the complexity that its name tells."""
    _, told, level = path.stem.rpartition("complexity_")
    return [(where, {**row, "complexity": level} if told else row) for where, row in rows_of(path)]


def ask(where: str, row: Row) -> tuple[str, Question]:
    """Caption, `hard_negs` (a list written as Python text, parsed as data only), and a box."""
    image, caption, listed = texts(where, row, "image_id", "caption", "hard_negs")
    try:
        negatives = ast.literal_eval(listed)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        negatives = None
    if not isinstance(negatives, list) or not negatives or not all(isinstance(n, str) for n in negatives):
        raise InputError(f"{where}: hard_negs is no list of texts")
    facets = {"complexity": str(row["complexity"])} if "complexity" in row else {}
    corner = box(where, row, "x", "y", "width", "height")
    return "", Question([f"{image}.jpg"], (caption, *negatives), corner, facets=facets)


TASK = benchmark("crepe", ask=ask, rows=rows, find=tree)
