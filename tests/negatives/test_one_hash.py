"""One output for one input: workers, hash seeds, batches, shards, kills and Ray change nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compoclip.errors import InputError, RunError
from compoclip.language.parser import Parser
from compoclip.negatives import on_ray
from compoclip.negatives.build import build
from compoclip.negatives.captions import read_captions
from compoclip.negatives.store import iterate, read_negatives

KINDS = "swap-nouns,replace-nouns,replace-adjectives,replace-relations,shuffle"
SHARD = 30
RUN = f"""
import sys
from compoclip.negatives.build import build
if __name__ == "__main__":
    build(sys.argv[1], sys.argv[2], {KINDS!r}, 4, workers=2, seed=3, shard_size={SHARD}, resume=len(sys.argv) > 3)
"""


def digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


def rows_of(folder: Path) -> str:
    return hashlib.sha256(repr(list(iterate(folder))).encode()).hexdigest()


def start(captions: Path, out: Path, hash_seed: str, *more: str) -> subprocess.Popen[bytes]:
    script = captions.parent / "run.py"
    script.write_text(RUN)
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(captions), str(out), *more]
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, start_new_session=True)


def alive(group: int) -> list[str]:
    """Processes of a group that still run, from /proc (Linux); dead ones that nobody has asked after do not count."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, own = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has just ended
            continue
        if own == str(group) and state not in "ZX":
            found.append(path.parent.name)
    return found


@pytest.fixture(scope="module")
def captions(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 300 of NegCLIP's validation captions, with their images."""
    rows, _ = read_captions(shared / "reference/annotations/negclip_valid.tsv")
    path = tmp_path_factory.mktemp("captions") / "captions.jsonl"
    path.write_text("".join(json.dumps({"image": row.image, "caption": row.text}) + "\n" for row in rows[:300]))
    return path


@pytest.fixture(scope="module")
def reference(captions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One process, this process's hash seed, the parser's own batches."""
    out = tmp_path_factory.mktemp("reference") / "out"
    manifest = build(captions, out, KINDS, 4, seed=3, shard_size=SHARD)
    assert manifest["captions"] == 300
    assert manifest["negatives"] > 1050
    return out


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 37, 300])
def test_batches_and_shards_change_no_row(captions, reference, tmp_path, monkeypatch, size):
    """The parser's batches, for equal bytes; with them the shards, for equal rows."""
    parse = Parser.parse
    monkeypatch.setattr(Parser, "parse", lambda self, texts, batch_size=0: parse(self, texts, size))
    build(captions, tmp_path / "out", KINDS, 4, seed=3, shard_size=SHARD if size > 1 else 100)
    assert rows_of(tmp_path / "out") == rows_of(reference)
    assert (digest(tmp_path / "out") == digest(reference)) == (size > 1)


@pytest.mark.slow
def test_two_workers_two_hash_seeds_a_kill_and_a_resume(captions, reference, tmp_path):
    """Two workers with one hash seed are killed in the middle; two with another finish what they began."""
    out = tmp_path / "out"
    process = start(captions, out, "1")
    while len(list(out.glob("negatives-*.parquet"))) < 3 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists(), "the build was over before it could be killed"
    with pytest.raises(InputError, match="--resume"):
        build(captions, out, KINDS, 4, seed=3, shard_size=SHARD)
    with pytest.raises(InputError, match="no manifest"):
        read_negatives(out)
    began = {path.name for path in out.glob("negatives-*.parquet")}
    assert 3 <= len(began) < 10
    for _ in range(3000):  # a minute, for what takes no time: workers end with their parent
        if not alive(process.pid):
            break
        time.sleep(0.02)
    assert not alive(process.pid)
    process = start(captions, out, "2", "resume")
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert digest(out) == digest(reference)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.parquet")}
    build(captions, out, KINDS, 4, seed=3, shard_size=SHARD, resume=True)  # nothing is left to do
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.parquet")} == before
    assert digest(out) == digest(reference)


def dying(marker: Path, always: bool) -> type[on_ray.Worker]:
    """A worker whose process is killed when it gets its second shard: once, or every time."""

    class Dying(on_ray.Worker):
        def make(self, job):
            if job.number == 1 and (always or not marker.exists()):
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().make(job)

    return Dying


@pytest.mark.slow
def test_ray_with_two_workers_one_of_which_dies(captions, reference, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(on_ray, "Worker", dying(tmp_path / "died", always=False))
    build(captions, tmp_path / "out", KINDS, 4, seed=3, shard_size=SHARD, engine="ray", workers=2)
    assert (tmp_path / "died").exists()
    assert digest(tmp_path / "out") == digest(reference)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not ray.is_initialized()  # what was started for the build has ended with it


@pytest.mark.slow
def test_ray_that_was_there_before(tmp_path, monkeypatch):
    """It is used and left running; a shard that kills every worker, and another version, are told in a line."""
    ray = pytest.importorskip("ray")
    path = tmp_path / "captions.txt"
    path.write_text("".join(f"a dog sees {number} cats and a red bird\n" for number in range(60)))
    build(path, tmp_path / "local", "shuffle", shard_size=10)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        monkeypatch.setattr(on_ray, "Worker", dying(tmp_path / "died", always=True))
        with pytest.raises(RunError, match=r"3 workers died over shard 1 .*--resume"):
            build(path, tmp_path / "out", "shuffle", shard_size=10, engine="ray", workers=2)
        monkeypatch.undo()
        monkeypatch.setattr(on_ray.Worker, "versions", lambda self: {"spacy": "0.1"})
        with pytest.raises(InputError, match=r"spacy 0\.1, here .*install the same"):
            build(path, tmp_path / "other", "shuffle", shard_size=10, engine="ray")
        assert ray.is_initialized()
    finally:
        ray.shutdown()
    build(path, tmp_path / "out", "shuffle", shard_size=10, resume=True)
    assert digest(tmp_path / "out") == digest(tmp_path / "local")
