"""Images to look at, from the row log of `eval --log-samples`: what each model made of the same row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.report.photos import photo_examples
from compoclip.report.pool import Method, Results

Row = dict[str, Any]
Rows = dict[tuple[str, int], Row]  # by kind and place in it
LOG = "samples_path"  # where `load_results` found a result's log


def read_log(run: Results, task: str = "world") -> Rows:
    """Composition rows of a task; {} where there is no log. Raises InputError for a line that is none."""
    path = run.get(LOG)
    if path is None or not Path(path).is_file():
        return {}
    rows: Rows = {}
    count: dict[str, int] = {}
    with open(path, encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            try:
                row = json.loads(line)
                if row["task"] == task and len(row.get("captions", ())) == 2 and len(row["images"]) == 1:
                    place = count.setdefault(row["subset"], 0)
                    rows[row["subset"], place] = row
                    count[row["subset"]] += 1
            except (ValueError, KeyError, TypeError):
                raise InputError(
                    f"{path}: line {number} is no row of a log; evaluate again with --log-samples"
                ) from None
    return rows


def from_logs(methods: Sequence[Method]) -> list[dict[str, Any]]:
    """One example a composition test of the built-in world, whose images can be drawn again: the first row that the
    models disagree on, else the first that the base gets wrong, else the first. Without such, a run's own photos
    (`photos`). [] without a log of every method."""
    logs = {m.label: read_log(m.runs[0]) for m in methods}
    if not all(logs.values()):
        own = {m.label: read_log(m.runs[0], "heldout") for m in methods}
        return photo_examples(own) if all(own.values()) else []
    base, *others = logs.values()
    shared = [k for k in base if all(o.get(k, {}).get("captions") == base[k]["captions"] for o in others)]
    out = []
    for kind in dict.fromkeys(kind for kind, _ in shared):
        places = [place for k, place in shared if k == kind]
        marks = {p: [log[kind, p]["correct"] for log in logs.values()] for p in places}
        split = next((p for p in places if len(set(marks[p])) > 1), None)
        wrong = next((p for p in places if not marks[p][0]), places[0])
        place = wrong if split is None else split
        found = _drawn(kind, place, base[kind, place]["captions"])
        if found is not None:
            choices = {label: _margin(log[kind, place]) for label, log in logs.items()}
            out.append(found | {"choices": choices, "kind": kind})
    return out


def _margin(row: Row) -> float:
    return float(row["scores"][0] - row["scores"][1])


def _drawn(kind: str, place: int, captions: Sequence[str]) -> dict[str, Any] | None:
    """The image of a row; None where another version of the world drew it, so that its captions differ."""
    from PIL import Image

    from compoclip.data.world.composition import composition_item
    from compoclip.evaluation.tasks.world import TEST_SEED

    try:
        item = composition_item(kind, TEST_SEED, place)
    except KeyError:
        return None
    if [item.caption, item.negative] != list(captions):
        return None
    return {"image": Image.fromarray(item.scene.image), "caption": item.caption, "negative": item.negative}
