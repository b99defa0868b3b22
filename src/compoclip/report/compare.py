"""A user's model among the 202 published ones: neighbours in a table, and a place on the plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compoclip.errors import InputError
from compoclip.evaluation import published
from compoclip.evaluation.aggregate import aggregate
from compoclip.evaluation.results import individual
from compoclip.report.pool import Method

ZEROSHOT = "21_tasks_avg"
KNOWN = (("ViT-B-32", "openai"), ("ViT-L-14", "openai"), ("NegCLIP", None), ("CE-CLIP", None), ("DAC-LLM", None))
TITLES = {
    "comp_avg": "mean of 12 composition benchmarks",
    "21_tasks_avg": "zero-shot, mean of 21 sets",
    "sugarcrepe": "SugarCrepe (vl_compo average)",
    "imagenet": "ImageNet zero-shot",
}


@dataclass(frozen=True)
class Neighbour:
    """A line of the table: `rank` among all, whether it is the user's, and both figures (percent, None if absent)."""

    rank: int
    label: str
    mine: bool
    value: float
    zeroshot: float | None


@dataclass(frozen=True)
class Standing:
    """One benchmark: its key and title, neighbours around each of the user's models, all published (zero-shot, value)
    points, the user's (label, place, value, zero-shot), and a warning where rows were missing."""

    key: str
    title: str
    neighbours: list[Neighbour]
    cloud: list[tuple[float, float]]
    named: list[tuple[str, float, float]]
    mine: list[tuple[str, int, float, float | None]]
    warning: str


def averages(method: Method) -> dict[str, float]:
    """vl_compo's averages of a method, mean over its seeds; {} where no benchmark of it was measured whole."""
    runs = []
    for run in method.runs:
        try:
            runs.append(aggregate("vl_compo", individual(run)))
        except InputError:
            return {}
    keys = set.intersection(*(set(r) for r in runs))
    return {k: sum(r[k] for r in runs) / len(runs) for k in keys}


def missing_rows(method: Method, key: str) -> str:
    """A warning where a benchmark's rows were not all there."""
    for run in method.runs:
        subsets = run["tasks"].get(key, {}).get("subsets", {}).values()
        missing, n = sum(s["missing"] for s in subsets), sum(s["n"] for s in subsets)
        if missing or run.get("settings", {}).get("limit"):
            return f"Measured on {n:,} of {n + missing:,} rows, so compare with the published figures loosely."
    return ""


def standings(methods: Sequence[Method], around: int = 3) -> list[Standing]:
    """Where each method stands on each benchmark that it and the published table share; comp_avg first."""
    mine = [(m, averages(m)) for m in methods]
    keys = {k for _, own in mine for k in own if not k.endswith(("_i2t", "_t2i"))}
    order = ["comp_avg", *sorted(keys - {"comp_avg", ZEROSHOT, "imagenet"}), "imagenet"]
    return [_standing(key, mine, around) for key in order if key in keys]


def _standing(key: str, mine: Sequence[tuple[Method, dict[str, float]]], around: int) -> Standing:
    rows = published.vl_compo()
    lines: list[tuple[str, bool, float, float | None]] = [
        (row.label, False, row.averages[key], row.averages.get(ZEROSHOT)) for row in rows
    ]
    own = [(m.label, m.place, figures[key], figures.get(ZEROSHOT)) for m, figures in mine if key in figures]
    lines += [(label, True, value, zeroshot) for label, _, value, zeroshot in own]
    lines.sort(key=lambda line: -line[2])
    wanted: set[int] = {0, len(lines) - 1}
    for i, line in enumerate(lines):
        if line[1]:
            wanted |= set(range(max(0, i - around), min(len(lines), i + around + 1)))
        if any(line[0].startswith(f"{a} ") and (p is None or line[0].endswith(p)) for a, p in KNOWN):
            wanted.add(i)
    named = [
        (row.label if pretrained else row.arch, row.averages[ZEROSHOT], row.averages[key])
        for arch, pretrained in KNOWN
        for row in rows
        if row.arch == arch and (pretrained is None or row.pretrained == pretrained)
    ]
    return Standing(
        key,
        TITLES.get(key, key),
        [Neighbour(i + 1, *lines[i]) for i in sorted(wanted)],
        [(row.averages[ZEROSHOT], row.averages[key]) for row in rows],
        named,
        own,
        next((w for m, _ in mine if (w := missing_rows(m, key))), ""),
    )
