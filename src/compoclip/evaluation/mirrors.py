"""A benchmark's rows where its official files are not: copies as Hugging Face data sets and webdataset tars.

Column names differ from copy to copy and say the same few things; they are told apart here, once for all tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.rows import Row, read_rows
from compoclip.evaluation.scoring import CHOICE, Grid
from compoclip.evaluation.task import DataMissing, Loaded, Request

SUBSET_COLUMNS = ("split.txt", "subset", "original_file_name", "linguistic_phenomena", "category")
LISTS = ("npy", "tested_labels", "caption_options")  # candidates in one cell, the true one first
TRUE = ("positive_caption", "correct_caption", "true_caption", "correct_option", "caption")
FALSE = ("negative_caption", "negative_captions", "hard_negs", "false_caption", "incorrect_option", "foil")
SIDES = ("x", "y", "width", "height")
BOX_SIDES = ("bbox_x", "bbox_y", "bbox_w", "bbox_h")
SHORT_SIDES = ("x", "y", "w", "h")

Group = Callable[[str, dict[str, Any]], str]


@dataclass(frozen=True)
class Mirror:
    """Where copies of a task may lie, and what they call its subsets.

    `subsets` maps names in the data (subsets, stems of the official files) to subsets; {} for a task without any.
    `names` are folder names beside the task's own, `wds_TASK` and `TASK_vlms`; a folder may also hold one subset, as
    `TASK_SUBSET` or TASK/SUBSET.
    """

    task: str
    subsets: Mapping[str, str]
    names: tuple[str, ...] = ()

    def folders(self, root: Path) -> Iterator[tuple[Path, str | None]]:
        """(folder, subset that its name tells) of every place that may hold rows."""
        wanted = {_plain(n) for n in (self.task, f"wds_{self.task}", f"{self.task}_vlms", *self.names)}
        parts = {_plain(name): subset for name, subset in self.subsets.items()}
        parts |= {f"{_plain(self.task)}_{name}": subset for name, subset in parts.items()}
        parts |= {f"wds_{name}": subset for name, subset in parts.items()}
        children = [p for p in sorted(root.iterdir()) if p.is_dir()]
        inner = [p for child in children if _plain(child.name) in wanted for p in sorted(child.iterdir()) if p.is_dir()]
        if _plain(root.name) in wanted:
            yield root, None
        for folder in (*children, *inner):
            name = _plain(folder.name)
            if name in wanted:
                yield folder, None
            elif name in parts and (folder in inner or name.startswith((_plain(self.task), "wds_"))):
                yield folder, parts[name]

    def rows(self, request: Request) -> tuple[dict[str, list[Row]], str]:
        """Rows by subset, and where they lie.

        Raises DataMissing where there are no copies, InputError for a row of a subset that is none.
        """
        root = request.root(self.task)
        out: dict[str, list[Row]] = {}
        places = []
        for folder, subset in self.folders(root):
            rows = read_rows(folder)
            if rows is None:
                continue
            places.append(str(folder))
            for where, row in rows:
                name = subset or self.subset(folder, where, row)
                out.setdefault(name, []).append((f"{folder}: {where}", row))
        if not out:
            raise DataMissing(f"nor is there a Hugging Face data set or webdataset tars at {root}/wds_{self.task}")
        return out, ", ".join(places)

    def subset(self, folder: Path, where: str, row: dict[str, Any]) -> str:
        if not self.subsets:
            return "all"
        said = [row[c] for c in SUBSET_COLUMNS if isinstance(row.get(c), str)]
        for value in said:
            name = _plain(value.strip().split("\n")[0])
            fits = [known for known in self.subsets if _plain(known) in name]
            if fits:
                return self.subsets[max(fits, key=len)]
        told = f"{said[0]!r} is none of" if said else f"no {' or '.join(SUBSET_COLUMNS[:3])} tells which of"
        known_names = ", ".join(dict.fromkeys(self.subsets.values()))
        raise InputError(f"{folder}: {where}: {told} {self.task}'s subsets ({known_names})")


def _plain(name: str) -> str:
    return PurePosixPath(name).name.removesuffix(".json").removesuffix(".csv").lower().replace("-", "_")


def pictures(row: dict[str, Any]) -> list[Picture | None]:
    """The images of a row, in the order of its columns' names (`0.webp`, `1.webp`)."""
    out: list[Picture | None] = []
    for name in sorted(row):
        value = row[name]
        if isinstance(value, Picture):
            out.append(value)
        elif isinstance(value, list) and value and all(isinstance(v, (Picture, type(None))) for v in value):
            out += value
    return out


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str) and v.strip()]


