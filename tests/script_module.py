"""A script or benchmark as a module: they are run by path and are part of no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any


def load(name: str) -> Any:
    """The module of a file of the repository, such as `scripts/check_layout.py`."""
    path = Path(__file__).parents[1] / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses of the script look their module up
    spec.loader.exec_module(module)
    return module
