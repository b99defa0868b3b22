"""What a benchmark is: facts about it, a reader, and a rule for its score.

To add one, write a file in `tasks/` with a `Task`; it is found there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compoclip.data.catalog import Entry, entries
from compoclip.errors import InputError
from compoclip.evaluation.scoring import Subset

__all__ = ["Average", "DataMissing", "Loaded", "Task", "TaskOptions"]


class DataMissing(InputError):
    """The task's data is not where it was looked for; `evaluate(tasks="all")` skips such a task and says so."""


@dataclass(frozen=True)
class TaskOptions:
    """What the user asked for: where the data lies, at most `limit` rows a subset, and the tie rule where chosen."""

    data_root: Path | None = None
    limit: int | None = None
    ties: str | None = None

    def cut(self, rows: Sequence[Any]) -> Sequence[Any]:
        return rows if self.limit is None else rows[: self.limit]

    def root(self, task: str) -> Path:
        if self.data_root is None:
            raise DataMissing(f"task {task} needs its data: give the folder that contains it as --data-root DIR")
        if not self.data_root.is_dir():
            raise DataMissing(f"{self.data_root}: no such folder; --data-root must contain the data of task {task}")
        return self.data_root


@dataclass
class Loaded:
    """A task's rows, facts found while reading them (which folder, which files) for the results, and how many rows
    each subset has on disk, with those whose images are not there."""

    subsets: list[Subset]
    found: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Average:
    """One way to average subsets: `weights` by subset name; a name without a weight is left out.

    `metric` is what is averaged: the headline, or another entry of the subsets' metrics in percent; of several their
    mean.
    """

    weights: dict[str, float]
    metric: str | tuple[str, ...] = "accuracy"

    @property
    def metrics(self) -> tuple[str, ...]:
        return (self.metric,) if isinstance(self.metric, str) else self.metric


Averages = Callable[[dict[str, int]], dict[str, Average]]


@dataclass(frozen=True)
class Task:
    """A benchmark. `averages` maps the measured subset names and their row counts to rules by name; the first is the
    headline `score`.

    `parts` are the subsets of the whole benchmark with their published number of rows (0 where none is published);
    empty for tasks over a user's own sets, and `own` where such may stand beside. `data` names its sets in the
    catalogue of `compoclip data`, which says licence, size, source and files; tasks without one state them here.
    """

    name: str
    title: str
    rule: str
    chance: str
    citation: str
    load: Callable[[TaskOptions], Loaded]
    averages: Averages
    parts: Mapping[str, int] = field(default_factory=dict)
    own: bool = False
    data: tuple[str, ...] = ()
    prepare: Callable[[Path], list[str]] | None = None  # makes files of what `data get` fetched
    version: str = "1"
    source: str = ""
    licence: str = ""
    size: str = ""
    needs: str = ""

    def entries(self) -> list[Entry]:
        """Its sets in the catalogue. Raises InputError for one that is not there."""
        if unknown := [name for name in self.data if name not in entries()]:
            raise InputError(f"task {self.name}: no entry of data/catalog.yaml is called {', '.join(unknown)}; add it")
        return [entries()[name] for name in self.data]

    def facts(self) -> dict[str, str]:
        """The metadata as text, for listings."""
        said = {
            "source": [e.home for e in self.entries()],
            "licence": [e.licence for e in self.entries()],
            "size": [e.size for e in self.entries()],
            "needs": [f"DIR/{item.path}" for e in self.entries() for item in e.files]
            + [f"the photos of {name}" for e in self.entries() for name in e.needs],
        }
        told = {key: getattr(self, key) or ", ".join(dict.fromkeys(values)) for key, values in said.items()}
        plain = ("name", "title", "rule", "chance", "citation", "version")
        return {name: getattr(self, name) for name in plain} | told

    def rules(self, counts: dict[str, int]) -> dict[str, Average]:
        """The averages of what was measured; one over some of the subsets that it is meant for says so in its name."""
        if self.own or not self.parts:
            return self.averages(counts)
        whole = self.averages({name: counts.get(name, rows or 1) for name, rows in {**self.parts, **counts}.items()})
        out = {}
        for title, rule in self.averages(counts).items():
            meant = set(whole[title].weights) if title in whole else set(rule.weights)
            part = len(meant) > len(rule.weights)
            out[f"{title} ({len(rule.weights)} of {len(meant)} sets)" if part else title] = rule
        return out

    def absent(self, loaded: Loaded) -> dict[str, Any]:
        """What of the whole benchmark is not there: {sets, rows, photos}, each left out where nothing is absent.

        `sets` names subsets without rows, `rows` counts the rows that a subset lacks of its published number, `photos`
        the rows whose image is not there. Unknown (an empty result) for a user's own sets.
        """
        have = {s.name: loaded.rows.get(s.name, 0) for s in loaded.subsets}
        sets = [] if self.own else [name for name in self.parts if name not in have]
        rows = {n: self.parts[n] - read for n, read in have.items() if read and self.parts.get(n, 0) > read}
        photos = {s.name: s.missing for s in loaded.subsets if s.missing}
        said = {"sets": sets, "rows": rows, "photos": photos}
        return {key: value for key, value in said.items() if value}


def look(root: Path, patterns: Sequence[str], fits: Callable[[Path], bool]) -> list[Path]:
    """The places below `root` that match a pattern ("." is the root itself) and that `fits` takes, the first of each
    name."""
    found: dict[str, Path] = {}
    for pattern in patterns:
        for path in [root] if pattern == "." else sorted(root.glob(pattern)):
            if path.name not in found and fits(path):
                found[path.name] = path
    return list(found.values())
