"""SVO-Probes: which of two images has this subject, verb and object."""

from __future__ import annotations

from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import texts
from compoclip.evaluation.questions import Question, Row

KINDS = ("subj_neg", "verb_neg", "obj_neg")


def ask(where: str, row: Row) -> tuple[str, Question] | None:
    """Rows by the one part that is false; rows with several are left out as officially."""
    sentence, true, false, *told = texts(where, row, "sentence", "pos_image_id", "neg_image_id", *KINDS)
    kinds = [kind for kind, value in zip(KINDS, told) if value.strip().lower() == "true"]
    return (kinds[0], Question([f"{true}.jpg", f"{false}.jpg"], [sentence])) if len(kinds) == 1 else None


def once(subset: str, rows: list[Question]) -> list[Question]:
    """Exact copies of a row are left out as officially."""
    out: dict[tuple[str, ...], Question] = {}
    for row in rows:
        out.setdefault((row.texts[0], *map(str, row.images)), row)
    return list(out.values())


TASK = benchmark("svo_probes", ask=ask, all_of=once, order=KINDS)
