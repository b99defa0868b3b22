"""NegRefCOCOg: regions of one photo, of which a phrase such as "the umbrella with no one under it" means one."""

from __future__ import annotations

from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import texts
from compoclip.evaluation.questions import Box, Question, Row


def ask(where: str, row: Row) -> tuple[str, Question]:
    """The photo cut to the region meant (`ref_bbox`), then to the others of `bbox_list`."""
    image, phrase = texts(where, row, "image", "phrase")
    true, listed = row.get("ref_bbox"), row.get("bbox_list")
    others = [box for box in listed if box != true] if isinstance(listed, list) else []
    if true is None or not others:
        raise InputError(f"{where} needs ref_bbox, and in bbox_list another region")
    boxes = [_pixels(where, box) for box in (true, *others)]
    return "", Question([image] * len(boxes), [phrase], boxes=boxes)


def _pixels(where: str, box: Any) -> Box:
    """A region (x, y, width, height), its corners rounded as Pillow rounds those it cuts at."""
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(v, (int, float)) for v in box):
        raise InputError(f"{where}: {box!r} is no box of four numbers")
    left, top, right, bottom = (round(v) for v in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
    return left, top, right - left, bottom - top


TASK = benchmark("negrefcocog", ask=ask)
