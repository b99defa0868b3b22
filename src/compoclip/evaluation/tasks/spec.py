"""SPEC: size, position, existence and count in drawn-over scenes, asked both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compoclip.data.images import FolderStore
from compoclip.errors import InputError
from compoclip.evaluation.aggregate import SPEC as FOLDERS
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import Finder, rows_of, texts
from compoclip.evaluation.questions import Question, grid
from compoclip.evaluation.scoring import CHOICE, IMAGE_CHOICE, Subset
from compoclip.evaluation.task import DataMissing, Loaded, Request

ROWS = dict(zip(FOLDERS, (1_500, 1_500, 4_500, 2_000, 1_000, 4_500)))
WAYS = {"i2t": ("image2text.json", CHOICE), "t2i": ("text2image.json", IMAGE_CHOICE)}


def ask(where: str, row: dict[str, Any], way: str) -> Question:
    (query,) = texts(where, row, "query")
    keys, label = row.get("keys"), row.get("label")
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys):
        raise InputError(f"{where} needs keys, a list of texts")
    if not isinstance(label, int) or not 0 <= label < len(keys):
        raise InputError(f"{where}: label {label!r} is outside its {len(keys)} keys")
    told = [keys[label], *keys[:label], *keys[label + 1 :]]
    return Question([query], told) if way == "i2t" else Question(told, [query])


def load(request: Request) -> Loaded:
    root = request.root("spec")
    places = (root / "spec", root / "spec" / "data")
    base = next((p for p in places if any((p / folder).is_dir() for folder in FOLDERS)), places[0])
    subsets: list[Subset] = []
    read = {}
    for folder in FOLDERS:
        find = Finder(FolderStore(base / folder, rotate=False))
        for way, (file, shape) in WAYS.items():
            path: Path = base / folder / file
            if path.is_file():
                name = f"{folder}::{way}"
                rows = [ask(where, row, way) for where, row in rows_of(path)]
                subsets.append(grid(name, shape, rows, find, request, request.ties or "strict"))
                read[name] = len(rows)
    if not subsets:
        raise DataMissing(f"spec: no FOLDER/image2text.json found; looked for {', '.join(FOLDERS)} in {base}")
    return Loaded(subsets, {"annotations": str(base)}, read)


PARTS = {f"{folder}::{way}": rows for folder, rows in ROWS.items() for way in WAYS}
TASK = benchmark("spec", load=load, parts=PARTS)
