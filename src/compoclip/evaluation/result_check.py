"""What a results file must be before anything is computed or shown from it: it may come from anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any

import yaml

from compoclip.errors import InputError

MOST_ROWS = 10**9
Check = Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_ROWS


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 10_000


def _pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_number, value))


def _all(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _hits(value: Any) -> bool:
    if not isinstance(value, dict) or not _count(value.get("n")):
        return value is None or value == {}
    rows = value.get("values")
    if rows is not None:
        return isinstance(rows, list) and len(rows) == value["n"] and all(map(_number, rows))
    bits = value.get("bits")
    return isinstance(bits, str) and value["n"] <= 6 * len(bits)  # base64: six bits a character


def _clusters(value: Any) -> bool:
    """Runs of [rows, times]."""
    if not isinstance(value, list):
        return value is None
    pairs = all(isinstance(run, list) and len(run) == 2 and all(map(_count, run)) for run in value)
    return pairs and sum(rows * times for rows, times in value) <= MOST_ROWS


KINDS: dict[str, Check] = {
    "a text": _text,
    "a text or null": _optional(_text),
    "a text or a number": lambda value: _text(value) or _number(value),
    "a figure": _optional(_number),
    "two figures": _optional(_pair),
    "a count of rows": _count,
    "a count of rows or null": _optional(_count),
    "an object": _all(lambda value: True),
    "an object of objects": _all(lambda value: isinstance(value, dict)),
    "an object of texts": _all(_text),
    "an object of figures": _all(_optional(_number)),
    "an object of figures or null": _optional(_all(_optional(_number))),
    "an object of pairs of figures": _all(_optional(_pair)),
    "an object of weights": _all(_all(_number)),
    "rows as `pack` writes them": _hits,
    "a list of [rows, times]": _clusters,
}


@cache
def _keys() -> dict[str, dict[str, str]]:
    """What each key contains where it is there; other keys are not read."""
    text = resources.files("compoclip.evaluation").joinpath("results.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def check_results(results: dict[str, Any], where: str) -> None:
    """Raise InputError that names the first entry that is not what `evaluate` writes: a text where a figure belongs,
    NaN, a list of rows of another length."""
    _check(results, "results", where, "", ("tasks", "summary"))
    packages = results.get("environment", {}).get("packages", {})
    if not _all(_text)(packages):
        raise InputError(f"{where}: environment.packages is not an object of texts; evaluate again")
    if not _text(results.get("environment", {}).get("command", "")):
        raise InputError(f"{where}: environment.command is not a text; evaluate again")
    for task, entry in results["tasks"].items():
        _check(entry, "task", where, f"tasks.{task}.", ("subsets", "rule"))
        for rule, weights in entry.get("weights", {}).items():
            if absent := sorted(set(weights) - set(entry["subsets"])):
                raise InputError(f"{where}: tasks.{task}.weights.{rule} names {absent[0]!r}, which is no subset of it")
        for name, subset in entry["subsets"].items():
            _check(
                subset, "subset", where, f"tasks.{task}.subsets.{name}.", ("part", "accuracy", "n", "missing", "rows")
            )
            rows = sum(size * times for size, times in subset.get("clusters") or ())
            if rows and rows != (subset.get("hits") or {"n": rows})["n"]:
                raise InputError(
                    f"{where}: tasks.{task}.subsets.{name}.clusters is of {rows} rows, and hits is not; evaluate again"
                )


def _check(entry: dict[str, Any], level: str, where: str, path: str, needed: tuple[str, ...]) -> None:
    absent = [key for key in needed if key not in entry]
    if absent:
        raise InputError(f"{where}: no {path}{absent[0]} in it; evaluate again")
    for key, kind in _keys()[level].items():
        if key in entry and not KINDS[kind](entry[key]):
            raise InputError(f"{where}: {path}{key} is {repr(entry[key])[:60]}, and not {kind}; evaluate again")
