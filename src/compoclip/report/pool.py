"""Results of several runs as methods: runs with one label are seeds of one method, and each is set against the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compoclip.errors import InputError
from compoclip.evaluation.results import APART, SUMMARY, read_results, shared_rows
from compoclip.evaluation.statistics import Groups, Interval, McNemar, cluster_index, mcnemar, paired_difference

Results = dict[str, Any]
RUN = "run_path"  # the run directory that a loaded result lies in
# Averages by which a task says what its kinds of rows ask; the first is its score.
NEEDS_IMAGE, TEXT_ALONE, WORDS_ALONE = "needs the image", "text alone can do it", "a bag of words can do it"
PARTED = (NEEDS_IMAGE, TEXT_ALONE, WORDS_ALONE)
ROUNDING = 1e-9  # points; an interval that ends at zero may miss it by the rounding of its weights


@dataclass(frozen=True)
class Method:
    """One method and its runs (seeds), all measured the same way. `place` is its row, and picks its colour."""

    label: str
    runs: tuple[Results, ...]
    place: int


@dataclass(frozen=True)
class Cell:
    """A figure in percent: mean over seeds, `spread` (standard deviation) where there are several, the interval of a
    single run, and the paired difference to the base where both were measured on the same rows. `other_rows`: they were
    not, so the figure must not be read as one of the base's column."""

    value: float | None
    spread: float | None = None
    ci95: tuple[float, float] | None = None
    delta: Interval | None = None
    other_rows: bool = False

    @property
    def unmoved(self) -> bool:
        """Whether both models have the same rows right: an interval of no width says nothing about other rows."""
        return self.delta is not None and self.delta.low == self.delta.high == 0

    @property
    def verdict(self) -> str:
        """better, worse, or same: whether the interval of the difference leaves zero out."""
        if self.delta is None or (self.delta.low <= ROUNDING and self.delta.high >= -ROUNDING):
            return "same"
        return "better" if self.delta.mean > 0 else "worse"


@dataclass(frozen=True)
class Column:
    """What a column shows: a `title`, its weighted subsets `(task, subset, weight)`, and the key of the summary, or the
    subset's metric, or `score` for an average of a task, its headline where `average` names no other (only `accuracy`
    and `score` have rows to compare)."""

    title: str
    strata: tuple[tuple[str, str, float], ...]
    summary: str | None = None
    metric: str = "accuracy"
    average: str | None = None


def load_results(paths: Sequence[str | Path]) -> list[Results]:
    """Results files or run directories, in the order given. Runs that were named by default and would share a name are
    distinguished by their directory; a label given on purpose pools them as seeds of one method.

    Raises InputError for a file that is none, and for no file at all.

    paths: of the files or directories.

    Example: load_results(["runs/fsc/results-base.json", "runs/fsc"])
    """
    if not paths:
        raise InputError("no results given; name one or more results.json files or run directories")
    loaded = [read_results(p) for p in paths]
    for path, results in zip(map(Path, paths), loaded):
        folder = path if path.is_dir() else path.parent
        if (folder / "config.yaml").is_file():
            results[RUN] = folder
        if results.get("samples"):  # only the name: a results file does not say where on this machine anything lies
            results["samples_path"] = (path if path.is_dir() else path.parent) / Path(str(results["samples"])).name
    labels = [r.get("label", "model") for r in loaded]
    for path, results in zip(map(Path, paths), loaded):
        if labels.count(results.get("label", "model")) > 1 and not results.get("settings", {}).get("labelled", False):
            results["label"] = (
                path.name if path.is_dir() else f"{path.parent.name}/{path.stem}".removesuffix("/results")
            )
    return loaded


def with_own_base(paths: Sequence[Path]) -> list[Path]:
    """A single run directory's results come after those of its base, so that there is something to compare with.

    >>> with_own_base([Path("runs/fsc")])  # a finished run
    [PosixPath('runs/fsc/results-base.json'), PosixPath('runs/fsc')]
    """
    base = paths[0] / "results-base.json" if len(paths) == 1 else None
    return [base, *paths] if base is not None and base.is_file() else list(paths)


def pool(results: Sequence[Results], base: int = 0) -> list[Method]:
    """Methods in order of first appearance, the one that contains `results[base]` first."""
    if not results:
        raise InputError("no results to report")
    if not 0 <= base < len(results):
        raise InputError(f"base {base} is none of the {len(results)} results")
    by_label: dict[str, list[Results]] = {}
    for run in [results[base], *results[:base], *results[base + 1 :]]:
        by_label.setdefault(str(run.get("label", "model")), []).append(run)
    return [Method(label, tuple(runs), i) for i, (label, runs) in enumerate(by_label.items())]


