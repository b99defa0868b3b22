"""CREPE's systematicity: captions whose compounds a training set has seen or not, among false ones of three kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from compoclip.evaluation.locations import photos, rows_of
from compoclip.evaluation.questions import Layout, Question, Row, loader
from compoclip.evaluation.scoring import CHOICE
from compoclip.evaluation.task import Average, Task, plain_mean
from compoclip.evaluation.tasks import crepe

KINDS = ("atom", "comp", "combined")
FILES = {
    f"syst_vg_hard_negs_{split}_compounds_in_{trained}.csv": f"{trained}::{split}"
    for trained in ("cc12m", "yfcc", "laion")
    for split in ("seen", "unseen")
}
PARTS = dict.fromkeys((f"{name}::{kind}" for name in FILES.values() for kind in KINDS), 0)


def rows(path: Path) -> Iterator[tuple[str, Row]]:
    """Each row three times, with the false captions of one kind."""
    for where, row in rows_of(path):
        for kind in KINDS:
            negatives = row.get(f"valid_hard_negs_{kind}")
            yield where, {**row, "hard_negs": negatives, "subset": f"{FILES[path.name]}::{kind}"}


def ask(where: str, row: Row) -> tuple[str, Question] | None:
    """As a row of the productivity files; one without false captions of a kind asks nothing."""
    if str(row["hard_negs"]).strip() == "[]":
        return None
    return str(row["subset"]), crepe.ask(where, row)[1]


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """The mean of all, of each training set, and of its seen and unseen compounds: the two whose difference counts."""
    rules = {"mean of subsets": plain_mean(counts)}
    for start in dict.fromkeys(part for n in counts for part in (n.split("::")[0], n.rsplit("::", 1)[0])):
        rules[start.replace("::", " ")] = plain_mean({n: c for n, c in counts.items() if n.startswith(f"{start}::")})
    return rules


TASK = Task(
    name="crepe_systematicity",
    title="CREPE systematicity: compounds that CC12M, YFCC15M or LAION-400M has, and such as it has not",
    rule="strict, rank 1 of the true caption for the cut-out region; for models of that training set only",
    chance="1 / (1 + false captions) of each row",
    citation="Ma et al., CREPE: Can Vision-Language Foundation Models Reason Compositionally? CVPR 2023",
    data=("crepe-systematicity",),
    parts=PARTS,
    load=loader(
        Layout(
            "crepe_systematicity",
            CHOICE,
            ("crepe/syst_hard_negatives", "crepe/data/syst_hard_negatives", "CREPE/data/syst_hard_negatives"),
            FILES,
            {"": photos("crepe", "visual-genome")},
            ask,
            rows=rows,
            ks=(1, 3, 5, 10),
            order=tuple(PARTS),
        )
    ),
    averages=averages,
)
