"""The recognition sets of published tables: class names, prompts and metrics, and how a user's labels map to them.

Names and prompts are data of OpenAI CLIP and the ELEVATER toolkit (`published/zeroshot_sets.json`, with its licence);
ImageNet's are those that open_clip carries. Two things are not as in the toolkit, because users' data are not its own:
labels that are numbers are taken in each set's own order of classes (the toolkit numbers CIFAR-100, Food-101, Stanford
Cars and FGVC Aircraft in another), and Caltech's two face classes carry the names that their folders mean (the toolkit
lists them the other way round; which of its numbers means which could not be seen).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation.labelled import LabelledImages, read_labelled
from compoclip.evaluation.tables import read_lines
from compoclip.evaluation.toolkit_layout import LAYOUT

FOLDERS = ("elevater", "", "data", "classification", "elevater/classification")


@dataclass(frozen=True)
class KnownSet:
    """A set by its name in vl_compo's table; `test` is its published number of test images.

    `classes` is empty where the data says them itself. `ids` are folder names by class (WordNet ids).
    """

    name: str
    classes: list[str]
    templates: list[str]
    metric: str
    test: int
    also: list[str] = field(default_factory=list)
    folders: dict[str, str] = field(default_factory=dict)
    sorted: bool = False
    ambiguous: str | None = None
    resize: str = "crop"
    reordered: bool = False
    ids: list[str] = field(default_factory=list)


@cache
def known_sets() -> dict[str, KnownSet]:
    """ELEVATER's 20 sets, SUN397, STL-10 and what VTAB has besides, by name."""
    return {name: KnownSet(name=name, **entry) for name, entry in _table("zeroshot_sets.json")["sets"].items()}


def _table(file: str) -> dict[str, Any]:
    return dict(json.loads(resources.files("compoclip.evaluation.published").joinpath(file).read_text("utf-8")))


@cache
def imagenets() -> dict[str, KnownSet]:
    """ImageNet and the sets made for its classes or 200 of them, with OpenAI's names and 80 prompts.

    Folders are WordNet ids, whose sorted order is that of the classes.
    """
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES

    table = _table("imagenet_sets.json")
    ids, prompts = " ".join(table["ids"]).split(), [template("{}") for template in OPENAI_IMAGENET_TEMPLATES]
    out = {}
    for name, entry in table["sets"].items():
        places = entry.get("classes", range(len(ids)))
        entry |= {"classes": [IMAGENET_CLASSNAMES[k] for k in places], "ids": [ids[k] for k in places]}
        out[name] = KnownSet(name, templates=prompts, metric="accuracy", sorted=True, **entry)
    return out


def published_rows(name: str) -> int:
    """The published number of a set's test images."""
    return int(_entries()[name]["test"])


def known(name: str) -> KnownSet:
    return known_sets()[name] if name in known_sets() else imagenets()[name]


@cache
def _entries() -> dict[str, dict[str, Any]]:
    """What the tables say of every set, without what only open_clip can say."""
    found: dict[str, dict[str, Any]] = _table("zeroshot_sets.json")["sets"] | _table("imagenet_sets.json")["sets"]
    return found


@cache
def folder_names(name: str) -> tuple[str, ...]:
    """Folder names that a set is known by: its own, those of its makers, and CLIP_benchmark's `wds_NAME[_test]`."""
    bare = (name, *_entries()[name].get("also", []))
    return (*bare, *(f"wds_{n}{end}" for n in bare for end in ("", "_test")))


@cache
def name_of(folder: str) -> str | None:
    """The set that a folder of this name contains, or None."""
    return next((name for name in _entries() if folder in folder_names(name)), None)


def plain(name: str) -> str:
    """Letters and digits alone, in lower case: `Apple_pie` and `apple pie` are one class."""
    return re.sub(r"[^0-9a-z]", "", name.casefold())


def find(root: Path, name: str) -> tuple[Path, LabelledImages] | None:
    """The first folder below a data root that has the set's test images. Raises InputError for one that is broken."""
    folders = [root / base / folder for base in FOLDERS for folder in folder_names(name)]
    # The toolkit keeps each set below a folder of its own: DATASET/cifar10/classification/cifar_10_20211007
    folders += [path for folder in folder_names(name) for path in sorted(root.glob(f"*/classification/{folder}"))]
    for folder in folders:
        if folder.is_dir() and (data := read_labelled(folder, "test")) is not None:
            return folder, data
    return None


