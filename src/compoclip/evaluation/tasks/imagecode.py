"""ImageCoDe: which of ten nearly equal images a long caption tells of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.image_choices import Question, image_subset
from compoclip.evaluation.pictures import beside, is_image, open_store
from compoclip.evaluation.places import Finder, find_files, note_absent
from compoclip.evaluation.task import DataMissing, Loaded, Request, Task, pooled
from compoclip.io import read_json


def _ten(names: Sequence[str]) -> tuple[str, ...]:
    """Image names of a set in the order of the number in their names (img10 after img9)."""

    def number(name: str) -> tuple[int, str]:
        digits = re.findall(r"\d+", PurePosixPath(name).stem)
        return (int(digits[-1]) if digits else 0, name)

    return tuple(sorted(names, key=number))


def load(request: Request) -> Loaded:
    root = request.root("imagecode")
    path = next(iter(find_files("imagecode", root, ("imagecode", "imagecode/data"), ["valid_data.json"]).values()))
    sets = beside(path.parent / "image-sets") or beside(root / "image-sets")
    if sets is None:
        raise DataMissing(f"imagecode: no folder, .tar or .zip {path.parent / 'image-sets'}; put image-sets.zip there")
    store = open_store(sets)
    by_set: dict[str, list[str]] = {}
    for name in store.names():
        if is_image(name):
            by_set.setdefault(PurePosixPath(name).parent.name, []).append(name)
    rows: dict[str, list[Question]] = {"videos": [], "static": []}
    lost = dict.fromkeys(rows, 0)
    table = read_json(path)
    if not isinstance(table, dict):
        raise InputError(f"{path}: must be an object of sets, each an object of captions by place")
    for folder, captions in table.items():
        kind = "static" if "open-images" in folder else "videos"
        names = _ten(by_set.get(PurePosixPath(folder).name, ()))
        for index, caption in captions.items():
            if not (str(index).isdigit() and isinstance(caption, str)):
                raise InputError(f"{path}: set {folder}: place {index!r} must be 0 to 9 with a text")
            if int(index) >= len(names):
                lost[kind] += 1
                note_absent(f"image-sets/{PurePosixPath(folder).name}")
                continue
            true = names[int(index)]
            rows[kind].append((caption, (true, *(n for n in names if n != true))))
    find = Finder(store)
    subsets = [image_subset(kind, own, find, request) for kind, own in rows.items() if own or lost[kind]]
    for subset in subsets:
        subset.missing += lost[subset.name]
    return Loaded(list(subsets), {"annotations": str(path), "images": store.where})


TASK = Task(
    name="imagecode",
    title="ImageCoDe: which of ten nearly equal images a long caption tells of",
    source="https://github.com/McGill-NLP/imagecode, https://zenodo.org/record/6518944",
    licence="MIT",
    size="2,302 captions (valid): 1,872 of video frames, 430 of photos",
    chance="10",
    rule="strict argmax over ten images; score: all captions pooled",
    citation="Krojer et al., Image Retrieval from Contextual Descriptions, ACL 2022",
    version="1",
    needs="DIR/imagecode/valid_data.json and image-sets/ or image-sets.zip beside it",
    load=load,
    averages=lambda counts: {"item-weighted": pooled(counts)},
)
