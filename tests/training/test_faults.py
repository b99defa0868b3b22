"""What ends a run from outside: processes and workers that are killed. benchmarks/faults.py does it to whole runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from compoclip.data.loader import naming_lost_workers
from compoclip.distributed import Ranks
from compoclip.errors import RunError
from compoclip.training.runlog import RunLog
from training.processes import on_ranks

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "faults.py"


@pytest.mark.parametrize("count", [2, 3])
def test_a_process_that_is_killed_ends_the_others_with_one_message(count: int, tmp_path: Path) -> None:
    def work(ranks: Ranks) -> None:
        ranks.total(torch.ones(1))
        if ranks.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            ranks.total(torch.ones(1))
        except RunError:
            (tmp_path / f"{ranks.rank}").touch()
            raise

    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"Lost: another process of this run ended; .*--resume"):
        on_ranks(count, work)
    assert time.monotonic() - began < 60
    assert (tmp_path / "0").exists()


def test_the_first_process_tells_why_another_one_failed_by_itself() -> None:
    def work(ranks: Ranks) -> None:
        ranks.total(torch.ones(1))
        with naming_lost_workers():
            if ranks.rank:
                raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. \nmore")
            ranks.total(torch.ones(1))

    words = r"RunError: DataLoader worker \(pid 7\) is killed by signal: Killed. Use fewer workers"
    with pytest.raises(AssertionError, match=words):
        on_ranks(2, work)


def test_a_lost_worker_is_named_once_and_other_errors_are_left_alone() -> None:
    words = r"Killed\. Use fewer workers, or more memory \(or /dev/shm\) for them\.$"
    with pytest.raises(RunError, match=words), naming_lost_workers(), naming_lost_workers():
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")
    with pytest.raises(RuntimeError, match="another thing") as caught, naming_lost_workers():
        raise RuntimeError("another thing")
    assert not isinstance(caught.value, RunError)


def test_curves_that_cannot_be_written_are_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorboard")
    with RunLog(tmp_path, 40, 0, ["tensorboard"]) as log:
        board = log.trackers["tensorboard"].board  # type: ignore[attr-defined]
        board.flush()  # or the folder fills again while it is removed
        shutil.rmtree(tmp_path / "tensorboard")
        deadline = time.monotonic() + 20
        while "no more curves for tensorboard" not in (told := capsys.readouterr().err):
            log.step(1, {"loss": 1.0, "samples_per_second": 1.0}, True)
            with contextlib.suppress(OSError):  # what the program must survive is what step does
                board.flush()
            assert time.monotonic() < deadline
    assert "Traceback" not in told + capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks its runs")
def test_killed_runs_end_with_the_unbroken_run_s_weights(tmp_path: Path) -> None:
    only = ["--only", "one checkpoint", "--only", "stream, 2 ranks"]
    command = [sys.executable, str(SCRIPT), "--trials", "4", "--seed", "3", "--kills-only", *only]
    done = subprocess.run([*command, "--work", str(tmp_path)], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    for line in ("samples lost: 0", "samples repeated: 0", "checkpoints unreadable: 0"):
        assert f"{line}\n" in done.stdout
    assert "as the unbroken run" in done.stdout
    kills = int(done.stdout.split("kills: ")[1].split()[0])
    assert kills >= 4
