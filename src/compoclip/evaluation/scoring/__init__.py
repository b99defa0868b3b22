"""The forms a benchmark's rows can take. Each knows what must be encoded and how encoded rows are graded.

A task's file reads its rows into one of these; adding a benchmark needs no other code.
"""

from compoclip.evaluation.scoring.base import Encoded, Outcome, Subset
from compoclip.evaluation.scoring.grid import (
    BOTH_SIDES,
    CHOICE,
    HALF_TRUTH,
    HARD_POSITIVE,
    IMAGE_CHOICE,
    SHAPES,
    TRUTH_IN_ORDER,
    TWO_BY_TWO,
    TWO_TRUE,
    Grid,
    Shape,
)
from compoclip.evaluation.scoring.probing import LinearProbe
from compoclip.evaluation.scoring.ranking import Retrieval
from compoclip.evaluation.scoring.recognition import ZeroShot

__all__ = [
    "BOTH_SIDES",
    "CHOICE",
    "HALF_TRUTH",
    "HARD_POSITIVE",
    "IMAGE_CHOICE",
    "SHAPES",
    "TRUTH_IN_ORDER",
    "TWO_BY_TWO",
    "TWO_TRUE",
    "Encoded",
    "Grid",
    "LinearProbe",
    "Outcome",
    "Retrieval",
    "Shape",
    "Subset",
    "ZeroShot",
]
