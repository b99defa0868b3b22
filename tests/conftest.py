"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference annotations and photos that lies beside a developer's checkout and CI's."""
    root = Path(os.environ.get("COMPOCLIP_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (root / "reference").is_dir():
        pytest.skip(f"{root}: the shared reference data is not here; set COMPOCLIP_SHARED to its path")
    return root
