"""DeGLA's JSON: a list of `{image_id, original, enhanced}`, on the photos of COCO's 2014 training set."""

from __future__ import annotations

from compoclip.data.report import Report
from compoclip.data.sources.columns import tidy
from compoclip.data.sources.images import ImageFinder
from compoclip.data.sources.packed import PackedSource
from compoclip.data.sources.rows import Options, Table
from compoclip.data.sources.table import Grouper

COLUMNS = ("image_id", "original", "enhanced")


def is_degla(table: Table) -> bool:
    return all(column in table.columns for column in COLUMNS)


def image_path(image_id: object) -> str | None:
    """`train2014/COCO_train2014_000000000009.jpg` for 9 or "9".

    A name that is a path already is kept; None for anything else.
    """
    if isinstance(image_id, str) and image_id.strip().isdigit():
        image_id = int(image_id)
    if isinstance(image_id, int) and not isinstance(image_id, bool) and image_id >= 0:
        return f"train2014/COCO_train2014_{image_id:012d}.jpg"
    return image_id.strip() or None if isinstance(image_id, str) else None


def read_degla(table: Table, options: Options) -> PackedSource:
    """A source with negatives: `enhanced` are those of `original`."""
    where = str(table.path)
    report = Report()
    grouper = Grouper(where, ImageFinder(table.path.parent, options.image_root, report), report)
    for row in table.rows(report):
        report.rows += 1
        spot = f"{where}:{row.number}"
        caption = grouper.caption(row.cells.get("original"), spot)
        name = image_path(row.cells.get("image_id"))
        if name is None:
            report.skip("no image name", spot, f"image_id {row.cells.get('image_id')!r}")
        group = grouper.group(name, spot) if caption is not None and name is not None else None
        if group is None or caption is None:
            continue
        enhanced = row.cells.get("enhanced")
        items = enhanced if isinstance(enhanced, list) else []
        if not isinstance(enhanced, list):
            report.skip("bad list of negatives", spot, "enhanced is not a list")
        good = [tidy(text) for text in items if isinstance(text, str) and tidy(text)]
        if len(good) < len(items):
            report.skip("bad negative", spot, f"{len(items) - len(good)} of {len(items)} are empty or not text")
        group.captions.append(caption)
        group.rows.append(row.index)
        group.negatives = [*(group.negatives or []), good]
    return grouper.finish()
