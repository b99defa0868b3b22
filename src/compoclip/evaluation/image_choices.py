"""The form that tasks of one caption and several images share."""

from __future__ import annotations

from collections.abc import Sequence

from compoclip.evaluation.places import Finder
from compoclip.evaluation.scoring import IMAGE_CHOICE, Grid
from compoclip.evaluation.task import Request

Question = tuple[str, tuple[str, ...]]  # caption, image names with the true one first


def image_subset(name: str, rows: Sequence[Question], find: Finder, request: Request) -> Grid:
    """The rows whose every image is there; the others are counted as missing."""
    here = [(text, found) for text, names in rows if (found := find.all(names)) is not None]
    kept = request.cut(here)
    missing = len(rows) - len(here)
    rule = request.ties or "strict"
    images, texts = [found for _, found in kept], [[text] for text, _ in kept]
    return Grid(name, IMAGE_CHOICE, images, texts, missing, rule)
