"""Fixtures of the model tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compoclip.models import Model

from .clips import make, register


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Model]:
    """`clip(name, seed=0)` makes one of the small models of `clips.CONFIGS`."""
    register(tmp_path_factory.mktemp("configurations"))
    return make
