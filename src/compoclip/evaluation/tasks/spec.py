"""SPEC: size, position, existence and count in drawn-over scenes, asked both ways."""

from __future__ import annotations

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import SPEC
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import texts
from compoclip.evaluation.questions import Question, Row

ROWS = dict(zip(SPEC, (1_500, 1_500, 4_500, 2_000, 1_000, 4_500)))
WAYS = {"i2t": "image2text", "t2i": "text2image"}


def ask(where: str, row: Row) -> tuple[str, Question]:
    (query,) = texts(where, row, "query")
    keys, label = row.get("keys"), row.get("label")
    if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys):
        raise InputError(f"{where} needs keys, a list of texts")
    if not isinstance(label, int) or not 0 <= label < len(keys):
        raise InputError(f"{where}: label {label!r} is outside its {len(keys)} keys")
    told = [keys[label], *keys[:label], *keys[label + 1 :]]
    return "", Question([query], told) if f"{WAYS['i2t']}.json" in where else Question(told, [query])


PARTS = {f"{folder}::{way}": rows for folder, rows in ROWS.items() for way in WAYS}
TASK = benchmark(
    "spec",
    parts=PARTS,
    shape={part: "CHOICE" if part.endswith("i2t") else "IMAGE_CHOICE" for part in PARTS},
    files={f"{folder}/{file}.json": f"{folder}::{way}" for folder in SPEC for way, file in WAYS.items()},
    images={part: [f"spec/{part[:-5]}", f"spec/data/{part[:-5]}"] for part in PARTS},
    ask=ask,
)
