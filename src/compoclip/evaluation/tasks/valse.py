"""VALSE (Parcalabescu et al. 2022): a photo, its caption and a foil, over eleven instruments."""

from __future__ import annotations

from compoclip.evaluation.aggregate import SUBSETS
from compoclip.evaluation.locations import photos, texts
from compoclip.evaluation.questions import Layout, Question, Row, loader
from compoclip.evaluation.scoring import CHOICE
from compoclip.evaluation.task import Average, Task, plain_mean, pooled

AGREED = 2  # annotators of three who found the caption, and not the foil, to fit the picture
PARTS = {  # rows that they accepted
    "existence": 505,
    "plurals": 851,
    "counting-hard": 868,
    "counting-small-quant": 900,
    "counting-adversarial": 691,
    "relations": 535,
    "action-replacement": 648,
    "actant-swap": 949,
    "coreference-standard": 708,
    "coreference-hard": 104,
    "foil-it": 943,
}


def ask(where: str, row: Row) -> tuple[str, Question] | None:
    if (row.get("mturk") or {}).get("caption", 0) < AGREED:
        return None
    image, *captions = texts(where, row, "image_file", "caption", "foil")
    return "", Question([image], captions)


def averages(counts: dict[str, int]) -> dict[str, Average]:
    rules = {}
    if set(counts) == set(PARTS):
        rules = {"vl_compo": Average(SUBSETS["valse"]), "mean of 11": plain_mean(counts)}
    return rules | {"micro": pooled(counts)}


TASK = Task(
    name="valse",
    title="VALSE: caption against foil, by linguistic phenomenon",
    rule="strict; rows that two of three annotators accepted; score: vl_compo (mean of 7 pieces), mean of 11 beside it",
    chance="50",
    citation="Parcalabescu et al., VALSE: A Task-Independent Benchmark for Vision and Language Models, ACL 2022",
    data=("valse",),
    parts=PARTS,
    load=loader(
        Layout(
            "valse",
            CHOICE,
            ("valse", "valse/data", "VALSE/data"),
            {f"{name}.json": name for name in PARTS},
            {
                "": photos(
                    "valse",
                    *("coco-val2017", "coco-val2014", "coco-train2014", "swig", "visual7w", "visdial-val2018"),
                )
            },
            ask,
        )
    ),
    averages=averages,
)
