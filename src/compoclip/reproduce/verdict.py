"""Published against measured: a figure within its tolerance agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import aggregate, mean
from compoclip.evaluation.results import individual
from compoclip.reproduce.rows import PublishedRow

NAMES = {  # what an averaging rule calls it -> what a row does
    "fsc-clip": {"comp_avg": "comp", "21_tasks_avg": "zeroshot", "i2t_avg": "i2t", "t2i_avg": "t2i"},
    "degla": {"valse": "valse_11"},
}
HEADLINES = ("comp", "zeroshot", "i2t", "t2i")  # what is told of a recipe without published figures
COUNTING = ("valse::counting-hard", "valse::counting-small-quant", "valse::counting-adversarial")


@dataclass(frozen=True)
class Verdict:
    """One figure. `verdict`: agrees, differs, not measured, not published, or another scale (of a tiny twin)."""

    figure: str
    published: float | None
    measured: float | None
    tolerance: float
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def measured(results: dict[str, Any], rule: str) -> dict[str, float]:
    """The figures that rows name, from a results file: subsets, benchmarks and averages of one rule."""
    ours = individual(results)
    out = dict(ours)
    try:
        averages = aggregate(rule, ours)
    except InputError:
        averages = {}
    out |= {NAMES[rule].get(name, name): value for name, value in averages.items()}
    if all(name in ours for name in COUNTING):
        out["valse::counting"] = mean([ours[name] for name in COUNTING])
    return out


def compare(row: PublishedRow, results: Sequence[dict[str, Any]], scale: str = "full") -> list[Verdict]:
    """A verdict a published figure; several results (seeds) are averaged."""
    found = [measured(r, row.rule) for r in results]
    if scale == "tiny":  # the world's own summary stands beside figures of other benchmarks
        found = [{k: v for k, v in r["summary"].items() if v is not None} for r in results]
    out = []
    for name, published in (row.figures or dict.fromkeys(HEADLINES)).items():
        values = [f[name] for f in found if name in f]
        value = float(np.mean(values)) if len(values) == len(found) and found else None
        tolerance = float(row.tolerance.get(name, row.tolerance["default"]))
        if published is None:
            verdict = "not published"
        elif scale == "tiny":
            verdict = "another scale"
        elif value is None:
            verdict = "not measured"
        else:
            verdict = (
                "agrees" if abs(value - published) <= tolerance + 0.05 else "differs"
            )  # figures are printed to 0.1
        out.append(Verdict(name, published, None if value is None else round(value, 2), tolerance, verdict))
    return out


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """The verdicts as lines of text."""
    width = max([len("figure"), *(len(v.figure) for v in verdicts)])
    out = [f"{'figure':<{width}}  published  measured  tolerance  verdict"]
    for v in verdicts:
        published, value = ("" if x is None else f"{x:.1f}" for x in (v.published, v.measured))
        tolerance = f"{v.tolerance:.1f}" if published else ""
        out.append(f"{v.figure:<{width}}  {published:>9}  {value:>8}  {tolerance:>9}  {v.verdict}")
    return out
