"""Rows of a table to records, whatever file format they come from: plain tables, and published ones with negatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from compoclip.data.report import ABSENT, Report
from compoclip.data.sources.columns import (
    CAPTION_COLUMNS,
    ID_COLUMNS,
    IMAGE_COLUMNS,
    NAMES,
    SPLIT_COLUMNS,
    caption_list,
    find_column,
    optional_column,
    parse_list,
    tidy,
    usable_caption,
)
from compoclip.data.sources.rows import Reading, Record, SplitFilter, Table


@dataclass(frozen=True)
class ColumnLayout:
    """Which columns a table's parts are in, as `names.yaml` explains; "" for what it does not have."""

    caption: str
    image: str = ""
    lists: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    flags: str = ""
    rows: str = ""
    kind: str = ""
    least: int = 0
    coco: bool = False

    @property
    def needed(self) -> list[str]:
        """Columns without which a table is not of this layout; of several texts, any will do."""
        texts = self.texts if len(self.texts) == 1 else ()
        return [column for column in (self.image, self.caption, self.lists, *texts) if column]

    def fits(self, columns: list[str]) -> bool:
        return set(self.needed) <= set(columns) and (not self.texts or any(column in columns for column in self.texts))


LAYOUTS = {name: ColumnLayout(**fields) for name, fields in NAMES["layouts"].items()}


def image_name(value: object) -> str | None:
    """The text of an image cell; a number is an image id; None where there is nothing."""
    if isinstance(value, dict):
        value = value.get("path")
    if isinstance(value, bool) or value is None or value != value:
        return None
    return str(value).strip() or None if isinstance(value, (int, str)) else None


def coco_path(name: str | None) -> str | None:
    """DeGLA's images: `train2014/COCO_train2014_000000000009.jpg` for 9 or "9"; a name that is a path is kept."""
    return f"train2014/COCO_train2014_{int(name):012d}.jpg" if name and name.isdecimal() else name


def _layout(table: Table, reading: Reading) -> ColumnLayout:
    options, where = reading.options, str(table.path)
    published = options.image_key is None and options.caption_key is None
    found = next((own for own in LAYOUTS.values() if published and own.fits(table.columns)), ColumnLayout(""))
    if found.image:
        return found
    usual = (*(held.strip().lower() for held in table.held), *IMAGE_COLUMNS)
    image, report = "", reading.report
    if reading.images or options.image_key is not None or optional_column(table.columns, usual):
        image = find_column(table.columns, options.image_key, usual, "image", where, report)
    else:
        report.note("no image column: which captions are of one image is not known; --image-key names one")
    if found.caption:
        return replace(found, image=image)
    others = [column for column in table.columns if column != image]
    return ColumnLayout(find_column(others, options.caption_key, CAPTION_COLUMNS, "caption", where, report), image)


def table_records(table: Table, reading: Reading, layout: ColumnLayout | None = None) -> Iterator[Record]:
    """A record a row, those of other splits left out. Raises InputError for a wrong column or a wrong split."""
    layout, report, where = layout or _layout(table, reading), reading.report, str(table.path)
    split_column, id_column = optional_column(table.columns, SPLIT_COLUMNS), optional_column(table.columns, ID_COLUMNS)
    keep = SplitFilter(reading, f"no split column (columns: {', '.join(table.columns)})")
    plural = layout.caption.strip().lower().endswith("s")
    id_of_image = optional_column([c for c in table.columns if c not in (layout.image, layout.caption)], IMAGE_COLUMNS)
    held = layout.image in table.held
    for row in table.rows(report):
        spot, cells = f"{where}:{row.number}", row.cells
        own = keep(cells.get(split_column) if split_column else None)
        report.rows += own
        told = report if own else Report()  # captions of other splits count for the numbers of the image's captions
        image, name = None, image_name(cells.get(layout.image)) if layout.image else None
        if layout.coco:
            name = coco_path(name)
        if held and table.image_at is not None:
            image, name = table.image_at(row, layout.image, id_of_image)
        if name is None and (reading.images or (layout.image and not held)):
            told.skip(ABSENT if held else "no image name", spot)
            told.missing_images.update({spot: None} if held else {})
            continue
        captions = _captions(cells.get(layout.caption), plural, spot, told)
        ids = reading.ids(name or "", len(captions), cells.get(id_column) if id_column else None)
        if not own or not captions:
            continue
        record = Record(name or "", spot, captions, ids, {row.index: 0}, image)
        if layout.lists or layout.texts:
            found = _negatives(layout, cells, spot, report)
            record.negatives = [[text for text, _ in found]] * len(captions)
            record.kinds = [[kind for _, kind in found]] * len(captions)
        if layout.rows:
            record.negative_rows = [_list(cells.get(layout.rows), int, spot, report)] * len(captions)
        yield record
    keep.check(where)


def _captions(value: object, plural: bool, spot: str, report: Report) -> list[str]:
    try:
        values = caption_list(value, plural)
    except ValueError as error:
        report.skip("bad list of captions", spot, str(error))
        return []
    if not values:
        report.skip("empty caption", spot, "an empty list")
    return [text for text in (usable_caption(item, spot, report) for item in values) if text is not None]


def _negatives(layout: ColumnLayout, cells: Mapping[str, object], spot: str, report: Report) -> list[tuple[str, str]]:
    """(negative, its kind or "") of a row: a list of texts or of CE-CLIP's objects, or columns of one each."""
    pairs: list[tuple[object, str]] = []
    if layout.lists:
        for item in _list(cells.get(layout.lists), (str, dict), spot, report):
            told = isinstance(item, dict)
            pairs.append((item.get("edited_caption"), str(item.get("category", ""))) if told else (item, ""))
    else:
        flags = _list(cells.get(layout.flags), int, spot, report) if layout.flags else []
        flags += [1] * (len(layout.texts) - len(flags))
        pairs += [(cells.get(name), kind) for (name, kind), flag in zip(layout.texts.items(), flags) if flag]
        pairs = [(text, kind) for text, kind in pairs if text]
        if not pairs and len(layout.texts) == 1:
            report.skip("bad negative", spot, f"no text in {', '.join(layout.texts)}")
    good = [(tidy(text), kind) for text, kind in pairs if isinstance(text, str)]
    if len(good) < len(pairs):
        report.skip("bad negative", spot, f"{len(pairs) - len(good)} items are not texts")
    return [(text, kind) for text, kind in good if text]


def _list(value: object, kind: type | tuple[type, ...], spot: str, report: Report) -> list[Any]:
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return []
    try:
        items = list(value) if isinstance(value, (list, tuple)) else parse_list(str(value))
    except ValueError as error:
        report.skip("bad list of negatives", spot, str(error))
        return []
    good = [item for item in items if isinstance(item, kind)]
    if len(good) < len(items):
        report.skip("bad negative", spot, f"{len(items) - len(good)} items of the wrong kind")
    return good
