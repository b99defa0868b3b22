"""How a benchmark's rows on disk become a `Grid`: one reader for every composition benchmark.

A task states in a `Layout` where its files and images lie and how one row is read; what is absent is counted here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.hf_copies import read_rows
from compoclip.evaluation.images import ImageRef, Stores, is_image
from compoclip.evaluation.locations import Finder, find_files, find_images, renamed, rows_of, texts
from compoclip.evaluation.scoring import CHOICE, Grid, Shape, Subset
from compoclip.evaluation.task import DataMissing, Loaded, TaskOptions

__all__ = ["Layout", "Question", "columns", "loader"]

Row = Mapping[str, Any]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Question:
    """One row: images by name (or as images, None where a table's cell is empty) and captions in the order of its
    shape, a box (x, y, width, height) to cut out of all or one for each, and what `Grid` calls group, facets, sets."""

    images: Sequence[str | ImageRef | None]
    texts: Sequence[str]
    box: Box | None = None
    group: str | None = None
    facets: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    boxes: Sequence[Box] = ()


Ask = Callable[[str, Row], "tuple[str, Question] | None"]  # place, row -> subset ("" for the file's own), question


@dataclass(frozen=True)
class Layout:
    """`files` maps a file to its subset ("" where the row tells); `ask` reads a row, None where it does not count.

    `images` are the places of images, by subset where they differ ("" for all others), and so may be `shape` and
    `ties`, the official tie rules ("strict" where none is given). `rows` gives (place, row) of a
    file that is no plain table. `hub` takes a Hugging Face table with the same columns, images inside, where no file is
    there. `most` rows of a subset count, after those without images. `all_of` looks a subset's rows over as a whole.
    """

    task: str
    shape: Shape | Mapping[str, Shape]
    folders: Sequence[str]
    files: Mapping[str, str]
    images: Mapping[str, Sequence[str]]
    ask: Ask
    ties: Mapping[str, str] = field(default_factory=dict)
    rows: Callable[[Path], Iterable[tuple[str, Row]]] = rows_of
    find: Callable[[Path], Mapping[str, Sequence[Path]]] | None = None
    hub: Sequence[str] = ()
    most: int | None = None
    instead: Mapping[str, str] | None = None
    ks: tuple[int, ...] = ()
    sets: Mapping[str, int] = field(default_factory=dict)  # rows that a whole set has
    all_of: Callable[[str, list[Question]], list[Question]] | None = None
    empty: bool = False  # whether a file may contain no rows
    order: Sequence[str] = ()  # of the subsets, where rows tell them
    alternatives: bool = False  # whether one of the files is enough, the first that is there

    def read(self, root: Path) -> tuple[dict[str, list[Question]], dict[str, int], str]:
        """Questions by subset, how many rows each has there, and where they were read. Raises DataMissing where no file
        is there."""
        out: dict[str, list[Question]] = {}
        files = self._files(root)
        for _, own, rows in files:
            for where, row in rows:
                if (asked := self.ask(where, row)) is not None:
                    out.setdefault(asked[0] or own, []).append(asked[1])
        names = [name for name in self.order if name in out] + [name for name in out if name not in self.order]
        kept = {name: self.all_of(name, out[name]) if self.all_of else out[name] for name in names}
        return kept, {name: len(out[name]) for name in names}, files[0][0]

    def _files(self, root: Path) -> list[tuple[str, str, list[tuple[str, Row]]]]:
        """(folder, subset, rows) of the benchmark's own files, or of a Hugging Face table in their place."""
        found = dict(self.find(root)) if self.find is not None else {}
        try:
            if not found and not self.files:
                raise DataMissing(f"{self.task}: its rows lie in a table with their images")
            own = {} if found else find_files(self.task, root, self.folders, self.files)
        except DataMissing as absent:
            for folder in (root / name for name in self.hub):
                if rows := read_rows(folder):
                    return [(str(folder), "", [(f"{folder}: {where}", row) for where, row in rows])]
            nor = "; nor is there a Hugging Face table (data/test-*.parquet) at "
            raise DataMissing(f"{absent}{nor}{root / self.hub[0]}" if self.hub else str(absent)) from None
        found = found or {name: [path] for name, path in list(own.items())[: 1 if self.alternatives else None]}
        out = []
        for name, paths in found.items():
            listed = [row for path in paths for row in self.rows(path)]
            if not listed and not self.empty:
                raise InputError(f"{paths[0]}: no rows")
            out.append((str(paths[0].parent), self.files.get(name, ""), listed))
        return out

    def of(self, field: str, subset: str, usual: Any) -> Any:
        """What one of the fields that subsets may differ in says of one."""
        stated = getattr(self, field)
        return stated.get(subset, stated.get("", usual)) if isinstance(stated, Mapping) else stated


def loader(layout: Layout) -> Callable[[TaskOptions], Loaded]:
    """A task's reader: a grid a subset, the rows whose images are not there counted as missing.

    layout: where its files lie and how a row is read.

    The reader raises DataMissing where the files are not there.

    Example: Task(name="colours", load=loader(layout), averages=means({"mean of subsets": None}), **facts)
    """

    def load(request: TaskOptions) -> Loaded:
        root = request.root(layout.task)
        tables, read, where = layout.read(root)
        subsets: list[Subset] = []
        unread: list[str] = []
        finders: dict[Sequence[str], Finder | DataMissing] = {}
        for name, rows in tables.items():
            stems = layout.of("images", name, ())
            if stems not in finders:
                asked = [q for other, own in tables.items() if layout.of("images", other, ()) == stems for q in own]
                finders[stems] = _finder(layout, root, stems, asked)
            find = finders[stems]
            if isinstance(find, DataMissing):
                unread.append(str(find))
            else:
                subsets.append(_grid(layout, name, rows, find, request))
        if not subsets:
            raise DataMissing("; ".join(dict.fromkeys(unread)) or f"{where}: no row that counts")
        images = ", ".join(f.store.where for f in finders.values() if isinstance(f, Finder))
        found = {"annotations": where, "images": images}
        return Loaded(subsets, found | ({"unread": list(dict.fromkeys(unread))} if unread else {}), read)

    return load


def _finder(layout: Layout, root: Path, stems: Sequence[str], rows: Sequence[Question]) -> Finder | DataMissing:
    named = [name for row in rows for name in row.images if isinstance(name, str)]
    wanted = [*named, *(renamed(name, layout.instead) for name in named if layout.instead)]
    try:
        store = find_images(layout.task, root, stems, wanted) if wanted or not rows else Stores([])
    except DataMissing as absent:
        return absent
    return Finder(store, layout.instead)


def _grid(layout: Layout, name: str, rows: Sequence[Question], find: Finder, request: TaskOptions) -> Grid:
    """The rows whose every image is there; the others are counted as missing."""
    here: list[tuple[list[ImageRef], Question]] = []
    for row in rows:
        found = [find(image) if isinstance(image, str) else image for image in row.images]
        boxes: Sequence[Box | None] = row.boxes or [row.box] * len(found)
        refs: list[ImageRef] = [p if box is None else p.crop(*box) for p, box in zip(found, boxes) if p is not None]
        if len(refs) == len(found):
            here.append((refs, row))
    kept = list(request.cut(here[: layout.most]))
    own = [row for _, row in kept]
    sets = layout.sets if own and own[0].sets else {}
    return Grid(
        name,
        layout.of("shape", name, CHOICE),
        [image_refs for image_refs, _ in kept],
        [row.texts for row in own],
        missing=len(rows) - len(here),
        rule=request.ties or layout.of("ties", name, "strict"),
        groups=[str(row.group) for row in own] if any(row.group is not None for row in own) else None,
        facets={
            key: [row.facets.get(key, "") for row in own] for key in dict.fromkeys(k for r in own for k in r.facets)
        },
        sets={key: (size, [row.sets[key] for row in own]) for key, size in sets.items()},
        ks=layout.ks,
    )


def columns(
    images: Sequence[str],
    captions: Sequence[str],
    subset: str = "",
    subset_in: Sequence[str] = (),
    suffix: str = "",
    bare: bool = False,
    facets: Sequence[str] = (),
) -> Ask:
    """Rows whose columns hold images (names, or images inside a table) and captions, in the order of the shape.

    `subset_in` are columns that tell a row's subset, `subset` is that of rows that do not tell it. `suffix` is added to
    names of images that have none, `bare` takes the last part of such a name alone; `facets` are columns, too.

    Example: columns(["image"], ["caption", "false_caption"], subset_in=["kind"])
    """

    def ask(where: str, row: Row) -> tuple[str, Question]:
        held = [row.get(name) for name in images]
        inside = set(images) <= set(row) and any(value is None or isinstance(value, ImageRef) for value in held)
        told = () if subset and not all(row.get(name) for name in subset_in) else subset_in
        own = texts(where, row, *(() if inside else images), *captions, *told)[0 if inside else len(images) :]
        named = [_file_name(v, suffix, bare) if isinstance(v, str) else v for v in held]
        divided = {name: str(row[name]) for name in facets if row.get(name) not in (None, "")}
        return "_".join(own[len(captions) :]) or subset, Question(named, own[: len(captions)], facets=divided)

    return ask


def _file_name(name: str, suffix: str, bare: bool) -> str:
    """The path of an image below its place: the last part of an address, with `suffix` where it has none."""
    name = PurePosixPath(name.replace("\\", "/")).as_posix() if suffix else name
    if bare or "://" in name or name.startswith("http"):
        name = PurePosixPath(name).name  # Cola gives addresses; the files keep their last part
    return name if not suffix or is_image(name) or name.endswith(".npy") else name + suffix
