"""Anything that can be measured, by name: a model, `features:FILE`, or `python:module:function`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.callables import as_encoder, from_python
from compoclip.evaluation.feature_file import FeatureFile


def open_encoder(name: Any, device: str = "cpu", activation: str | None = None, precision: str = "fp32") -> Any:
    """A model for `evaluate`: names as `compoclip.load` takes them, `features:FILE`, `python:module:function`, or an
    object, or a pair of functions, handed back ready. Raises InputError for anything else."""
    if not isinstance(name, (str, Path)):
        return as_encoder(name)
    text = str(name)
    if text.startswith(("features:", "python:")):
        if activation is not None or precision != "fp32":
            raise InputError(f"{text}: --activation and --precision are for models that are loaded here")
        kind, _, rest = text.partition(":")
        return FeatureFile(rest) if kind == "features" else from_python(rest)
    from compoclip.models import load

    return load(text, device, activation, precision)
