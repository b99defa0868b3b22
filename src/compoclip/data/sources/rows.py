"""Rows of tables, and records: what every format comes down to before it is samples, negatives or questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from compoclip.data.images import ImageRef
from compoclip.data.images.names import safe_name
from compoclip.data.report import Report
from compoclip.data.sources.columns import same_split
from compoclip.errors import InputError


class NoSplit(InputError):
    """A split was asked for that the data does not tell of."""


class NoSample(InputError):
    """Nothing in the data can be used, or none of its images is there."""


@dataclass(frozen=True)
class TableRow:
    """One row of a table. `number` is what a person sees (the line of a text file); `index` counts data rows from 0."""

    number: int
    index: int
    cells: dict[str, object]


@dataclass(frozen=True)
class Table:
    """A table opened for reading once. `rows` counts what it must leave out in `report`.

    held: columns that hold images themselves; `image_at` gives the image of such a cell and its name.
    """

    path: Path
    columns: list[str]
    rows: Callable[[Report], Iterable[TableRow]]
    held: tuple[str, ...] = ()
    image_at: Callable[[TableRow, str, str | None], tuple[ImageRef | None, str | None]] | None = None


@dataclass(frozen=True)
class Options:
    """How a source is to be read; the flags of the command line, by the same names."""

    image_root: str | Path | None = None
    image_key: str | None = None
    caption_key: str | None = None
    split: str | None = None


@dataclass
class Record:
    """Captions of one image as a file states them: a row, a sample of a tar, a photo with its text.

    name: the image's name, "" where the file tells none; image: where the file has the image itself. `ids[c]` is the
    caption id of `captions[c]`, "" where there is neither an id nor an image. One list of negatives a caption, or None.
    """

    name: str
    where: str
    captions: list[str]
    ids: list[str]
    rows: dict[int, int] = field(default_factory=dict)  # row of the table -> its first caption's place in `captions`
    image: ImageRef | None = None
    negatives: list[list[str]] | None = None
    negative_rows: list[list[int]] | None = None
    kinds: list[list[str]] | None = None  # of the negatives, where a published table tells them

    def join(self, other: Record) -> None:
        """Take in another record of the image; captions without negatives have none where others bring some."""
        for name in ("negatives", "negative_rows"):
            own, new = getattr(self, name), getattr(other, name)
            if own is not None or new is not None:
                setattr(self, name, (own or [[] for _ in self.captions]) + (new or [[] for _ in other.captions]))
        self.rows |= {row: len(self.captions) + first for row, first in other.rows.items()}
        self.captions += other.captions
        self.ids += other.ids


@dataclass
class Reading:
    """One pass over the data of one call: how to read it, what was found, and how captions are numbered."""

    options: Options = field(default_factory=Options)
    report: Report = field(default_factory=Report)
    images: bool = True  # whether images are wanted: a table of captions alone will do for negatives
    _numbered: dict[str, int] = field(default_factory=dict)  # captions of an image, by its plain name
    _first: dict[str, str] = field(default_factory=dict)  # how an image was first spelt, where that is not plain

    def ids(self, name: str, count: int, given: object = None) -> list[str]:
        """Ids of the next `count` captions of an image: the one given, or the image's name and a running number.

        Two spellings of a path are one image; the number counts whatever split a caption is of.
        """
        if not name:
            return [str(given)] if given not in (None, "") and count == 1 else [""] * count
        plain = safe_name(name) or name
        if plain not in self._numbered and plain != name:
            self._first[plain] = name
        first, number = self._first.get(plain, plain), self._numbered.get(plain, 0)
        self._numbered[plain] = number + count
        if given not in (None, "") and count == 1:
            return [str(given)]
        return [f"{first}#{number + k}" for k in range(count)]

    def spelt(self, name: str) -> str:
        """An image's name as it was first spelt."""
        plain = safe_name(name) or name
        return self._first.get(plain, plain)

    def known(self, name: str) -> bool:
        """Has a record of this image come before?"""
        return (safe_name(name) or name) in self._numbered


@dataclass(frozen=True)
class Input:
    """Data that was found and recognised, to be read once. `base` is where its images are looked for."""

    name: str
    base: Path
    records: Callable[[Reading], Iterator[Record]]


class SplitFilter:
    """Keeps what is of one split, whatever its spelling; everything where none is asked for.

    untold: what an error says is lacking; untold_too: whether what tells none belongs to all splits.

    `check` raises NoSplit where nothing told a split, or nothing was of the one asked for.
    """

    def __init__(self, reading: Reading, untold: str = "nothing that tells a split", untold_too: bool = False) -> None:
        self.split, self.report = reading.options.split, reading.report
        self.untold, self.untold_too = untold, untold_too
        self.seen: Counter[str] = Counter()

    def __call__(self, value: object) -> bool:
        told = "" if value is None else str(value).strip()
        self.seen[told] += 1
        if self.split is None or same_split(told, self.split) or (self.untold_too and not told):
            return True
        self.report.other_splits += 1
        return False

    def check(self, where: str) -> None:
        found = {name: count for name, count in self.seen.items() if name}
        if self.split is None:
            if len(found) > 1:
                told = ", ".join(f"{name} {count}" for name, count in list(found.items())[:9])
                self.report.note(f"all splits are used ({told}); --split chooses one")
        elif not found:
            raise NoSplit(f"{where}: --split {self.split} was asked for, but there is {self.untold}")
        elif not any(same_split(name, self.split) for name in found) and not (self.untold_too and "" in self.seen):
            raise NoSplit(f"{where}: no row of split {self.split!r} (splits there: {', '.join(sorted(found)[:20])})")