def aligned(which: KnownSet, data: LabelledImages, folder: Path) -> tuple[NDArray[Any], str]:
    """Labels as places in the set's classes: (N,) or (N, C) bool, and a word on how they were matched.

    A file `classnames.txt` of lines `label<TAB>class` beside the data overrules everything else. Raises InputError
    where a label cannot be matched for certain; nothing is guessed.
    """
    if data.names is None:
        if which.ambiguous:
            raise InputError(
                f"{folder}: its labels are bare numbers, and for {which.name} {which.ambiguous}; "
                f"put classnames.txt beside it, lines NUMBER<TAB>class name"
            )
        return _by_place(which, data, np.arange(len(which.classes)), folder), "numbers in the set's own order"
    place, how = _match(which, data, folder)
    return _by_place(which, data, place, folder), how


def _match(which: KnownSet, data: LabelledImages, folder: Path) -> tuple[NDArray[np.int64], str]:
    names = list(data.names or [])
    if [plain(n) for n in names] == [plain(c) for c in which.classes]:  # ImageNet has two missiles
        return np.arange(len(names), dtype=np.int64), "class names"
    lookup = {plain(c): i for i, c in reversed(list(enumerate(which.classes)))}
    lookup |= {plain(alias): lookup[plain(c)] for alias, c in which.folders.items()}
    table = folder / "classnames.txt"
    if table.is_file() and all("\t" in line for line in read_lines(table)):
        given = {key.strip(): value.strip() for key, value in (line.split("\t", 1) for line in read_lines(table))}
        names = [given.get(n, n) for n in names]
    found = [lookup.get(plain(n)) for n in names]
    if all(p is not None for p in found) and len(set(found)) == len(found):
        return np.array(found, dtype=np.int64), "class names"
    if data.layout == LAYOUT and len(names) == len(which.classes) and not which.reordered:
        return np.arange(len(names), dtype=np.int64), "the toolkit's own order"
    if all(n.isdigit() for n in names) and not which.ambiguous:
        return _numbers(which, [int(n) for n in names], folder), "numbers in the set's own order"
    if which.ids and set(names) <= set(which.ids):
        return np.array([which.ids.index(n) for n in names], dtype=np.int64), "WordNet ids"
    if which.sorted and len(names) == len(which.classes) and names == sorted(names):
        return np.arange(len(names), dtype=np.int64), "the order of the sorted folders"
    strange = next((n for n, p in zip(names, found) if p is None), names[0])
    raise InputError(
        f"{folder}: class {strange!r} is none of the {len(which.classes)} classes of {which.name} "
        f"(such as {which.classes[0]!r}); rename it, or put classnames.txt there with lines {strange}<TAB>class name"
    )


def _numbers(which: KnownSet, numbers: Sequence[int], folder: Path) -> NDArray[np.int64]:
    """Folders called 0..C-1, or 1..C where the last number says so; ImageNet-V2's count from 0."""
    classes = len(which.classes)
    first = 1 if max(numbers) == classes and not which.ids else 0
    if 0 not in numbers and not which.ids and first == 0 and len(numbers) < classes:
        raise InputError(
            f"{folder}: class folders {min(numbers)} to {max(numbers)}: whether they count from 0 or 1 cannot be told; "
            f"put classnames.txt there with lines NUMBER<TAB>class name"
        )
    out = np.array(numbers, dtype=np.int64) - first
    if out.min() < 0 or out.max() >= classes:
        raise InputError(f"{folder}: class {max(numbers)} is outside the {classes} classes of {which.name}")
    return out


def _by_place(which: KnownSet, data: LabelledImages, place: NDArray[np.int64], folder: Path) -> NDArray[Any]:
    labels, classes = data.labels, len(which.classes)
    if data.several:
        if labels.shape[1] != len(place):
            raise InputError(f"{folder}: {labels.shape[1]} labels an image for the {classes} classes of {which.name}")
        several = np.zeros((len(labels), classes), dtype=bool)
        several[:, place] = labels
        return several
    if len(labels) and (labels.min() < 0 or labels.max() >= len(place)):
        raise InputError(f"{folder}: label {int(labels.max())} is outside the {len(place)} classes of {which.name}")
    found: NDArray[Any] = place[labels]
    return found
