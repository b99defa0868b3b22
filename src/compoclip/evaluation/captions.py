"""Rows of one image and several captions, from a benchmark's file to a `Grid`: what those tasks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.mirrors import Mirror, choices, first_of
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.places import Finder, find_files, find_images
from compoclip.evaluation.scoring import CHOICE, Grid
from compoclip.evaluation.task import Loaded, Request


@dataclass(frozen=True)
class Row:
    """One question: image name, captions with the true one first, a box (x, y, width, height) to cut out, a group."""

    image: str
    candidates: tuple[str, ...]
    box: tuple[int, int, int, int] | None = None
    group: str | None = None


Reader = Callable[[Path], Sequence[Row]]
Find = Callable[[str, Path, Sequence[str], Iterable[str]], dict[str, Sequence[Path]]]


def _one_each(task: str, root: Path, folders: Sequence[str], names: Iterable[str]) -> dict[str, Sequence[Path]]:
    return {name: [path] for name, path in find_files(task, root, folders, names).items()}


@dataclass(frozen=True)
class Files:
    """A benchmark's layout: `files` maps a file to its subset's name, `read` reads one, `rule` is the official one.

    `copies` are names of folders that hold the rows with their images (see `mirrors`).
    """

    task: str
    folders: Sequence[str]
    files: dict[str, str]
    images: Sequence[str]
    read: Reader
    rule: str = "strict"
    most: int | None = None  # rows of a file that count, after missing images are left out
    copies: tuple[str, ...] = ()
    every: bool = False  # whether the images lie in several of the places
    find: Find = _one_each


def _cut(row: Row, picture: Picture) -> Picture:
    return picture if row.box is None else picture.crop(*row.box)


def subset(name: str, rows: Sequence[Row], find: Finder, request: Request, rule: str, most: int | None = None) -> Grid:
    """The rows whose image is there, as a `Grid`; the others are counted as missing."""
    here = [(row, picture) for row in rows if (picture := find(row.image)) is not None]
    missing = len(rows) - len(here)
    kept = request.cut(here if most is None else here[:most])
    grouped = any(row.group is not None for row, _ in kept)
    return Grid(
        name,
        CHOICE,
        [[_cut(row, picture)] for row, picture in kept],
        [row.candidates for row, _ in kept],
        missing=missing,
        rule=request.ties or rule,
        groups=[str(row.group) for row, _ in kept] if grouped else None,
    )


def loader(files: Files) -> Callable[[Request], Loaded]:
    """A task's reader over its files, or over copies of its rows."""

    def load(request: Request) -> Loaded:
        root = request.root(files.task)
        found = files.find(files.task, root, files.folders, files.files)
        tables = {}
        for name, paths in found.items():
            tables[name] = [row for path in paths for row in files.read(path)]
            if not tables[name]:
                raise InputError(f"{paths[0]}: no rows")
        wanted = [r.image for rows in tables.values() for r in rows]
        find = Finder(find_images(files.task, root, files.images, wanted, files.every))
        subsets = [
            subset(files.files[name], rows, find, request, files.rule, files.most) for name, rows in tables.items()
        ]
        where = str(next(iter(found.values()))[0].parent)
        return Loaded(list(subsets), {"annotations": where, "images": find.store.where})

    names = {Path(file).stem: name for file, name in files.files.items()}
    mirror = Mirror(files.task, names | {name: name for name in names.values()}, files.copies)
    return first_of(load, partial(choices, mirror, files.rule))


def box(path: Path, where: str, row: dict[str, Any], *names: str) -> tuple[int, int, int, int]:
    """Four whole numbers of a row. Raises InputError naming the row."""
    try:
        x, y, width, height = (int(float(row[name])) for name in names)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: {where} needs the numbers {', '.join(names)}") from None
    return x, y, width, height
