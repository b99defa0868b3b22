"""What may be said beside `--resume`: settings that may change, and others only as the run has them already."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compoclip.config import MAY_CHANGE, TrainConfig, changed
from compoclip.errors import InputError
from compoclip.losses import TERMS
from compoclip.progress import console, show
from compoclip.recipes.reading import read_recipe
from compoclip.training.run_directory import PATHS, read_run


def resumed_config(path: Path, recipe: str, given: Mapping[str, Any]) -> TrainConfig:
    """The configuration of the run at `path` with those of the `given` settings that may change.

    Raises InputError naming every other setting that differs from the run's.
    """
    stored = read_run(path)
    try:
        wanted = changed(stored, given)
    except InputError as error:
        raise InputError(f"beside --resume: {error}") from None
    differing = _differing(stored, wanted, given)
    if recipe and (name := read_recipe(recipe).get("name", recipe)) != stored.recipe:
        differing.insert(0, f"recipe {name} (the run's: {stored.recipe})")
    if differing:
        hint = "; data that has moved is named in its config.yaml" if _any_path(differing) else ""
        raise InputError(
            f"{path}: cannot go on with other settings: {', '.join(differing)}. May change: "
            f"{', '.join(sorted(MAY_CHANGE))}{hint}"
        )
    for key in sorted(MAY_CHANGE & set(given)):
        old, new = getattr(stored, key), getattr(wanted, key)
        if old != new:
            show(console, f"{path}: {key} is {new} from here on (was {old})")
    return wanted


def _differing(stored: TrainConfig, wanted: TrainConfig, given: Mapping[str, Any]) -> list[str]:
    out = []
    for key in given:
        if key in MAY_CHANGE or key == "output_dir":
            continue
        if key in TrainConfig.model_fields and key not in ("weights", "options"):
            old, new = getattr(stored, key), getattr(wanted, key)
        else:
            part = "weights" if key in TERMS or key in ("objective", "weights") else "options"
            old, new = getattr(stored, part), getattr(wanted, part)
            if key in (old | new):
                old, new = old.get(key), new.get(key)
        same = old == new or (key in PATHS and old and new and os.path.abspath(old) == os.path.abspath(new))
        if not same:
            out.append(f"{key} {new} (the run's: {old})")
    return out


def _any_path(differing: list[str]) -> bool:
    return any(text.startswith(f"{key} ") for key in PATHS for text in differing)
