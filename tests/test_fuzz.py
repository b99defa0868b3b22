"""The short form of benchmarks/fuzz.py: every reader takes good files, and damaged ones end in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.script_module import load

fuzz = load("benchmarks/fuzz.py")
CASES = {"model": 6, "results": 15, "tar": 15}


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_a_good_file_is_read(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the damaged ones below would test nothing but the first line of a reader."""
    monkeypatch.setattr(fuzz, "damaged", lambda data, rng: data)
    monkeypatch.setattr(fuzz, "relabelled", lambda body, rng: body)
    for number in range(3):
        outcome, where = fuzz.run_case(target, 0, number, limit=300.0)
        assert outcome == "read", where


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_a_damaged_file_ends_in_one_line(target: str) -> None:
    counts, bad = fuzz.run_all([target], 1, lambda done: done >= CASES.get(target, 30), limit=60.0)
    assert sum(counts[target].values()) == CASES.get(target, 30)
    assert not bad, "\n".join(f"--seed 1 --target {t} --case {n}: {what}\n{where}" for t, n, what, where in bad)


def test_a_hang_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def spins(folder: Path, rng: Any) -> None:
        while True:
            try:
                sum(range(1000))
            except Exception:
                continue

    monkeypatch.setitem(fuzz.TARGETS, "csv", spins)
    assert fuzz.run_case("csv", 0, 0, limit=0.2)[0] == "a hang"
