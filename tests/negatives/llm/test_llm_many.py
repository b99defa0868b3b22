"""Four thousand requests, 64 at once, against a server in a process of its own: memory stays where it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_server import caption

COUNT = 2000  # captions; two kinds
RUN = """
import os, resource, sys, time
from compoclip.negatives.build import build
from compoclip.negatives.llm import collecting
from compoclip.config import LLMOptions

def resident():
    try:
        with open("/proc/self/statm") as handle:
            return int(handle.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:  # no Linux: the most there has been, in bytes or KiB
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

class Watched(collecting.ResponseCache):
    done = 0
    def add(self, *reply):
        kept = super().add(*reply)
        Watched.done += 1
        if Watched.done % 500 == 0:
            print(Watched.done, resident(), time.monotonic(), flush=True)
        return kept

collecting.ResponseCache = Watched
options = LLMOptions(model="m", url=sys.argv[3], concurrency=64)
build(sys.argv[1], sys.argv[2], "llm:swap-nouns,llm:replace-nouns", per_caption=2, shard_size=1024, llm=options)
"""


@pytest.mark.slow
def test_memory_is_flat_over_four_thousand_requests(tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("\n".join(map(caption, range(COUNT))) + "\n")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    script = Path(__file__).with_name("fake_server.py")
    server = subprocess.Popen([sys.executable, str(script), str(tmp_path / "url")], env=environment)
    try:
        while not (tmp_path / "url").exists():
            assert server.poll() is None
            time.sleep(0.05)
        time.sleep(0.1)
        arguments = [str(tmp_path / "captions.txt"), str(tmp_path / "out"), (tmp_path / "url").read_text()]
        done = subprocess.run([sys.executable, "-c", RUN, *arguments], env=environment, capture_output=True, text=True)
    finally:
        server.kill()
        server.wait()
    assert done.returncode == 0, done.stderr
    samples = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    memory = {int(number): resident for number, resident, _ in samples}
    assert sorted(memory) == list(range(500, 2 * COUNT + 1, 500))
    growth = max(memory[number] for number in memory if number >= 1000) - memory[1000]
    rate = (samples[-1][0] - samples[0][0]) / (samples[-1][2] - samples[0][2])
    print(f"{rate:.0f} requests/s, {memory[1000] / 1e6:.0f} MB after 1,000, at most {growth / 1e6:.1f} MB more after")
    assert growth < 8e6
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["negatives"] == 2 * COUNT
    lines = [line for path in (tmp_path / "out").glob("replies-*.jsonl") for line in path.read_text().splitlines()]
    assert len(lines) == 2 * COUNT
    assert len({json.loads(line)["request"] for line in lines}) == 2 * COUNT
