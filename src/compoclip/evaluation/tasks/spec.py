"""SPEC: size, position, existence and count in drawn-over scenes, asked both ways."""

from __future__ import annotations

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import texts
from compoclip.evaluation.questions import Question, Row


def ask(where: str, row: Row) -> tuple[str, Question]:
    (query,) = texts(where, row, "query")
    keys, label = row.get("keys"), row.get("label")
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys):
        raise InputError(f"{where} needs keys, a list of texts")
    if not isinstance(label, int) or not 0 <= label < len(keys):
        raise InputError(f"{where}: label {label!r} is outside its {len(keys)} keys")
    told = [keys[label], *keys[:label], *keys[label + 1 :]]
    return "", Question([query], told) if "image2text.json" in where else Question(told, [query])


TASK = benchmark("spec", ask=ask)
