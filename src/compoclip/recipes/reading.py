"""Recipes: YAML files of which each may extend another and says only what differs."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from compoclip.errors import InputError
from compoclip.io import parse_yaml

# what a recipe may say; `expected` has source, figures (name -> percent) and tolerance (name or `default` -> points)
KEYS = {
    "name", "extends", "group", "summary", "source", "objective", "train", "expected", "notes",
    "data", "negatives", "hardware", "ranks", "differences",
}  # fmt: skip
OWN = {"name", "extends"}  # never inherited


def recipe_names() -> list[str]:
    folder = resources.files("compoclip") / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def read_recipe(name: str) -> dict[str, Any]:
    """A recipe by name or by path, with everything it inherits in place.

    Mappings are merged key by key, anything else is replaced, and `null` takes an inherited key out; an objective of
    another name or with weights of its own replaces the inherited one whole.

    Raises InputError for a name that is not there (listing what is), unknown keys, and recipes that extend each other.
    """
    return _read(name, ())


def _read(name: str, trail: tuple[str, ...]) -> dict[str, Any]:
    if name in trail:
        raise InputError(f"recipe {trail[0]}: {' -> '.join([*trail, name])} extend each other")
    recipe = _open(name)
    unknown = set(recipe) - KEYS
    if unknown or not isinstance(recipe.get("train", {}), dict):
        raise InputError(f"recipe {name}: unknown keys {sorted(unknown)}; fields of the run go under 'train'")
    parent = recipe.get("extends")
    if parent is None:
        return recipe
    inherited = {k: v for k, v in _read(str(parent), (*trail, name)).items() if k not in OWN}
    objective = recipe.get("objective")
    if isinstance(objective, dict) and ({"name", "weights"} & set(objective)):
        inherited.pop("objective", None)
    merged = _merge(inherited, {k: v for k, v in recipe.items() if k != "extends"})
    return {"extends": parent, **merged}


def _merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in change.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = _merge(out[key], value)
        else:
            out[key] = value
    return out


def _open(name: str) -> dict[str, Any]:
    if name.endswith((".yaml", ".yml")):
        return read_yaml(Path(name))
    known = recipe_names()
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise InputError(f"unknown recipe {name!r}{hint}; known: {', '.join(known)}, or the path of a YAML file")
    return deepcopy(_packaged(name))


@cache
def _packaged(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(
        (resources.files("compoclip") / "recipes" / f"{name}.yaml").read_text("utf-8")
    )
    return found


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that contains a mapping. Raises InputError with the line where it breaks."""
    try:
        value = parse_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}:{where} is not valid YAML") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a mapping of settings")
    return value
