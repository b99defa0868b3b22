"""Stops of every sort: kills, torn files, a second program. The same shards in the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from fake_server import FakeServer, asked, caption
from llm_builds import COUNT, KINDS, files_of, recorded, run

from compoclip.errors import InputError
from compoclip.negatives.llm.response_cache import repair
from compoclip.negatives.store import caption_key


def start(some_captions: Path, out: Path, url: str, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "compoclip", "negatives", "build", str(some_captions), "--out", str(out)]
    command += ["--kinds", KINDS, "--llm-url", url, "--llm-model", "m", "--llm-concurrency", "8", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=_hear_interrupts
    )


def _hear_interrupts() -> None:
    """A test run started in the background ignores SIGINT, and would hand that down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_killed_twice_and_resumed(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    """`kill -9` in the middle of asking, twice; nothing recorded is lost, doubled or asked again."""
    out = tmp_path / "out"
    with FakeServer(delay=0.02) as server:
        for stop_at, more in ((40, ()), (120, ("--resume",))):
            process = start(some_captions, out, server.url, *more)
            while (not out.exists() or len(recorded(out)) < stop_at) and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.returncode == -signal.SIGKILL
            assert stop_at <= len(recorded(out)) < 2 * COUNT
            safe = set(recorded(out))
            counts = Counter(json.dumps(asked(json.loads(key))) for key in Counter(dict(server.tries)).elements())
            with pytest.raises(InputError, match="--resume"):
                run(some_captions, out, server.url)
        process = start(some_captions, out, server.url, "--resume")
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        after = Counter(json.dumps(asked(json.loads(key))) for key in Counter(dict(server.tries)).elements())
    assert files_of(out) == files_of(undisturbed)
    assert files_of(out, "manifest.json") == files_of(undisturbed, "manifest.json")
    assert len(recorded(out)) == len(set(recorded(out))) == 2 * COUNT
    ids = {caption_key(caption(i)): caption(i) for i in range(COUNT)}
    for caption_id, kind in safe:
        name = json.dumps([kind, ids[caption_id]])
        assert after[name] == counts[name]
    assert sum(after.values()) <= 2 * COUNT + 2 * 8  # what was under way at a kill


@pytest.mark.parametrize("cut", [1, 40, 10_000])
def test_a_torn_last_line_is_dropped_and_asked_again(
    cut: int, some_captions: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """The state that a kill, or a full disk, may leave: the last `cut` bytes are not there, and no shard yet."""
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    for path in (*out.glob("*.parquet"), out / "manifest.json"):
        path.unlink()
    path = out / "replies-00000.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    whole = len(recorded(out))
    assert whole < 2 * COUNT
    with FakeServer() as server:
        run(some_captions, out, server.url, resume=True)
    asked_again = 0 if cut == 1 else 2 * COUNT - whole  # a line that lacks its end only is whole
    assert server.requests == asked_again
    assert files_of(out) == files_of(undisturbed)
    assert len(recorded(out)) == len(set(recorded(out))) == 2 * COUNT


def test_mending_any_cut(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "x" * (i * 7000)}).encode() + b"\n" for i in (0, 20, 1)]
    whole = b"".join(lines)
    path = tmp_path / "r.jsonl"
    for size in [*range(0, 60), *range(len(whole) - 7050, len(whole) + 1, 50), len(whole) - 1, len(whole)]:
        path.write_bytes(whole[:size])
        repair(path)
        good = sum(size >= len(b"".join(lines[: n + 1])) - 1 for n in range(3))
        assert path.read_bytes() == b"".join(lines[:good])


def test_shards_are_made_again_from_the_replies_alone(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(undisturbed / "replies-00000.jsonl", out)
    run(some_captions, out, "", resume=True)
    assert files_of(out) == files_of(undisturbed)
    assert files_of(out, "manifest.json") == files_of(undisturbed, "manifest.json")


def test_replies_to_other_questions_are_not_taken(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(undisturbed / "replies-00000.jsonl", out)
    with FakeServer() as server:
        run(some_captions, out, server.url, resume=True, temperature=0.1)
    assert server.requests == 2 * COUNT
    with FakeServer() as server:
        run(some_captions, tmp_path / "other", server.url, temperature=0.1)
    assert files_of(out) == files_of(tmp_path / "other")


def test_other_settings_are_refused_on_resume(some_captions: Path, undisturbed: Path) -> None:
    with pytest.raises(InputError, match="other llm"):
        run(some_captions, undisturbed, "", resume=True, rewrites=2)


def test_two_programs_do_not_ask_for_one_folder(some_captions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeServer(delay=0.02) as server:
        process = start(some_captions, out, server.url)
        while (not out.exists() or len(recorded(out)) < 10) and process.poll() is None:
            time.sleep(0.005)
        with pytest.raises(InputError, match="another build"):
            run(some_captions, out, server.url, resume=True)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert server.requests == 2 * COUNT
    assert not [path for path in out.iterdir() if path.name.endswith(".lock")]


def test_interrupted_from_the_keyboard(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeServer(delay=0.02) as server:
        process = start(some_captions, out, server.url)
        while (not out.exists() or len(recorded(out)) < 40) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode in (1, 130)
        assert b"Traceback" not in errors
        run(some_captions, out, server.url, resume=True)
        assert set(server.answered.values()) <= {1, 2}
        assert server.requests <= 2 * COUNT + 8
    assert files_of(out) == files_of(undisturbed)
