"""What a benchmark is: facts about it, a reader, and a rule for its score.

To add one, write a file in `tasks/` with a `Task` and give it one line in `tasks/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.scoring import Subset


class DataMissing(InputError):
    """The task's data is not where it was looked for; `evaluate(tasks="all")` skips such a task and says so."""


@dataclass(frozen=True)
class Request:
    """What the user asked for: where the data lies, at most `limit` rows a subset, and the tie rule where chosen."""

    data_root: Path | None = None
    limit: int | None = None
    ties: str | None = None

    def cut(self, rows: Sequence[Any]) -> Sequence[Any]:
        return rows if self.limit is None else rows[: self.limit]

    def root(self, task: str) -> Path:
        if self.data_root is None:
            raise DataMissing(f"task {task} needs its data: give the folder that holds it as --data-root DIR")
        if not self.data_root.is_dir():
            raise DataMissing(f"{self.data_root}: no such folder; --data-root must hold the data of task {task}")
        return self.data_root


@dataclass
class Loaded:
    """A task's rows, and facts found while reading them (which folder, which files) for the results."""

    subsets: list[Subset]
    found: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Average:
    """One way to average subsets: `weights` by subset name; a name without a weight is left out.

    `metric` is what is averaged: the headline, or another entry of the subsets' metrics in percent.
    """

    weights: dict[str, float]
    metric: str = "accuracy"


@dataclass(frozen=True)
class Task:
    """A benchmark. `averages` maps the measured subset names and their row counts to rules by name; the first is the
    headline `score`."""

    name: str
    title: str
    source: str
    licence: str
    size: str
    chance: str
    rule: str
    citation: str
    version: str
    needs: str
    load: Callable[[Request], Loaded]
    averages: Callable[[dict[str, int]], dict[str, Average]]

    def facts(self) -> dict[str, str]:
        """The metadata as text, for listings."""
        names = ("name", "title", "source", "licence", "size", "chance", "rule", "citation", "version", "needs")
        return {name: getattr(self, name) for name in names}


def plain_mean(counts: dict[str, int], metric: str = "accuracy") -> Average:
    return Average(dict.fromkeys(counts, 1.0), metric)


def pooled(counts: dict[str, int], metric: str = "accuracy") -> Average:
    return Average({name: float(n) for name, n in counts.items()}, metric)


def look(root: Path, candidates: Sequence[str]) -> list[Path]:
    """The existing paths among `candidates` below `root`, in order; a candidate may be a glob pattern."""
    found: list[Path] = []
    for candidate in candidates:
        for path in [root] if candidate == "." else sorted(root.glob(candidate)):
            if path not in found:
                found.append(path)
    return found