def subsets_of(methods: Sequence[Method], part: str) -> list[tuple[str, str]]:
    """(task, subset) of one part that any method has, in order of appearance."""
    found: dict[tuple[str, str], None] = {}
    for method in methods:
        for run in method.runs:
            for task, entry in run["tasks"].items():
                for name, subset in entry["subsets"].items():
                    if subset.get("part", "composition") == part:
                        found[task, name] = None
    return list(found)


def summary_columns(methods: Sequence[Method]) -> list[Column]:
    """Composition, zero-shot, and retrieval both ways, as far as measured."""
    titles = {
        "comp": "composition",
        "zeroshot": "zero-shot",
        "i2t": "retrieval image → text",
        "t2i": "retrieval text → image",
    }
    columns = []
    for key in SUMMARY:
        if any(run["summary"].get(key) is not None for m in methods for run in m.runs):
            columns.append(Column(titles[key], _summary_strata(methods[0].runs[0], key), key))
        if key == "comp" and columns and needs_image(methods):
            columns = [replace(columns[0], title=f"composition: {NEEDS_IMAGE}")]
            columns += part_columns(methods, TEXT_ALONE)
    return columns


def needs_image(methods: Sequence[Method]) -> bool:
    """Whether the summary's composition is the mean of kinds that need the image alone."""
    run = methods[0].runs[0]
    tasks = {task for task, _, _ in _summary_strata(run, "comp")}
    return bool(tasks) and all(run["tasks"][task]["rule"] == NEEDS_IMAGE for task in tasks)


def part_columns(methods: Sequence[Method], title: str, task: str | None = None) -> list[Column]:
    """A column for the average `title` of every task that has it, or of `task`."""
    found = []
    for name, entry in methods[0].runs[0]["tasks"].items():
        weights = entry.get("weights", {}).get(title)
        if weights and task in (None, name):
            strata = tuple((name, subset, w) for subset, w in weights.items())
            found.append(Column(title, strata, metric="score", average=title))
    return found


def _summary_strata(run: Results, key: str) -> tuple[tuple[str, str, float], ...]:
    strata: list[tuple[str, str, float]] = []
    for task, entry in run["tasks"].items():
        if task in APART:
            continue
        parts = {n: s.get("part", "composition") for n, s in entry["subsets"].items()}
        if key == "comp" and "composition" in parts.values():
            weights = entry.get("weights", {}).get(entry["rule"]) or {
                n: 1.0 for n, p in parts.items() if p == "composition"
            }
            total = sum(weights.values())
            strata += [(task, n, w / total) for n, w in weights.items() if w > 0]
        elif key == "zeroshot":
            known = {n for _, n, _ in strata}  # a set that two tasks measure counts once, as in the summary
            strata += [(task, n, 1.0) for n, p in parts.items() if p == "zeroshot" and n not in known]
        elif key in ("i2t", "t2i"):
            strata += [(task, n, 1.0) for n, p in parts.items() if p == "retrieval" and n.endswith(f"/{key}")]
    return tuple(strata)


def subset_columns(methods: Sequence[Method], part: str) -> list[Column]:
    """One column a subset of a part; the task is named where there are several."""
    pairs = subsets_of(methods, part)
    several = len({task for task, _ in pairs}) > 1
    columns = []
    for task, name in pairs:
        title = name.removeprefix("zeroshot/").replace("retrieval/", "")
        if part == "retrieval":
            title = title.replace("/", ": ").replace("i2t", "image → text").replace("t2i", "text → image")
        columns.append(Column(f"{task}: {title}" if several else title, ((task, name, 1.0),)))
    return columns


def task_columns(methods: Sequence[Method], part: str) -> list[Column]:
    """One column a task of a part: its score, over the subsets that it averages."""
    found: dict[str, Column] = {}
    for method in methods:
        for run in method.runs:
            for task, entry in run["tasks"].items():
                weights = entry.get("weights", {}).get(entry.get("rule")) or {}
                parts = {entry["subsets"][n].get("part", "composition") for n in weights if n in entry["subsets"]}
                if task not in found and parts == {part}:
                    strata = tuple((task, n, w) for n, w in weights.items() if w > 0)
                    found[task] = Column(task, strata, metric="score")
    return list(found.values())


def recall_columns(methods: Sequence[Method]) -> list[Column]:
    """R@1, R@5 and R@10 of every retrieval subset."""
    columns = []
    for plain in subset_columns(methods, "retrieval"):
        columns.append(Column(f"{plain.title} R@1", plain.strata))
        columns += [Column(f"{plain.title} R@{k}", plain.strata, metric=f"R@{k}") for k in (5, 10)]
    return columns


def rows_of(run: Results, column: Column) -> int:
    """How many rows a column's figure stands on."""
    entries = [run["tasks"].get(task, {}).get("subsets", {}).get(name, {}) for task, name, _ in column.strata]
    return sum(int(entry.get("n") or 0) for entry in entries)


