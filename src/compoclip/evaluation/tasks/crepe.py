"""CREPE's productivity: the true caption of a region among five false ones."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.captions import Files, Row, box, loader
from compoclip.evaluation.places import find_files
from compoclip.evaluation.tables import field, read_table
from compoclip.evaluation.task import DataMissing, Task, plain_mean


def read_crepe(path: Path) -> list[Row]:
    """CREPE productivity: caption, `hard_negs` (a list written as Python text, parsed as data only), and a box."""
    out = []
    for number, row in read_table(path):
        where = f"line {number}"
        caption = str(field(path, number, row, ["caption"]))
        try:
            negatives = ast.literal_eval(str(field(path, number, row, ["hard_negs"])))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise InputError(f"{path}: {where}: hard_negs is no list of texts") from None
        if not isinstance(negatives, list) or not negatives or not all(isinstance(n, str) for n in negatives):
            raise InputError(f"{path}: {where}: hard_negs is no list of texts")
        image = f"{field(path, number, row, ['image_id'])}.jpg"
        out.append(Row(image, (caption, *negatives), box(path, where, row, "x", "y", "width", "height")))
    return out


KINDS = ("atom", "swap", "negate")
COMPLEXITIES = range(4, 13)


def crepe_files(task: str, root: Path, folders: Sequence[str], names: Iterable[str]) -> dict[str, Sequence[Path]]:
    """A file a kind, or the official tree with one for each complexity from 4 to 12, which published scores pool."""
    try:
        return {name: [path] for name, path in find_files(task, root, folders, names).items()}
    except DataMissing:
        found: dict[str, Sequence[Path]] = {}
        for kind in KINDS:
            tree = [
                root / base / "prod_hard_negatives" / kind / f"prod_vg_hard_negs_{kind}_complexity_{n}.csv"
                for base in ("crepe", "crepe/data", "CREPE/data", ".")
                for n in COMPLEXITIES
            ]
            if here := [path for path in tree if path.is_file()]:
                found[f"{kind}.csv"] = here
        if not found:
            raise
        return found


TASK = Task(
    name="crepe",
    title="CREPE productivity: the true caption among five made false by atom, swap or negation",
    source="https://github.com/RAIVNLab/CREPE (annotations), Visual Genome (photos)",
    licence="none stated",
    size="atom 17,698, swap 7,405, negate 17,303 rows",
    chance="16.7",
    rule="strict, rank 1 of the true caption for the cut-out region; score: mean of atom, swap and negate",
    citation="Ma et al., CREPE: Can Vision-Language Foundation Models Reason Compositionally? CVPR 2023",
    version="1",
    needs="DIR/crepe/prod_hard_negatives/{atom,swap,negate}/*.csv (or one file each in DIR/crepe) and DIR/vg/VG_100K*",
    load=loader(
        Files(
            "crepe",
            ("crepe", "crepe/data"),
            {"atom.csv": "atom", "swap.csv": "swap", "negate.csv": "negate"},
            ("crepe/images", "vg/images", "vg/VG_100K*", "VG_100K*", "images"),
            read_crepe,
            find=crepe_files,
        )
    ),
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)
