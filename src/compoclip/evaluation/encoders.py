"""What can be measured: a model by name, `features:FILE`, `python:module:function`, an object, two functions."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.feature_file import FeatureFile

__all__ = ["FunctionEncoder", "as_encoder", "open_encoder"]


class FunctionEncoder:
    """Two functions as one model: `image(list of PIL images)` and `text(list of texts)`, each giving (N, D)."""

    def __init__(self, image: Callable[[Any], Any], text: Callable[[Any], Any], name: str = "functions") -> None:
        self.image, self.text, self.info = image, text, {"name": name}

    def encode_image(self, images: Sequence[Any], batch_size: int = 64) -> Any:
        return self.image(images)

    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> Any:
        return self.text(texts)


def as_encoder(model: Any, name: str | None = None) -> Any:
    """A model as `evaluate` takes it: an object with both methods as it is, a pair of functions as a `FunctionEncoder`.

    Raises InputError for anything else.

    name: what results call it.

    Example: as_encoder((encode_image, encode_text), name="mine")
    """
    if isinstance(model, (tuple, list)) and len(model) == 2 and all(callable(part) for part in model):
        return FunctionEncoder(model[0], model[1], name or "functions")
    absent = [m for m in ("encode_image", "encode_text") if not callable(getattr(model, m, None))]
    if absent:
        raise InputError(
            f"{name or type(model).__name__}: has no {' and no '.join(absent)}; "
            "give an object with encode_image and encode_text, or a pair of functions (images, texts)"
        )
    return model


def from_python(spec: str) -> Any:
    """`package.module:function`, called without arguments; modules of the working directory are found too.

    Raises InputError where it cannot be imported, is not there, fails, or gives no model.
    """
    module_name, _, attribute = spec.partition(":")
    if not module_name or not attribute:
        raise InputError(f"python:{spec}: write python:package.module:function")
    here = os.getcwd()
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        made: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            made = getattr(made, part)
        model = made() if callable(made) and not hasattr(made, "encode_image") else made
        if isinstance(model, type):
            model = model()
    except Exception as error:  # it is somebody's own code
        what = str(error).strip().splitlines()
        raise InputError(f"python:{spec}: {type(error).__name__}: {what[0] if what else ''}") from error
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
    encoder = as_encoder(model, f"python:{spec}")
    if getattr(encoder, "info", None) is None:
        with contextlib.suppress(AttributeError):  # an object with slots keeps its own ways
            encoder.info = {"name": f"python:{spec}"}
    return encoder


def open_encoder(name: Any, device: str = "cpu", activation: str | None = None, precision: str = "fp32") -> Any:
    """A model for `evaluate`: names as `compoclip.load` takes them, `features:FILE`, `python:module:function`, or an
    object, or a pair of functions, handed back ready. Raises InputError for anything else.

    device, activation, precision: as `compoclip.load` takes them.

    name: the model.

    Example: open_encoder("python:my_module:my_model", device="cuda")
    """
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
