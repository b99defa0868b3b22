"""Rows to samples: rows of the same image are one sample with several captions, whatever file format they came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from compoclip.data.images import ImageRef
from compoclip.data.report import Report
from compoclip.data.sources.columns import (
    CAPTION_COLUMNS,
    IMAGE_COLUMNS,
    SPLIT_COLUMNS,
    caption_list,
    find_column,
    optional_column,
    tidy,
)
from compoclip.data.sources.images import ImageFinder
from compoclip.data.sources.packed import PackedSource
from compoclip.data.sources.rows import Options, Row, Table
from compoclip.errors import InputError


@dataclass
class _Group:
    image: ImageRef
    name: str
    captions: list[str] = field(default_factory=list)
    negatives: list[list[str]] | None = None
    negative_rows: list[list[int]] | None = None
    rows: list[int] = field(default_factory=list)


class Grouper:
    """Collects captions by image, in the order in which the images first appear."""

    def __init__(self, name: str, finder: ImageFinder | None, report: Report) -> None:
        self.source = PackedSource(name)
        self.source.report = self.report = report
        self.finder = finder
        self.groups: dict[str, _Group | None] = {}
        self._by_image: dict[str, _Group] = {}

    def group(self, name: str, where: str, image: ImageRef | None = None) -> _Group | None:
        """The image's group, made when first asked for; None where the image cannot be used (counted once a row)."""
        known = self.groups.get(name)
        if known is not None:
            return known
        if name in self.groups:
            self.report.skip("missing image", where, f"{name!r}, as in an earlier row")
            return None
        found = image or (self.finder.find(name, where) if self.finder else None)
        # two spellings of one path are one image: as two samples, their captions would be each other's false negatives
        group = self._by_image.setdefault(found.where, _Group(found, name)) if found is not None else None
        self.groups[name] = group
        return group

    def caption(self, value: object, where: str) -> str | None:
        return usable_caption(value, where, self.report)

    def finish(self) -> PackedSource:
        for group in self._by_image.values():
            if group.captions:
                self.source.add(
                    group.image, group.name, group.captions, group.negatives, group.negative_rows, group.rows
                )
        self.groups.clear()
        self._by_image.clear()
        return self.source.finish()


def usable_caption(value: object, where: str, report: Report) -> str | None:
    """A caption on one line, or None after counting why not."""
    if value is None or value != value:  # NaN is what pandas writes for an empty cell
        report.skip("empty caption", where)
    elif not isinstance(value, str):
        report.skip("caption is not text", where, f"{type(value).__name__}")
    elif text := tidy(value):
        return text
    else:
        report.skip("empty caption", where)
    return None


def read_table(table: Table, options: Options) -> PackedSource:
    """A source from a table of (image, caption) rows.

    Raises InputError for a wrong column, a wrong split, or nothing usable.
    """
    where = str(table.path)
    image_key = find_column(table.columns, options.image_key, IMAGE_COLUMNS, "image", "--image-key", where)
    others = [column for column in table.columns if column != image_key]
    caption_key = find_column(others, options.caption_key, CAPTION_COLUMNS, "caption", "--caption-key", where)
    keep = SplitFilter(table, options.split)
    plural = caption_key.strip().lower().endswith("s")
    report = Report()
    finder = ImageFinder(table.path.parent, options.image_root, report) if table.image_at is None else None
    grouper = Grouper(where, finder, report)
    for row in table.rows(report):
        if not keep(row):
            continue
        report.rows += 1
        spot = f"{where}:{row.number}"
        held = table.image_at(row, image_key) if table.image_at else None
        name = image_name(row.cells.get(image_key)) if held is None else f"{row.index}"
        if name is None:
            report.skip("no image name", spot)
            continue
        try:
            values = caption_list(row.cells.get(caption_key), plural)
        except ValueError as error:
            report.skip("bad list of captions", spot, str(error))
            continue
        if not values:
            report.skip("empty caption", spot, "an empty list")
        captions = [text for text in (grouper.caption(value, spot) for value in values) if text is not None]
        group = grouper.group(name, spot, held) if captions else None
        if group is not None:
            group.captions += captions
            group.rows.append(row.index)
    keep.check(where)
    return grouper.finish()


def image_name(value: object) -> str | None:
    """The text of an image cell; a number is an image id; None where there is nothing."""
    if isinstance(value, dict):
        value = value.get("path")
    if isinstance(value, bool) or value is None or value != value:
        return None
    if isinstance(value, (int, str)):
        return str(value).strip() or None
    return None


class SplitFilter:
    """Keeps the rows of one split.

    Raises InputError where a split is asked for and there is no such column, or no such row.
    """

    def __init__(self, table: Table, split: str | None) -> None:
        self.split, self.column = split, optional_column(table.columns, SPLIT_COLUMNS)
        self.seen: dict[str, int] = {}
        if split is not None and self.column is None:
            listed = ", ".join(table.columns)
            raise InputError(
                f"{table.path}: --split {split} was asked for, but there is no split column (columns: {listed})"
            )

    def __call__(self, row: Row) -> bool:
        if self.split is None or self.column is None:
            return True
        value = str(row.cells.get(self.column) or "")
        self.seen[value] = self.seen.get(value, 0) + 1
        return value == self.split

    def check(self, where: str) -> None:
        if self.split is not None and not self.seen.get(self.split):
            found = ", ".join(sorted(name for name in self.seen if name)[:20]) or "none"
            raise InputError(f"{where}: no row of split {self.split!r} (splits there: {found})")
