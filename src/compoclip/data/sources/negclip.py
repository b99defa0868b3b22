"""NegCLIP's TSV: `title`, `filepath`, `neg_caption` (a Python list), `neg_image` (rows of similar images)."""

from __future__ import annotations

from compoclip.data.report import Report
from compoclip.data.sources.columns import parse_list, tidy
from compoclip.data.sources.images import ImageFinder
from compoclip.data.sources.packed import PackedSource
from compoclip.data.sources.rows import Options, Table
from compoclip.data.sources.table import Grouper, SplitFilter, image_name

COLUMNS = ("title", "filepath", "neg_caption")


def is_negclip(table: Table) -> bool:
    return all(column in table.columns for column in COLUMNS)


def read_negclip(table: Table, options: Options) -> PackedSource:
    """A source with negatives. A broken list costs its row's negatives, counted, and not the caption."""
    where = str(table.path)
    report = Report()
    finder = ImageFinder(table.path.parent, options.image_root, report)
    grouper = Grouper(where, finder, report)
    keep = SplitFilter(table, options.split)
    for row in table.rows(report):
        if not keep(row):
            continue
        report.rows += 1
        spot = f"{where}:{row.number}"
        caption = grouper.caption(row.cells.get("title"), spot)
        name = image_name(row.cells.get("filepath"))
        if name is None:
            report.skip("no image name", spot)
        group = grouper.group(name, spot) if caption is not None and name is not None else None
        if group is None or caption is None:
            continue
        group.captions.append(caption)
        group.rows.append(row.index)
        group.negatives = group.negatives or []
        group.negatives.append(
            [tidy(text) for text in _list(row.cells.get("neg_caption"), str, spot, report) if tidy(text)]
        )
        group.negative_rows = group.negative_rows or []
        group.negative_rows.append(_list(row.cells.get("neg_image"), int, spot, report))
    keep.check(where)
    return grouper.finish()


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
