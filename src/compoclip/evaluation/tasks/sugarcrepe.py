"""SugarCrepe (Hsieh et al. 2023): one photo, one true caption, one that a language model made false."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import GROUPS, SIZES
from compoclip.evaluation.mirrors import Mirror, choices, first_of
from compoclip.evaluation.places import Finder, find_images
from compoclip.evaluation.scoring import CHOICE, Grid
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, look, plain_mean, pooled
from compoclip.io import read_json

FIELDS = ("filename", "caption", "negative_caption")
COPIES = Mirror("sugarcrepe", {name: name for name in SIZES})

ANNOTATIONS = ("sugarcrepe", "sugar-crepe/data", "annotations/sugarcrepe", "reference/annotations/sugarcrepe", ".")
IMAGES = (
    "sugarcrepe/images",
    "images",
    "val2017",
    "coco/val2017",
    "coco/images/val2017",
    "coco_val2017_300/images",
    "data/coco_val2017_300/images",
    "data/val2017",
)


def read_rows(path: Path) -> list[tuple[str, str, str]]:
    """(photo, caption, negative caption) of each row. Raises InputError naming the row that is not so."""
    table = read_json(path)
    rows = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else None
    if rows is None:
        raise InputError(f"{path}: must be an object of rows by id, as SugarCrepe's own files are")
    out = []
    for key, row in rows:
        values = [row.get(name) if isinstance(row, dict) else None for name in FIELDS]
        if not all(isinstance(v, str) and v for v in values):
            raise InputError(f"{path}: row {key} needs the texts filename, caption and negative_caption")
        out.append((str(values[0]), str(values[1]), str(values[2])))
    return out


def find_annotations(root: Path) -> dict[str, Path]:
    for folder in look(root, ANNOTATIONS):
        files = {name: folder / f"{name}.json" for name in SIZES if (folder / f"{name}.json").is_file()}
        if files:
            return files
    looked = ", ".join(str(root / a / "*.json") for a in ANNOTATIONS)
    raise DataMissing(f"sugarcrepe: no annotation file (swap_obj.json, ...) found; looked at {looked}")


def load(request: Request) -> Loaded:
    root = request.root("sugarcrepe")
    files = find_annotations(root)
    tables = {name: read_rows(path) for name, path in files.items()}
    find = Finder(find_images("sugarcrepe", root, IMAGES, sorted({row[0] for rows in tables.values() for row in rows})))
    subsets = []
    for name, rows in tables.items():
        here = [(photo, text, false) for file, text, false in rows if (photo := find(file)) is not None]
        kept = request.cut(here)
        subsets.append(
            Grid(
                name,
                CHOICE,
                [[p] for p, _, _ in kept],
                [[text, false] for _, text, false in kept],
                missing=len(rows) - len(here),
                rule=request.ties or "strict",
            )
        )
    found: dict[str, Any] = {"annotations": str(next(iter(files.values())).parent), "images": find.store.where}
    absent = [name for name in SIZES if name not in files]
    if absent:
        found["absent"] = absent
    return Loaded(list(subsets), found)


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """vl_compo: item-weighted (by the official counts) in replace, swap and add, then the mean of the three."""
    rules = {}
    if set(counts) == set(SIZES):
        totals = {g: sum(n for name, n in SIZES.items() if name.startswith(g)) for g in GROUPS}
        weights = {name: n / totals[name.split("_")[0]] / 3 for name, n in SIZES.items()}
        rules["vl_compo"] = Average(weights)
        rules["macro7"] = plain_mean(counts)
    rules["micro"] = pooled(counts)
    no_add = {name: n for name, n in counts.items() if not name.startswith("add")}
    if no_add:
        rules["micro_without_add"] = pooled(no_add)
    return rules


TASK = Task(
    name="sugarcrepe",
    title="SugarCrepe: true caption against a fluent false one",
    source="https://github.com/RAIVNLab/sugar-crepe (annotations), COCO val2017 (photos)",
    licence="MIT (annotations); photos: COCO terms of use",
    size="7,511 rows in 7 subsets",
    chance="50",
    rule="strict: a tie is wrong; score: vl_compo (item-weighted replace, swap and add groups, then their mean)",
    citation="Hsieh et al., SugarCrepe: Fixing Hackable Benchmarks for Vision-Language Compositionality, NeurIPS 2023",
    version="1",
    needs="DIR/sugarcrepe/*.json and photos at DIR/sugarcrepe/images, DIR/val2017 or DIR/images (folder, .tar, .zip)"
    "; or copies with their photos: DIR/SugarCrepe_SUBSET, DIR/sugarcrepe_vlms, DIR/wds_sugarcrepe",
    load=first_of(load, partial(choices, COPIES, "strict")),
    averages=averages,
)
