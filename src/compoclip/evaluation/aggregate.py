"""Averages of published tables, exactly: vl_compo, FSC-CLIP and DeGLA average the same subsets in different ways.

Which subsets, and with what shares, stands in `published/averages.yaml`; tasks take their weights from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

import yaml

from compoclip.errors import InputError

__all__ = ["RULES", "aggregate"]

Scores = Mapping[str, float]
Weights = dict[str, float]

_TABLE: dict[str, Any] = yaml.safe_load(
    resources.files("compoclip.evaluation.published").joinpath("averages.yaml").read_text("utf-8")
)


def _shares(tree: Any) -> Weights:
    """Weights that sum to 1: equal ones of a list, those by rows of a mapping, also within each other."""
    if isinstance(tree, str):
        return {tree: 1.0}
    if isinstance(tree, dict):
        return {name: rows / sum(tree.values()) for name, rows in tree.items()}
    parts = [_shares(part) for part in tree]
    return {name: share / len(parts) for part in parts for name, share in part.items()}


SUBSETS: dict[str, Weights] = {name: _shares(tree) for name, tree in _TABLE["subsets"].items()}
SIZES: dict[str, int] = {name: n for group in _TABLE["subsets"]["sugarcrepe"] for name, n in group.items()}
GROUPS = tuple(dict.fromkeys(name.split("_")[0] for name in SIZES))
MMVP = tuple(_TABLE["subsets"]["mmvp_vlm"])
RECOGNITION: dict[str, tuple[str, ...]] = {name: tuple(sets) for name, sets in _TABLE["recognition"].items()}
ELEVATER, DEGLA_SETS = RECOGNITION["elevater"], RECOGNITION["degla"]
DEGLA_TASK = "degla_zeroshot"  # the task that measures the same sets by plain accuracy, as DeGLA prints them
RETRIEVAL: dict[str, str] = _TABLE["retrieval"]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _columns() -> dict[str, Weights]:
    """Every benchmark's average as weights of the columns of the published tables."""
    grouped = _TABLE["group_scores"]
    out = {
        name: {f"{name}::{part}" + "::group" * (name in grouped): share for part, share in parts.items()}
        for name, parts in SUBSETS.items()
    }
    out |= {name: {f"{name}::group": 1.0} for name in ("colorswap", "winoground")}
    out |= {f"{s}_{way}": {f"{name}::{way}/R@1": 1.0} for s, name in RETRIEVAL.items() for way in ("i2t", "t2i")}
    out["imagenet"] = {"elevator::imagenet-1k": 1.0}
    out["21_tasks_avg"] = _shares([f"elevator::{name}" for name in ELEVATER])
    return out


BENCHMARKS = _columns()


def _means(scores: Scores, names: Sequence[str]) -> dict[str, float]:
    """Benchmarks whose every subset is there; one given by its own name is taken as it is."""
    out = {}
    for name in names:
        if name in scores:
            out[name] = float(scores[name])
            continue
        weights = BENCHMARKS[name]
        if all(column in scores for column in weights):
            out[name] = float(sum(share * scores[column] for column, share in weights.items()))
    return out


def _table(rule: str, retrieval: Sequence[str]) -> Callable[[Scores], dict[str, float]]:
    """The averages of vl_compo or FSC-CLIP, which differ in their benchmarks and retrieval sets."""
    composition = _TABLE["composition"][rule]
    ways = {way: [f"{name}_{way}" for name in retrieval] for way in ("i2t", "t2i")}

    def averages(scores: Scores) -> dict[str, float]:
        single = [f"{name}_{way}" for name in retrieval for way in ways]
        out = _means(scores, [*composition, *single, "imagenet", "21_tasks_avg"])
        for key, names in {"comp_avg": composition, **{f"{way}_avg": names for way, names in ways.items()}}.items():
            if all(name in out for name in names):
                out[key] = mean([out[name] for name in names])
        return out

    return averages


def _degla(scores: Scores) -> dict[str, float]:
    out = _means(scores, ["aro"])
    for group in GROUPS:
        names = [f"sugarcrepe::{n}" for n in SIZES if n.startswith(group)]
        if all(n in scores for n in names):
            out[f"sugarcrepe_{group}"] = mean([scores[n] for n in names])
    pieces = []
    for piece in _TABLE["subsets"]["valse"]:
        names = [f"valse::{n}" for n in piece]
        if len(piece) == 3 and "valse::counting" in scores:
            pieces += [scores["valse::counting"]] * 3  # the printed cell is the mean of the three instruments
        else:
            pieces += [scores[n] for n in names if n in scores]
    if len(pieces) == 11:
        out["valse"] = mean(pieces)
    for source in (DEGLA_TASK, "elevator"):
        if "zeroshot_11" not in out and all(f"{source}::{n}" in scores for n in DEGLA_SETS):
            out["zeroshot_11"] = mean([scores[f"{source}::{n}"] for n in DEGLA_SETS])
    return out


RULES: dict[str, Callable[[Scores], dict[str, float]]] = {
    "vl_compo": _table("vl_compo", ["coco", "flickr"]),
    "fsc-clip": _table("fsc-clip", ["coco", "flickr", "cococf"]),
    "degla": _degla,
}


def aggregate(rule: str, individual: Scores) -> dict[str, float]:
    """Benchmark averages of figures by subset, all in percent.

    - "vl_compo" (github.com/ytaek-oh/vl_compo): twelve benchmarks, `comp_avg` their plain mean, retrieval over COCO
      and Flickr30k, `21_tasks_avg`; keys as the columns of its two result files.
    - "fsc-clip": eleven benchmarks (SPEC in, ColorSwap and MMVP out), retrieval over COCO, Flickr30k and
      COCO-Counterfactuals (keys `spec::NAME::i2t|t2i`, `coco_counterfactuals::i2t/R@1`).
    - "degla": `aro`, `sugarcrepe_replace|swap|add` (unweighted), `valse` (mean of 11 instruments), `zeroshot_11`.

    A benchmark given by its own name (`"aro": 57.6`) is taken as it is; one with a subset missing is left out, and
    so is an average over it. Raises InputError for an unknown rule, and where nothing could be averaged.

    individual: `BENCHMARK::SUBSET` -> percent.

    Example: aggregate("vl_compo", {"sugarcrepe::swap_obj": 61.2, "sugarcrepe::swap_att": 64.0})
    """
    if rule not in RULES:
        raise InputError(f"averaging rule {rule!r} is unknown; choose one of {', '.join(RULES)}")
    out = RULES[rule](individual)
    if not out:
        raise InputError(f"no benchmark of rule {rule!r} has all its subsets among the {len(individual)} figures given")
    return out