def candidates(where: str, row: dict[str, Any]) -> tuple[str, ...]:
    """The captions of a row, the true one first. Raises InputError naming the row that has none or one alone."""
    found: list[str] = []
    for name in LISTS:
        if isinstance(row.get(name), list):
            found = _texts(row[name])
            true = row.get("true_label")
            if isinstance(true, str) and true in found:
                found = [true, *(t for t in found if t != true)]
            break
    if not found and str(row.get("correct_answer", "")) in {"0", "1", "2", "3"}:
        found = [t for k in range(4) for t in _texts(row.get(f"caption_{k}"))]
        if len(found) == 4:
            found.insert(0, found.pop(int(row["correct_answer"])))
    if not found:
        true = next((_texts(row[n]) for n in TRUE if row.get(n)), [])
        false = next((_texts(row[n]) for n in FALSE if row.get(n)), [])
        false = false or [t for k in range(1, 10) for t in _texts(row.get(f"hard_text_{k}"))]
        found = [*true, *false] if len(true) == 1 and false else []
    if len(found) < 2:
        have = ", ".join(k for k in row if not k.startswith("__"))
        raise InputError(f"{where}: no true and false captions that are known here (its columns: {have})")
    return tuple(found)


def region(row: dict[str, Any], picture: Picture) -> Picture:
    """The picture, cut to the row's box where it has one: four columns, or `bbox` with x, y, w and h."""
    inner = row.get("bbox")
    inside = inner if isinstance(inner, dict) else {}
    for place, names in ((row, SIDES), (row, BOX_SIDES), (inside, SHORT_SIDES)):
        if all(isinstance(place.get(name), (int, float)) for name in names):
            x, y, width, height = (int(place[name]) for name in names)
            return picture.crop(x, y, width, height)
    return picture


def choice(name: str, rows: Sequence[Row], rule: str, request: Request, group: Group | None = None) -> Grid:
    """Rows of one image and several captions. `group` tells the group of a row, for a mean over groups."""
    read: list[tuple[Picture, Sequence[str], str]] = []
    for where, row in rows:
        found, texts = pictures(row), candidates(where, row)
        if found and found[0] is not None:
            read.append((region(row, found[0]), texts, "" if group is None else group(where, row)))
    kept = request.cut(read)
    return Grid(
        name,
        CHOICE,
        [[p] for p, _, _ in kept],
        [t for _, t, _ in kept],
        missing=len(rows) - len(read),
        rule=request.ties or rule,
        groups=None if group is None else [g for _, _, g in kept],
    )


def choices(mirror: Mirror, rule: str, request: Request) -> Loaded:
    """Rows of one image and several captions, as `Grid`s by subset."""
    tables, where_found = mirror.rows(request)
    order = list(dict.fromkeys(mirror.subsets.values()))
    names = sorted(tables, key=lambda name: order.index(name) if name in order else len(order))
    subsets = [choice(name, tables[name], rule, request) for name in names]
    return Loaded(list(subsets), {"annotations": where_found})


Loader = Callable[[Request], Loaded]


def first_of(official: Loader, copies: Loader) -> Loader:
    """A task's official files; else copies of it. Raises DataMissing that tells both."""

    def load(request: Request) -> Loaded:
        try:
            return official(request)
        except DataMissing as absent:
            if request.data_root is None or not request.data_root.is_dir():
                raise
            try:
                return copies(request)
            except DataMissing as too:
                raise DataMissing(f"{absent}; {too}") from None

    return load
