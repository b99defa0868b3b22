"""Results made by hand: rows of right and wrong are given, all else follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compoclip.environment import environment
from compoclip.evaluation.benchmark import means
from compoclip.evaluation.results import METRICS_VERSION, summary, task_entry
from compoclip.evaluation.scoring import Outcome
from compoclip.evaluation.scoring.base import basic
from compoclip.evaluation.tasks import TASKS

AVERAGES = {
    "mean of composition kinds": {"without": "*/*"},
    "zeroshot": {"of": ["zeroshot/*"]},
    "i2t": {"of": ["retrieval/i2t*"]},
    "t2i": {"of": ["retrieval/t2i*"]},
}


def results(
    label: str,
    comp: list[list[int]],
    zero: list[list[int]],
    i2t: list[int] | None = None,
    rows: str = "same",
    kinds: Sequence[str] = (),
) -> dict[str, Any]:
    """Results of task `world` with kinds k0.. (`comp`), styles s0.. (`zero`) and retrieval (`i2t`) from flags.

    kinds: the names of the kinds, where they are those by which the world's own averages are distinguished.
    """
    parts: dict[str, str] = {}
    outcomes: dict[str, Outcome] = {}

    def add(name: str, part: str, flags: list[int]) -> None:
        hits = np.array(flags, dtype=float)
        parts[name] = part
        metrics = basic(hits, hits < 0, 0, 50.0 if part == "composition" else 10.0, 0)
        if part == "retrieval":
            metrics |= {"R@1": metrics["accuracy"], "R@5": 55.5, "R@10": 66.6}
        outcomes[name] = Outcome(metrics, hits, [], f"{rows} {name}")

    for k, flags in enumerate(comp):
        add(kinds[k] if kinds else f"k{k}", "composition", flags)
    for s, flags in enumerate(zero):
        add(f"zeroshot/s{s}", "zeroshot", flags)
    if i2t is not None:
        add("retrieval/i2t", "retrieval", i2t)
        add("retrieval/t2i", "retrieval", i2t)
    task = TASKS["world"] if kinds else replace(TASKS["world"], averages=means(AVERAGES))
    tasks = {"world": task_entry(task, parts, outcomes, {}, 0)}
    return {
        "schema": 1,
        "label": label,
        "model": {"name": "tiny", "activation": "gelu", "sha256": "0123456789abcdef" * 4},
        "tasks": tasks,
        "summary": summary(tasks),
        "skipped": {},
        "settings": {"limit": None, "seed": 0, "labelled": True, "metrics_version": METRICS_VERSION},
        "environment": environment(),
    }


def flags(n: int, right: int, shift: int = 0) -> list[int]:
    """`right` ones among `n`, turned by `shift`."""
    return np.roll([1] * right + [0] * (n - right), shift).tolist()


BASE = results("base", [flags(100, 60), flags(50, 25)], [flags(200, 160)], flags(100, 30))
GAINS = results("negclip", [flags(100, 90), flags(50, 45)], [flags(200, 100)], flags(100, 31))
KEEPS = results("mix", [flags(100, 85), flags(50, 44)], [flags(200, 158)], flags(100, 30))
SAME = results("plain", [flags(100, 60, 2), flags(50, 25, 1)], [flags(200, 150)], flags(100, 30))
