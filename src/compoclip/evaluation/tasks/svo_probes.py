"""SVO-Probes: which of two images has this subject, verb and object."""

from __future__ import annotations

from compoclip.evaluation.locations import texts
from compoclip.evaluation.questions import Layout, Question, Row, loader
from compoclip.evaluation.scoring import IMAGE_CHOICE
from compoclip.evaluation.task import Task, mean_of_subsets

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


TASK = Task(
    name="svo_probes",
    title="SVO-Probes: which of two images has this subject, verb and object",
    rule="strict, sentence to image, rows with one false part; score: mean of subject, verb and object",
    chance="50",
    citation="Hendricks & Nematzadeh, Probing Image-Language Transformers for Verb Understanding, ACL Findings 2021",
    data=("svo-probes",),
    parts=dict.fromkeys(KINDS, 0),
    load=loader(
        Layout(
            "svo_probes",
            IMAGE_CHOICE,
            ("svo_probes",),
            {"svo_probes.csv": ""},
            {"": ("svo_probes/images", "images")},
            ask,
            all_of=once,
            order=KINDS,
        )
    ),
    averages=mean_of_subsets,
)
