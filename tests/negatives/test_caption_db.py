"""The table of captions against dictionaries that hold everything, and the memory of a build that uses it."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from compoclip.negatives.caption_db import Caption, CaptionDB
from compoclip.negatives.store import caption_key

Row = tuple[str, str, str]


def slow(rows: list[Row]) -> list[Caption]:
    """What the table should give, from dictionaries."""
    truths: dict[str, set[str]] = {}
    for _, text, image in rows:
        truths.setdefault(image, set()).add(text)
    numbered: dict[str, int] = {}
    used: set[str] = set()
    found = []
    for given, text, image in rows:
        key = given or (f"{image}#{numbered.get(image, 0)}" if image else caption_key(text))
        if image and not given:
            numbered[image] = numbered.get(image, 0) + 1
        own, repeat = key, 1
        while own in used:
            repeat += 1
            own = f"{key}~{repeat}"
        used.add(own)
        others = tuple(sorted(truths[image] - {text})) if image else ()
        found.append(Caption(own, text, image, others))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_as_dictionaries_would_have_it(tmp_path, seed):
    """Ids given, numbered, hashed and taken; images apart from each other; texts with marks that SQL knows."""
    rng = random.Random(seed)
    texts = ["a dog", "a cat", "it's é", 'a "b" %_', "x'); DROP TABLE captions; --", "a\x00b", "ü"]
    images = ["", "", "p.jpg", "q.jpg", "P.jpg", "é.jpg"]
    ids = ["", "", "7", "p.jpg#0", "p.jpg#0~2", caption_key("a dog")]
    rows = [(rng.choice(ids), rng.choice(texts), rng.choice(images)) for _ in range(300)]
    wanted = slow(rows)
    path = tmp_path / "table"
    with CaptionDB(path) as table:
        table.fill(iter(rows))
        assert len(table) == 300
        assert table.part(0, 300) == wanted
        assert table.part(120, 133) == wanted[120:133]
        assert table.part(299, 400) == wanted[299:]
        assert list(table.texts()) == [text for _, text, _ in rows]
        assert table.images == len({image for _, _, image in rows if image})
        digest = hashlib.sha256()
        for caption in wanted:
            digest.update("\x1f".join([caption.caption_id, caption.text, caption.image, ""]).encode())
        assert table.sha256 == digest.hexdigest()
        assert path.exists()
    assert not path.exists()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_captions():
    """Everything but the parser, by the benchmark's own measure: peak resident size of a process of its own."""
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc, which is Linux's")
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "build_memory.py"
    peaks = {}
    for captions in (10_000, 50_000):
        command = [sys.executable, str(script), "--one", "--captions", str(captions)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks[captions] = json.loads(told)["parent"]
    assert 50 < peaks[10_000] < 400  # MB
    assert peaks[50_000] - peaks[10_000] < 12  # lists of captions take half a kilobyte each, which makes 20
