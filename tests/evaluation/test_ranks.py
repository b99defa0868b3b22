"""Several processes on one evaluation: equal results, one writer, and no process left waiting for another's failure."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.evaluation.fakes import RandomModel, picture, png, write
from tests.test_cli import run as cli

from compoclip.cli import main
from compoclip.distributed import ALONE, joined, together
from compoclip.errors import InputError
from compoclip.evaluation import evaluate

REPOSITORY = Path(__file__).resolve().parents[2]


def start(folder: Path, count: int, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    """`compoclip eval` as `count` processes with what torchrun puts in their environment."""
    return python(folder, count, "-m", "compoclip", "eval", *arguments)


def python(folder: Path, count: int, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    running = []
    for rank in range(count):
        own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
        own |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        own |= {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), *sys.path])}
        command = [sys.executable, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command, env={**os.environ, **own}, cwd=folder, **pipes))  # type: ignore[call-overload]
    done = []
    for process in running:
        out, err = process.communicate(timeout=180)
        done.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    return done


def comparable(path: Path) -> tuple[dict[str, Any], str]:
    results = json.loads(path.read_text())
    samples = path.with_name(results["samples"]).read_text()
    return {k: v for k, v in results.items() if k not in ("seconds", "environment", "samples")}, samples


@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path: Path, capsys: Any) -> None:
    world = ["tiny", "--tasks", "world", "--limit", "10", "--batch-size", "16", "--log-samples"]
    cached = [*world, "--cache-dir", str(tmp_path / "cache")]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes have it: sums of another order differ in the last bit
    try:
        one = cli(capsys, "eval", *world, "--output-path", str(tmp_path / "one.json"))
    finally:
        torch.set_num_threads(threads)
    assert one[0] == 0, one[2]
    two = start(tmp_path, 2, *cached, "--output-path", "two.json")
    again = start(tmp_path, 2, *cached, "--output-path", "again.json")
    for done in (*two, *again):
        assert done.returncode == 0, done.stderr
    for pair in (two, again):
        assert "tiny" in pair[0].stdout
        assert "encode images and captions" in pair[0].stderr
        assert pair[1].stdout == ""
        assert "encode" not in pair[1].stderr
    assert comparable(tmp_path / "two.json") == comparable(tmp_path / "one.json")
    assert comparable(tmp_path / "again.json") == comparable(tmp_path / "one.json")
    assert "encode images and captions 0 " in again[0].stderr  # everything came from the cache
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 2


@pytest.mark.slow
def test_a_failure_of_one_is_told_once_and_ends_both(tmp_path: Path) -> None:
    lines = [f"{i}.png\tcaption {i}" for i in range(4)]
    write(tmp_path / "data" / "captions.tsv", "image\tcaption\n" + "\n".join(lines) + "\n")
    for i in range(4):
        write(tmp_path / "data" / "images" / f"{i}.png", png(picture(i)))
    write(tmp_path / "data" / "images" / "3.png", b"no image")  # the second rank's
    arguments = ["--tasks", "retrieval", "--data-root", "data", "--batch-size", "2"]
    first, second = start(tmp_path, 2, "tiny", *arguments)
    errors = [line for line in first.stderr.splitlines() if "error" in line]
    assert first.returncode == 2
    assert len(errors) == 1
    assert "3.png: not an image of a known format" in errors[0]
    assert second.returncode == 0
    assert "error" not in second.stderr


THREADS = """
import os
from compoclip.distributed import joined
names = lambda: {open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")}
with joined() as ranks:
    import open_clip  # a model is opened when the group is there
    assert ranks.share(ranks.rank) == [0, 1]
    assert any("gloo" in name for name in names()), names()
assert not any("gloo" in name for name in names()), names()
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are counted in /proc")
def test_no_thread_of_the_group_outlives_it(tmp_path: Path) -> None:
    """One that does may want the interpreter while it ends, and then the process is aborted."""
    for done in python(tmp_path, 2, "-c", THREADS):
        assert done.returncode == 0, done.stderr


def test_one_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # by itself it says nothing of other processes
    with joined() as ranks:
        assert ranks is ALONE
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "1")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined() as ranks:
        assert (ranks.rank, ranks.count) == (0, 1)
        assert ranks.share(3) == [3]
        assert ranks.same("x") == "x"
        assert evaluate(RandomModel(), "world", limit=3, ranks=ranks)["tasks"]
        with pytest.raises(InputError, match="wrong"):
            together(ranks, lambda: (_ for _ in ()).throw(InputError("wrong")))


@pytest.mark.parametrize(
    ("rank", "words"), [("0", "process 0 cannot meet the others at"), ("1", "process 1 found no first process at")]
)
def test_a_process_alone_gives_up_in_one_line(
    rank: str, words: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    told = {"RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in {**told, "COMPOCLIP_START_TIMEOUT": "0.5"}.items():
        monkeypatch.setenv(name, value)
    started = time.monotonic()
    with pytest.raises(SystemExit) as stop:
        main(["eval", "tiny", "--tasks", "world"])
    said = capfd.readouterr().err
    assert stop.value.code == 1
    assert time.monotonic() - started < 20
    assert f"{words} " in said
    assert rank == "1" or "1/2" in said  # who has come
    assert f"127.0.0.1:{port} within 0.5 s (COMPOCLIP_START_TIMEOUT=SECONDS waits longer)" in said
    assert len(said.strip().splitlines()) == 1, said
    monkeypatch.setenv("COMPOCLIP_START_TIMEOUT", "soon")
    with pytest.raises(InputError, match="COMPOCLIP_START_TIMEOUT=soon: give the seconds"), joined():
        pass
