"""CREPE's productivity: the true caption of a region among five false ones."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.locations import box, photos, rows_of, texts
from compoclip.evaluation.questions import Layout, Question, Row, loader
from compoclip.evaluation.scoring import CHOICE
from compoclip.evaluation.task import Task, mean_of_subsets

PARTS = {"atom": 17_698, "swap": 7_405, "negate": 17_303}
FOLDERS = ("crepe", "crepe/data", "CREPE/data")
COMPLEXITIES = range(4, 13)


def tree(root: Path) -> Mapping[str, Sequence[Path]]:
    """The official tree: a file for each complexity from 4 to 12, which published scores pool."""
    found = {}
    for kind in PARTS:
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


TASK = Task(
    name="crepe",
    title="CREPE productivity: the true caption among five made false by atom, swap or negation",
    rule="strict, rank 1 of the true caption for the cut-out region; score: mean of atom, swap and negate",
    chance="16.7",
    citation="Ma et al., CREPE: Can Vision-Language Foundation Models Reason Compositionally? CVPR 2023",
    data=("crepe",),
    parts=PARTS,
    load=loader(
        Layout(
            "crepe",
            CHOICE,
            FOLDERS,
            {f"{kind}.csv": kind for kind in PARTS},
            {"": photos("crepe", "visual-genome")},
            ask,
            rows=rows,
            find=tree,
            ks=(1, 3, 5, 10),
        )
    ),
    averages=mean_of_subsets,
)
