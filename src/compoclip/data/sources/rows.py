"""A table as its readers hand it on: rows with their numbers, and how the user wants them read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from compoclip.data.images import ImageRef
from compoclip.data.report import Report


@dataclass(frozen=True)
class Row:
    """One row of a table. `number` is what a person sees (the line of a text file); `index` counts data rows from 0."""

    number: int
    index: int
    cells: dict[str, object]


@dataclass(frozen=True)
class Table:
    """A table opened for reading once. `rows` counts what it must leave out in `report`."""

    path: Path
    columns: list[str]
    rows: Callable[[Report], Iterable[Row]]
    image_at: Callable[[Row, str], ImageRef] | None = None  # for formats that hold the images themselves


@dataclass(frozen=True)
class Options:
    """How a source is to be read; the flags of the command line, by the same names."""

    image_root: str | Path | None = None
    image_key: str | None = None
    caption_key: str | None = None
    split: str | None = None