def value(run: Results, column: Column) -> float | None:
    task, name, _ = column.strata[0] if column.summary is None else ("", "", None)
    found: float | None
    if column.summary is not None:
        found = run["summary"].get(column.summary)
    elif column.metric == "score":
        entry = run["tasks"].get(task, {})
        found = entry.get("score") if column.average is None else entry.get("scores", {}).get(column.average)
    else:
        found = (run["tasks"].get(task, {}).get("subsets", {}).get(name) or {}).get(column.metric)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def cell(method: Method, base: Method, column: Column) -> Cell:
    """A method's figure in a column, and its paired difference to the base."""
    values = [value(run, column) for run in method.runs]
    mean = _mean(values)
    known = [v for v in values if v is not None]
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else None
    other = mean is not None and _other_rows(method, base, column)
    return Cell(
        mean, spread, _own_interval(method, column), None if other else _delta(method, base, column, mean), other
    )


def _other_rows(method: Method, base: Method, column: Column) -> bool:
    """Whether any two runs of these answered other rows, or as a summary averages them, other subsets."""
    runs = [*base.runs, *method.runs]
    if method.place == base.place or any(value(run, column) is None for run in runs):
        return False
    if column.summary is not None and len({_summary_strata(run, column.summary) for run in runs}) > 1:
        return True
    entries = [[r["tasks"].get(task, {}).get("subsets", {}).get(name) for r in runs] for task, name, _ in column.strata]
    return any(None in found or len({(e.get("rows"), e.get("n")) for e in found}) > 1 for found in entries)


def _own_interval(method: Method, column: Column) -> tuple[float, float] | None:
    if len(method.runs) > 1 or column.metric not in ("accuracy", "score"):
        return None
    run = method.runs[0]
    if column.metric == "score":
        entry = run["tasks"].get(column.strata[0][0], {})
        whole = entry.get("score_ci95") if column.average is None else entry["scores_ci95"].get(column.average)
        return tuple(whole) if whole else None
    if column.summary is None:
        task, name, _ = column.strata[0]
        found = run["tasks"].get(task, {}).get("subsets", {}).get(name, {}).get("ci95")
        return tuple(found) if found else None
    own = Column(column.title, _summary_strata(run, column.summary), column.summary)
    rows = [shared_rows([run], task, name) for task, name, _ in own.strata]
    mean = value(run, own)
    if mean is None or not rows or any(r is None for r in rows):
        return None
    strata = [r[0] for r in rows if r is not None]
    weights, groups = [w for _, _, w in own.strata], _groups(run, own)
    got = paired_difference([np.zeros(len(s)) for s in strata], strata, weights, groups=groups)
    return got.low + mean - got.mean, got.high + mean - got.mean


def _groups(run: Results, column: Column) -> Groups:
    """Which rows of each stratum belong together (the captions of one image), None where they stand alone."""
    entries = [run["tasks"][task]["subsets"][name] for task, name, _ in column.strata]
    return [cluster_index(entry.get("clusters")) for entry in entries]


def _delta(method: Method, base: Method, column: Column, mean: float | None) -> Interval | None:
    start = _mean([value(run, column) for run in base.runs])
    if method.place == base.place or mean is None or start is None or column.metric not in ("accuracy", "score"):
        return None
    runs = [*base.runs, *method.runs]
    split = len(base.runs)
    first, second = [], []
    for task, name, _ in column.strata:
        rows = shared_rows(runs, task, name)
        if rows is None:
            return None
        first.append(np.mean(rows[:split], axis=0))
        second.append(np.mean(rows[split:], axis=0))
    if not first:
        return None
    got = paired_difference(first, second, [w for _, _, w in column.strata], groups=_groups(runs[0], column))
    shift = (mean - start) - got.mean  # where a subset's headline is no plain mean of its rows
    return Interval(mean - start, got.low + shift, got.high + shift)


@dataclass(frozen=True)
class PairwiseTest:
    """A method against the base on one subset's rows: how many each alone has right, and McNemar's exact test."""

    task: str
    subset: str
    rows: int
    found: McNemar


def pairwise_tests(method: Method, base: Method) -> list[PairwiseTest]:
    """McNemar's test on every subset that both measured on the same rows; [] where a method is several seeds, whose
    rows are no longer right or wrong, and for rows that belong together, which the test takes for independent."""
    if method.place == base.place or len(method.runs) > 1 or len(base.runs) > 1:
        return []
    out = []
    for task, entry in base.runs[0]["tasks"].items():
        for name, subset in entry["subsets"].items():
            rows = shared_rows([base.runs[0], method.runs[0]], task, name)
            if rows is None or subset.get("clusters") or not all(np.isin(r, (0, 1)).all() for r in rows):
                continue
            out.append(PairwiseTest(task, name, len(rows[0]), mcnemar(*rows)))
    return out
