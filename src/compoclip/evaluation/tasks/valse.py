"""VALSE (Parcalabescu et al. 2022): a photo, its caption and a foil, over eleven instruments."""

from __future__ import annotations

from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import texts
from compoclip.evaluation.questions import Question, Row

AGREED = 2  # annotators of three who found the caption, and not the foil, to fit the image


def ask(where: str, row: Row) -> tuple[str, Question] | None:
    if (row.get("mturk") or {}).get("caption", 0) < AGREED:
        return None
    image, *captions = texts(where, row, "image_file", "caption", "foil")
    return "", Question([image], captions)


TASK = benchmark("valse", ask=ask)
