"""ImageCoDe: which of ten nearly equal images a long caption tells of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.images import beside, is_image, open_store
from compoclip.evaluation.locations import note_absent
from compoclip.evaluation.questions import Question, Row
from compoclip.evaluation.task import DataMissing
from compoclip.io import read_json


def _number(name: str) -> tuple[int, str]:
    """The order of a set's images is that of the number in their names (img10 after img9)."""
    digits = re.findall(r"\d+", PurePosixPath(name).stem)
    return (int(digits[-1]) if digits else 0, name)


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """The captions of each set by place, with the names of the set's images."""
    above = (beside(folder / "image-sets") for folder in list(path.parents)[:3])
    sets = next((place for place in above if place is not None), None)
    if sets is None:
        raise DataMissing(f"imagecode: no folder, .tar or .zip {path.parent / 'image-sets'}; put image-sets.zip there")
    by_set: dict[str, list[str]] = {}
    for name in open_store(sets).names():
        if is_image(name):
            by_set.setdefault(PurePosixPath(name).parent.name, []).append(name)
    table = read_json(path)
    if not isinstance(table, dict):
        raise InputError(f"{path}: must be an object of sets, each an object of captions by place")
    for folder, captions in table.items():
        names = sorted(by_set.get(PurePosixPath(folder).name, ()), key=_number)
        for index, caption in captions.items():
            where = f"{path}: set {folder}"
            if not (str(index).isdigit() and isinstance(caption, str)):
                raise InputError(f"{where}: place {index!r} must be 0 to 9 with a text")
            yield where, {"set": folder, "names": names, "place": int(index), "caption": caption}


def ask(where: str, row: Row) -> tuple[str, Question]:
    """The image that is meant, then the others of its set; None where it is not there."""
    names, place = row["names"], row["place"]
    images: list[str | None] = [None]
    if place < len(names):
        images = [names[place], *(n for i, n in enumerate(names) if i != place)]
    else:
        note_absent(f"image-sets/{PurePosixPath(row['set']).name}")
    return "static" if "open-images" in row["set"] else "videos", Question(images, [row["caption"]])


TASK = benchmark("imagecode", rows=rows, ask=ask, order=("videos", "static"))
