"""The forms a benchmark's rows can take. Each knows what must be encoded and how encoded rows are graded.

A task's file reads its rows into one of these; adding a benchmark needs no other code.
"""

from compoclip.evaluation.forms.base import Encoded, Outcome, Subset
from compoclip.evaluation.forms.composition import Choice, Equivalence, ImageChoice, TwoByTwo
from compoclip.evaluation.forms.multilabel import MultiLabel
from compoclip.evaluation.forms.probe import LinearProbe
from compoclip.evaluation.forms.retrieval import Retrieval
from compoclip.evaluation.forms.sensitivity import Sensitivity
from compoclip.evaluation.forms.zeroshot import ZeroShot

__all__ = [
    "Choice",
    "Encoded",
    "Equivalence",
    "ImageChoice",
    "LinearProbe",
    "MultiLabel",
    "Outcome",
    "Retrieval",
    "Sensitivity",
    "Subset",
    "TwoByTwo",
    "ZeroShot",
]
