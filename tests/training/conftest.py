"""The small models of the model tests, for the training tests too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compoclip.models import Model
from models.clips import make, register


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Model]:
    """`clip(name, seed=0)` makes one of the small models of `models.clips.CONFIGS`."""
    register(tmp_path_factory.mktemp("configurations"))
    return make
