"""NegBench: which of four captions fits, some of them with a negation."""

from __future__ import annotations

from pathlib import PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import texts
from compoclip.evaluation.questions import Question, Row


def ask(where: str, row: Row) -> tuple[str, Question]:
    """The image by the last part of its path; the captions, the true one first; which template made the question."""
    image, answer, *captions = texts(where, row, "image_path", "correct_answer", *(f"caption_{k}" for k in range(4)))
    if answer not in {"0", "1", "2", "3"}:
        raise InputError(f"{where}: correct_answer {answer!r} is none of 0 to 3")
    true = captions.pop(int(answer))
    template = row.get("correct_answer_template")
    facets = {"template": str(template)} if template else {}
    return "", Question([PurePosixPath(image).name], (true, *captions), facets=facets)


TASK = benchmark("negbench", ask=ask)
