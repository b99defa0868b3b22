"""Builds of the same captions against the tests' server, which several test files share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from compoclip.config import LLMOptions
from compoclip.negatives.build import build

KINDS = "llm:swap-nouns,llm:replace-nouns"
COUNT = 120


def run(captions: Path, out: Path, url: str = "", resume: bool = False, **given: Any) -> dict[str, Any]:
    options = LLMOptions(model="m", **{"url": url, "backoff": 0.01, "concurrency": 8, **given})
    return build(captions, out, KINDS, per_caption=4, shard_size=4096, resume=resume, llm=options)


def files_of(out: Path, pattern: str = "negatives-*.parquet") -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in out.glob(pattern)}
    assert found
    return found


def recorded(out: Path) -> list[tuple[str, str]]:
    """(caption id, kind) of every whole line."""
    found = []
    for path in out.glob("replies-*.jsonl"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            record = json.loads(line)
            found.append((record["caption_id"], record["kind"]))
    return found
