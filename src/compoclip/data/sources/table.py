"""Rows of a table to records, whatever file format they come from: plain tables, NegCLIP's and DeGLA's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compoclip.data.report import ABSENT, Report
from compoclip.data.sources.columns import (
    CAPTION_COLUMNS,
    ID_COLUMNS,
    IMAGE_COLUMNS,
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
class _Layout:
    """Which columns a table's parts are in; "" for what it does not have."""

    image: str
    caption: str
    negatives: str = ""
    negative_rows: str = ""
    name: Callable[[object], str | None] = lambda value: image_name(value)


def image_name(value: object) -> str | None:
    """The text of an image cell; a number is an image id; None where there is nothing."""
    if isinstance(value, dict):
        value = value.get("path")
    if isinstance(value, bool) or value is None or value != value:
        return None
    if isinstance(value, (int, str)):
        return str(value).strip() or None
    return None


def coco_path(image_id: object) -> str | None:
    """DeGLA's images: `train2014/COCO_train2014_000000000009.jpg` for 9 or "9"; a name that is a path is kept."""
    name = image_name(image_id)
    return f"train2014/COCO_train2014_{int(name):012d}.jpg" if name and name.isdecimal() else name


def _layout(table: Table, reading: Reading) -> _Layout:
    options, where = reading.options, str(table.path)
    named = options.image_key is not None or options.caption_key is not None
    if not named and {"title", "filepath", "neg_caption"} <= set(table.columns):
        return _Layout("filepath", "title", "neg_caption", "neg_image")
    if not named and {"image_id", "original", "enhanced"} <= set(table.columns):
        return _Layout("image_id", "original", "enhanced", name=coco_path)
    usual = (*(held.strip().lower() for held in table.held), *IMAGE_COLUMNS)
    if reading.images or options.image_key is not None or optional_column(table.columns, usual):
        image = find_column(table.columns, options.image_key, usual, "image", "--image-key", where, Report())
    else:
        image = ""
        reading.report.note("no image column: which captions are of one image is not known; --image-key names one")
    others = [column for column in table.columns if column != image]
    caption = find_column(
        others, options.caption_key, CAPTION_COLUMNS, "caption", "--caption-key", where, reading.report
    )
    return _Layout(image, caption)


def table_records(table: Table, reading: Reading) -> Iterator[Record]:
    """A record a row, those of other splits left out. Raises InputError for a wrong column or a wrong split."""
    layout, report, where = _layout(table, reading), reading.report, str(table.path)
    split_column, id_column = optional_column(table.columns, SPLIT_COLUMNS), optional_column(table.columns, ID_COLUMNS)
    keep = SplitFilter(reading, f"no split column (columns: {', '.join(table.columns)})")
    plural = layout.caption.strip().lower().endswith("s")
    id_of_image = optional_column([c for c in table.columns if c not in (layout.image, layout.caption)], IMAGE_COLUMNS)
    for row in table.rows(report):
        spot, cells = f"{where}:{row.number}", row.cells
        own = keep(cells.get(split_column) if split_column else None)
        report.rows += own
        told = report if own else Report()  # captions of other splits count for the numbers of the image's captions
        image, name = None, layout.name(cells.get(layout.image))
        if layout.image in table.held and table.image_at is not None:
            image, name = table.image_at(row, layout.image, id_of_image)
        held = layout.image in table.held
        if name is None and (reading.images or (layout.image and not held)):
            told.skip(ABSENT if held else "no image name", spot)
            told.missing_images.update({spot: None} if held else {})
            continue
        captions = _captions(cells.get(layout.caption), plural, spot, told)
        ids = reading.ids(name or "", len(captions), cells.get(id_column) if id_column else None)
        if not own or not captions:
            continue
        record = Record(name or "", spot, captions, ids, row.index, image)
        if layout.negatives:
            texts = _list(cells.get(layout.negatives), str, spot, report)
            record.negatives = [[tidy(text) for text in texts if tidy(text)]]
        if layout.negative_rows:
            record.negative_rows = [_list(cells.get(layout.negative_rows), int, spot, report)]
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


def _list(value: object, kind: type, spot: str, report: Report) -> list:
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        return []
    try:
        items = list(value) if isinstance(value, (list, tuple)) else parse_list(str(value))
    except ValueError as error:
        report.skip("bad list of negatives", spot, str(error))
        return []
    good = [item for item in items if isinstance(item, kind)]
    if len(good) < len(items):
        report.skip("bad negative", spot, f"{len(items) - len(good)} items are not {kind.__name__}")
    return good
