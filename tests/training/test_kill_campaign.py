"""A handful of the kill campaign's trials; benchmarks/kill_campaign.py runs as many as wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill_campaign.py"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks its runs")
def test_killed_runs_end_with_the_unbroken_run_s_weights() -> None:
    only = ["--only", "lock-text", "--only", "one checkpoint"]
    command = [sys.executable, str(SCRIPT), "--trials", "4", "--seed", "3", *only]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "4 trials" in done.stdout
    assert "4 byte-equal without leftovers" in done.stdout
