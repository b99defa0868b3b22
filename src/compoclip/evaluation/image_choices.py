"""The form that tasks of one caption and several images share."""

from __future__ import annotations

from collections.abc import Sequence

from compoclip.evaluation.forms import ImageChoice
from compoclip.evaluation.places import Finder
from compoclip.evaluation.task import Request

Question = tuple[str, tuple[str, ...]]  # caption, image names with the true one first


def image_subset(name: str, rows: Sequence[Question], find: Finder, request: Request) -> ImageChoice:
    """The rows whose every image is there; the others are counted as missing."""
    here = [(text, found) for text, names in rows if (found := find.all(names)) is not None]
    kept = request.cut(here)
    missing = len(rows) - len(here)
    rule = request.ties or "strict"
    return ImageChoice(name, [text for text, _ in kept], [found for _, found in kept], missing=missing, rule=rule)
