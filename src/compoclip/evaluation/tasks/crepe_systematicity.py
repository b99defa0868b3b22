"""CREPE's systematicity: captions whose compounds a training set has seen or not, among false ones of three kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compoclip.evaluation.benchmark import benchmark, facts_of
from compoclip.evaluation.locations import rows_of
from compoclip.evaluation.questions import Question, Row
from compoclip.evaluation.tasks import crepe

KINDS = ("atom", "comp", "combined")
STATED = facts_of("crepe_systematicity")


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Each row three times, with the false captions of one kind."""
    for where, row in rows_of(path):
        for kind in KINDS:
            negatives = row.get(f"valid_hard_negs_{kind}")
            yield where, {**row, "hard_negs": negatives, "subset": f"{STATED['reads']['files'][path.name]}::{kind}"}


def ask(where: str, row: Row) -> tuple[str, Question] | None:
    """As a row of the productivity files; one without false captions of a kind asks nothing."""
    if str(row["hard_negs"]).strip() == "[]":
        return None
    return str(row["subset"]), crepe.ask(where, row)[1]


TASK = benchmark("crepe_systematicity", order=tuple(STATED["parts"]), ask=ask, rows=rows)
