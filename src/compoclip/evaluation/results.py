"""results.json: what was measured, on what, how sure it is, and with which versions (schema 1).

Percentages run from 0 to 100. Each subset keeps its rows of right and wrong packed into a few bytes (`hits`), so that
two results can be compared row by row later without the per-row log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import DEGLA_TASK, ELEVATER
from compoclip.evaluation.result_check import check_results
from compoclip.evaluation.scoring import Outcome
from compoclip.evaluation.statistics import cluster_index, interval, stratified_means
from compoclip.evaluation.task import Average, Task
from compoclip.io import read_json, write_json, write_text

__all__ = ["individual", "read_results", "write_results"]

SCHEMA = 1
METRICS_VERSION = "2"  # changes when a protocol, a tie rule or an average does
SUMMARY = ("comp", "zeroshot", "i2t", "t2i")
# Tasks with figures of their own beside the summary, so that it stays what published tables average.
APART = frozenset(
    {"imagenet_robustness", "vtab", "stl10", "multilingual_retrieval", "long_captions", "crepe_systematicity"}
)


def pack(hits: NDArray[np.float64]) -> dict[str, Any]:
    """Rows of right and wrong as base64 of packed bits; rows with fractions as a list."""
    if np.isin(hits, (0.0, 1.0)).all():
        return {"n": len(hits), "bits": base64.b64encode(np.packbits(hits > 0).tobytes()).decode()}
    return {"n": len(hits), "values": hits.tolist()}


def unpack(packed: dict[str, Any]) -> NDArray[np.float64]:
    """(n,) in [0, 1]. Raises InputError for an entry that `pack` did not write."""
    try:
        if "values" in packed:
            return np.asarray(packed["values"], dtype=np.float64)
        raw = np.frombuffer(base64.b64decode(packed["bits"]), dtype=np.uint8)
        return np.unpackbits(raw, count=int(packed["n"])).astype(np.float64)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"results: broken `hits` entry ({error}); evaluate again") from None


def average(rule: Average, outcomes: dict[str, Outcome], seed: int) -> tuple[float | None, list[float] | None]:
    """A weighted mean of one metric of the subsets and its interval; null where one of them could not be measured."""
    names = [n for n in rule.weights if rule.weights[n] > 0]
    measured = [[outcomes[n].metrics.get(metric) for metric in rule.metrics] for n in names]
    values = [float(np.mean(own)) for own in measured if None not in own]  # type: ignore[arg-type]
    if not names or len(values) < len(names):
        return None, None
    weights = np.array([rule.weights[n] for n in names])
    weights = weights / weights.sum()
    # The interval resamples rows; subsets whose headline is no row mean (macro over groups, AUC) shift its centre.
    rows = [
        np.mean([outcomes[n].parts.get(metric, outcomes[n].hits) for metric in rule.metrics], axis=0) for n in names
    ]
    groups = [cluster_index(outcomes[n].metrics.get("clusters")) for n in names]
    means = stratified_means(rows, list(weights), resamples=4000, seed=seed, groups=groups)
    shift = float(weights @ np.array(values)) - 100.0 * float(weights @ [r.mean() for r in rows])
    low, high = interval(means)
    mean = float(np.clip(weights @ np.array(values), min(values), max(values)))  # 100 stays 100 despite rounding
    return mean, [low + shift, high + shift]


def task_entry(
    task: Task,
    parts: dict[str, str],
    outcomes: dict[str, Outcome],
    found: dict[str, Any],
    seed: int,
    absent: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """One task's entry of results.json. `parts` says which part of the summary each subset belongs to, `absent` what of
    the benchmark was not there (`Task.absent`)."""
    counts = {name: outcome.metrics["n"] for name, outcome in outcomes.items()}
    scores, intervals, weights = {}, {}, {}
    for name, rule in task.rules(counts).items():
        scores[name], intervals[name] = average(rule, outcomes, seed)
        weights[name] = rule.weights
    headline = next(iter(scores), None)
    subsets = {}
    for name, outcome in outcomes.items():
        entry = {"part": parts[name], **outcome.metrics, "hits": pack(outcome.hits), "rows": outcome.identity}
        subsets[name] = entry
    averaged = [subsets[n]["chance"] for n in (weights[headline] if headline else ())]
    chances = [c for c in averaged if c is not None]
    return {
        "subsets": subsets,
        "score": scores[headline] if headline else None,
        "score_ci95": intervals[headline] if headline else None,
        "rule": headline,
        "chance": float(np.mean(chances)) if chances else None,
        "scores": scores,
        "scores_ci95": intervals,
        "controls": mean_controls(subsets, weights[headline]) if headline else {},
        "weights": weights,
        "ties": task.rule,
        "version": task.version,
        "data": found,
        "absent": absent or {},
    }


def told_absent(name: str, entry: dict[str, Any]) -> str:
    """One line on what of a benchmark was not there; "" where nothing is known to be absent."""
    absent = entry.get("absent") or {}
    told = []
    if sets := absent.get("sets"):
        have = len({s.split("/i2t")[0].split("/t2i")[0] for s in entry["subsets"]})
        named = ", ".join(sets[:5]) + (" …" if len(sets) > 5 else "")
        told.append(f"{have} of {have + len(sets)} sets (without {named})")
    if rows := absent.get("rows"):
        told.append(f"{sum(rows.values()):,} rows fewer than published in {', '.join(list(rows)[:5])}")
    if photos := absent.get("photos"):
        told.append(f"{sum(photos.values()):,} rows without their image")
    return f"{name} is a part of the benchmark: {'; '.join(told)}" if told else ""


def mean_controls(subsets: dict[str, Any], weights: dict[str, float]) -> dict[str, float]:
    """The controls averaged as the score is; {} where a subset has none."""
    used = [(weights[n], subsets[n].get("controls") or {}) for n in weights if weights[n] > 0]
    names = set.intersection(*(set(c) for _, c in used)) if used else set()
    total = sum(w for w, _ in used)
    return {name: sum(w * c[name] for w, c in used) / total for name in sorted(names)}


def summary(tasks: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    """The four figures of a model: comp is the mean of the composition tasks' scores, zeroshot, i2t and t2i the means
    over all sets measured; null where nothing was. A recognition set that several tasks measure counts once, and the
    tasks of `APART` do not."""
    pools: dict[str, list[float | None]] = {name: [] for name in SUMMARY}
    seen: set[str] = set()
    for entry in (entry for task, entry in tasks.items() if task not in APART):
        parts = {name: subset["part"] for name, subset in entry["subsets"].items()}
        if "composition" in parts.values():
            pools["comp"].append(entry["score"])
        for name, part in parts.items():
            key = "zeroshot" if part == "zeroshot" else name.rsplit("/", 1)[-1] if part == "retrieval" else None
            if key is not None and (key != "zeroshot" or name not in seen):
                pools[key].append(entry["subsets"][name]["accuracy"])
                seen.add(name)
    known = {name: [v for v in values if v is not None] for name, values in pools.items()}
    return {name: float(np.mean(values)) if values else None for name, values in known.items()}


def individual(results: dict[str, Any]) -> dict[str, float]:
    """`{"sugarcrepe::swap_obj": 61.2, ...}` in percent, as `aggregate` takes them; two-by-two subsets give three.

    results: those of `evaluate`.

    Example: aggregate("vl_compo", individual(read_results("runs/fsc")))
    """
    out: dict[str, float] = {}
    for task, entry in results["tasks"].items():
        if task == "vl_checklist":  # the published columns are its leaves, each a mean of sources
            out |= {
                f"{task}::{k}": v for k, v in entry["scores"].items() if "_" in k and "(" not in k and v is not None
            }
            continue
        for name, subset in entry["subsets"].items():
            if subset["accuracy"] is None:
                continue
            if "group" in subset:
                prefix = task if len(entry["subsets"]) == 1 else f"{task}::{name}"
                out |= {f"{prefix}::{k}": subset[k] for k in ("text", "image", "group")}
            elif subset["part"] == "retrieval":
                place, way = name.rsplit("/", 1)
                out |= {f"{place}::{way}/{k}": v for k, v in subset.items() if k.startswith("R@")}
            elif subset["part"] == "zeroshot":
                published = name in ELEVATER and task != DEGLA_TASK
                out.setdefault(f"{'elevator' if published else task}::{name}", subset["accuracy"])
            else:
                out[f"{task}::{name}"] = subset["accuracy"]
    return out


def samples_path(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".json") + ".samples.jsonl")


def write_results(results: dict[str, Any], path: str | Path) -> Path:
    """Write results.json, and the per-row log beside it (`NAME.samples.jsonl`) where the results hold one.

    path: of the file; its folder is made.

    Example: write_results(evaluate("tiny", "world"), "tiny.json")
    """
    path = Path(path)
    if path.is_dir() or path.suffix != ".json":
        path = path / "results.json"
    body = {k: v for k, v in results.items() if k != "samples"}
    if "samples" in results:
        lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in results["samples"])
        write_text(samples_path(path), "".join(lines))
        body["samples"] = samples_path(path).name
    write_json(path, body)
    return path


def read_results(path: str | Path) -> dict[str, Any]:
    """A results.json, or the one in a run directory. Raises InputError where it is not one.

    path: the file, or the directory.

    Example: read_results("runs/fsc")["summary"]
    """
    path = Path(path)
    if path.is_dir():
        path = path / "results.json"
    results = read_json(path, writable=True)
    if not isinstance(results, dict) or results.get("schema") != SCHEMA or not isinstance(results.get("tasks"), dict):
        raise InputError(f"{path}: not a results file of schema {SCHEMA}; write one with compoclip eval")
    check_results(results, str(path))
    return results


def shared_rows(results: Sequence[dict[str, Any]], task: str, subset: str) -> list[NDArray[np.float64]] | None:
    """The rows (n,) of several results for one subset, or None where they were not measured on the same rows."""
    entries = [r["tasks"].get(task, {}).get("subsets", {}).get(subset) for r in results]
    if any(e is None or not e.get("hits") for e in entries):
        return None
    if len({(e["rows"], e["hits"]["n"]) for e in entries}) != 1 or not entries[0]["hits"]["n"]:
        return None
    return [unpack(e["hits"]) for e in entries]
