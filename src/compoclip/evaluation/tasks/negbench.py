"""NegBench: which of four captions fits, some of them with a negation."""

from __future__ import annotations

from pathlib import PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import texts
from compoclip.evaluation.questions import Question, Row


def ask(where: str, row: Row) -> tuple[str, Question]:
    return question(where, row, 4, 1)


def question(where: str, row: Row, options: int, parts: int) -> tuple[str, Question]:
    """The image by the last `parts` of its path; the captions, the true one first; which template made the question."""
    names = [f"caption_{k}" for k in range(options)]
    image, answer, *captions = texts(where, row, "image_path", "correct_answer", *names)
    if answer not in {str(k) for k in range(options)}:
        raise InputError(f"{where}: correct_answer {answer!r} is none of 0 to {options - 1}")
    true = captions.pop(int(answer))
    template = row.get("correct_answer_template")
    facets = {"template": str(template)} if template else {}
    return "", Question(["/".join(PurePosixPath(image).parts[-parts:])], (true, *captions), facets=facets)


TASK = benchmark("negbench", ask=ask)
