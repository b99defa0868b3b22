"""ImageCoDe: which of ten nearly equal images a long caption tells of."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import Finder, find_files, note_absent
from compoclip.evaluation.pictures import Store, beside, is_image, open_store
from compoclip.evaluation.questions import Question, grid
from compoclip.evaluation.scoring import IMAGE_CHOICE
from compoclip.evaluation.task import DataMissing, Loaded, Request
from compoclip.io import read_json


def _number(name: str) -> tuple[int, str]:
    """The order of a set's images is that of the number in their names (img10 after img9)."""
    digits = re.findall(r"\d+", PurePosixPath(name).stem)
    return (int(digits[-1]) if digits else 0, name)


def read(path: Path, store: Store) -> dict[str, list[Question]]:
    """Questions of videos and of photos; one whose image is not there has a name that no store has."""
    by_set: dict[str, list[str]] = {}
    for name in store.names():
        if is_image(name):
            by_set.setdefault(PurePosixPath(name).parent.name, []).append(name)
    table = read_json(path)
    if not isinstance(table, dict):
        raise InputError(f"{path}: must be an object of sets, each an object of captions by place")
    out: dict[str, list[Question]] = {}
    for folder, captions in table.items():
        names = sorted(by_set.get(PurePosixPath(folder).name, ()), key=_number)
        for index, caption in captions.items():
            if not (str(index).isdigit() and isinstance(caption, str)):
                raise InputError(f"{path}: set {folder}: place {index!r} must be 0 to 9 with a text")
            images: list[str | None] = [None]
            if int(index) < len(names):
                images = [names[int(index)], *(n for i, n in enumerate(names) if i != int(index))]
            else:
                note_absent(f"image-sets/{PurePosixPath(folder).name}")
            out.setdefault("static" if "open-images" in folder else "videos", []).append(Question(images, [caption]))
    return {kind: out[kind] for kind in ("videos", "static") if kind in out}


def load(request: Request) -> Loaded:
    root = request.root("imagecode")
    path = next(iter(find_files("imagecode", root, ("imagecode", "imagecode/data"), ["valid_data.json"]).values()))
    sets = beside(path.parent / "image-sets") or beside(root / "image-sets")
    if sets is None:
        raise DataMissing(f"imagecode: no folder, .tar or .zip {path.parent / 'image-sets'}; put image-sets.zip there")
    store = open_store(sets)
    find, rule = Finder(store), request.ties or "strict"
    tables = read(path, store)
    subsets = [grid(kind, IMAGE_CHOICE, rows, find, request, rule) for kind, rows in tables.items()]
    found = {"annotations": str(path), "images": store.where}
    return Loaded(list(subsets), found, {kind: len(rows) for kind, rows in tables.items()})


TASK = benchmark("imagecode", load=load)
