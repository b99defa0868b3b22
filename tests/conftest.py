"""Fixtures that several test folders share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# before torch is loaded: threads that wait for work sleep. Where several test processes share two cores, spinning ones
# take the time of those that work (three times the CPU time, measured)
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from compoclip.malloc import keep_freed_memory

keep_freed_memory()  # as the program does: a third of the time of convolutional towers would be page faults
SLOW = Path(__file__).with_name("slow.txt")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what was measured to take long, so that `make test-fast` leaves it out.

    `scripts/slow_tests.py` writes slow.txt from the durations of a whole run; a new test that is slow from the start
    brings the mark itself.
    """
    slow = frozenset(SLOW.read_text(encoding="utf-8").split()) if SLOW.is_file() else frozenset()
    for item in items:
        if item.nodeid.split("[")[0] in slow:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference annotations and photos that lies beside a developer's checkout and CI's."""
    root = Path(os.environ.get("COMPOCLIP_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (root / "reference").is_dir():
        pytest.skip(f"{root}: the shared reference data is not here; set COMPOCLIP_SHARED to its path")
    return root
