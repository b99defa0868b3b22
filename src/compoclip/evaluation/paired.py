"""How rows of two images and two captions lie on disk, and the reader that tasks of this form share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.mirrors import Mirror, candidates, first_of, pictures
from compoclip.evaluation.pictures import Picture, is_image
from compoclip.evaluation.places import Finder, find_files, find_images, renamed, rows_of
from compoclip.evaluation.scoring import TWO_BY_TWO, Grid, Subset
from compoclip.evaluation.tables import field, read_table
from compoclip.evaluation.task import Loaded, Request

Group = Callable[[dict[str, Any]], str]


@dataclass(frozen=True)
class Layout:
    """Where a benchmark's rows are and how they name their parts. `group` gives the subset of a row; `headline` is the
    score that its average takes; `suffix` is added to image names that have none."""

    name: str
    folders: Sequence[str]
    files: Sequence[str]
    images: Sequence[str]
    fields: tuple[str, str, str, str]  # image 0, image 1, caption 0, caption 1
    group: Group
    headline: str = "group"
    suffix: str = ".png"
    copied: bool = True  # whether copies with images inside say all that is needed
    instead: Mapping[str, str] | None = None  # suffixes of the rows: those of another release's images


def places(name: str, *more: str) -> tuple[str, ...]:
    """Folders of the data root where a benchmark's rows may lie."""
    return (name, f"{name}/data", *more, ".")


def image_places(name: str, *more: str) -> tuple[str, ...]:
    """Folders of the data root where a benchmark's images may lie."""
    return (f"{name}/images", f"{name}/data/images", *more, name, "images")


def _image(layout: Layout, name: str) -> str:
    name = PurePosixPath(name.replace("\\", "/")).as_posix()
    if "://" in name or name.startswith("http"):
        name = PurePosixPath(name).name  # Cola gives addresses; the files keep their last part
    return name if is_image(name) or name.endswith(".npy") else name + layout.suffix


def _rows(layout: Layout, path: Path) -> list[tuple[str, dict[str, Any]]]:
    from compoclip.io import read_json

    if path.suffix == ".csv":
        return _mmvp_rows(path)
    if path.suffix == ".json":
        table = read_json(path)
        i0, i1, c0, c1 = layout.fields
        if isinstance(table, list) and table and isinstance(table[0], list):  # Cola: [image, caption, image, caption]
            return [(f"row {k}", dict(zip((i0, c0, i1, c1), row))) for k, row in enumerate(table)]
        inner = list(_inner(table, i0)) if isinstance(table, dict) else []
        if inner:  # EqBen: rows by video, or by video and subject
            return [(f"row {k}", row) for k, row in enumerate(inner)]
    return rows_of(path)


def _inner(table: Any, key: str, depth: int = 4) -> Iterator[dict[str, Any]]:
    """The rows (objects with `key`) within lists and objects, in order."""
    if isinstance(table, dict) and key in table:
        yield table
    elif depth:
        for value in table.values() if isinstance(table, dict) else table if isinstance(table, list) else ():
            yield from _inner(value, key, depth - 1)


def _read(layout: Layout, path: Path) -> list[tuple[str, tuple[str, str], tuple[str, str]]]:
    out = []
    for where, row in _rows(layout, path):
        values = [row.get(name) for name in layout.fields]
        values = [v[0] if isinstance(v, list) and v else v for v in values]  # EqBen's ag captions are lists
        if not all(isinstance(v, str) and v for v in values):
            hidden = {"image", "caption"} <= row.keys()  # EqBen's shuffled release, scored on its own server only
            why = "; rows of one image and one caption do not say what fits: take the public annotation" * hidden
            raise InputError(f"{path}: {where} needs the texts {', '.join(layout.fields)}{why}")
        i0, i1, c0, c1 = map(str, values)
        out.append((layout.group(row), (_image(layout, i0), _image(layout, i1)), (c0, c1)))
    return out


def loader(layout: Layout) -> Callable[[Request], Loaded]:
    """A task's reader: rows by group, those with a missing image counted."""

    def load(request: Request) -> Loaded:
        root = request.root(layout.name)
        path = next(iter(find_files(layout.name, root, layout.folders, layout.files).values()))
        rows = _read(layout, path)
        if not rows:
            raise InputError(f"{path}: no rows")
        wanted = [name for r in rows for name in (r[1][0], renamed(r[1][0], layout.instead))]
        find = Finder(find_images(layout.name, root, layout.images, wanted), layout.instead)
        subsets = _subsets(layout, request, [(group, find.all(names), texts) for group, names, texts in rows])
        return Loaded(subsets, {"annotations": str(path), "images": find.store.where})

    def copies(request: Request) -> Loaded:
        tables, where_found = Mirror(layout.name, {}).rows(request)
        rows = [_copied(layout, where, row) for own in tables.values() for where, row in own]
        return Loaded(_subsets(layout, request, rows), {"annotations": where_found})

    return first_of(load, copies) if layout.copied else load


Read = tuple[str, Sequence[Picture] | None, tuple[str, str]]  # group, its two pictures where both are there, captions


def _subsets(layout: Layout, request: Request, rows: Sequence[Read]) -> list[Subset]:
    subsets: list[Subset] = []
    for group in dict.fromkeys(r[0] for r in rows):
        own = [r for r in rows if r[0] == group]
        here = [(found, texts) for _, found, texts in own if found is not None]
        kept = request.cut(here)
        subsets.append(
            Grid(
                group,
                TWO_BY_TWO.led_by(layout.headline),
                [p for p, _ in kept],
                [texts for _, texts in kept],
                missing=len(own) - len(here),
                rule=request.ties or "strict",
            )
        )
    return subsets


def _copied(layout: Layout, where: str, row: dict[str, Any]) -> Read:
    """A row of a copy: the benchmark's own columns, or UniBench's `0.webp`, `1.webp` and `npy`."""
    named = [row.get(name) for name in layout.fields]
    own = all(isinstance(text, str) for text in named[2:])
    texts = tuple(map(str, named[2:])) if own else candidates(where, row)
    found = named[:2] if own else pictures(row)
    if len(found) != 2 or len(texts) != 2:
        raise InputError(f"{where}: two images and two captions are needed, not {len(found)} and {len(texts)}")
    both = [p for p in found if isinstance(p, Picture)]
    return layout.group(row), both if len(both) == 2 else None, (texts[0], texts[1])


def _mmvp_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """MMVP's table has a line an image; lines 2k-1 and 2k are a pair."""
    lines = list(read_table(path))
    if len(lines) % 2:
        raise InputError(f"{path}: {len(lines)} lines, but each pair needs two")
    rows = []
    for (number, first), (_, second) in zip(lines[::2], lines[1::2]):
        category = str(field(path, number, first, ["Type"]))
        row: dict[str, Any] = {"category": category}
        for k, line in enumerate((first, second)):
            question = str(field(path, number, line, ["Question ID"]))
            row[f"image_{k}"] = f"{category}/{question}.jpg"
            row[f"text_{k}"] = "a photo of " + str(field(path, number, line, ["Statement"]))
        rows.append((f"line {number}", row))
    return rows
