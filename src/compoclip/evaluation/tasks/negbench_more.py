"""NegBench's questions beside those of COCO and VOC; its videos are not read."""

from __future__ import annotations

from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.questions import Question, Row
from compoclip.evaluation.tasks.negbench import question


def ask(where: str, row: Row) -> tuple[str, Question]:
    """Four captions of a made image; two of an X-ray image, whose name takes patient and study to be unique."""
    return question(where, row, 4, 1) if "caption_2" in row else question(where, row, 2, 3)


TASK = benchmark("negbench_more", ask=ask)
