"""Every reply, kept: one line of JSON each, only ever added to, in a file beside each shard."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from compoclip.errors import InputError
from compoclip.negatives.llm.answers import Answer, counted
from compoclip.negatives.llm.prompts import PROMPT_VERSION
from compoclip.negatives.llm.requests import LLMRequest

SYNC_EVERY = 256  # replies that a power cut (not a kill) may cost
OPEN_FILES = 4
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)


def cache_name(shard: int) -> str:
    return f"replies-{shard:05d}.jsonl"


class ResponseCache:
    """Appends replies. A line is written at once and whole, so a killed program loses none that `add` returned from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[int, int] = {}  # shard: descriptor, the last used at the end
        self._unsynced = 0

    def add(self, shard: int, request: LLMRequest, answer: Answer) -> Answer:
        """Keep a reply; it comes back with its tokens counted, or estimated where the server did not count."""
        told = answer.prompt_tokens is not None and answer.completion_tokens is not None
        answer = counted(answer, request.body)
        line = json.dumps(
            {
                "caption_id": request.caption_id,
                "kind": request.kind,
                "k": request.k,
                "request": request.digest,
                "prompt_sha256": request.prompt,
                "prompt_version": PROMPT_VERSION,
                "model": answer.model or request.body["model"],
                "seed": request.body.get("seed"),
                "text": answer.text,
                "finish_reason": answer.finish_reason,
                "usage": {
                    "prompt_tokens": answer.prompt_tokens,
                    "completion_tokens": answer.completion_tokens,
                    "estimated": not told,
                },
                "error": answer.error,
            },
            ensure_ascii=True,  # half of a surrogate pair, which models do write, is no UTF-8
        )
        data = memoryview(line.encode("ascii") + b"\n")
        descriptor = self._descriptor(shard)
        while data:
            data = data[os.write(descriptor, data) :]
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY:
            self.sync()
        return answer

    def sync(self) -> None:
        for descriptor in self._open.values():
            os.fsync(descriptor)
        self._unsynced = 0

    def close(self) -> None:
        self.sync()
        while self._open:
            os.close(self._open.popitem()[1])

    def __enter__(self) -> ResponseCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _descriptor(self, shard: int) -> int:
        if shard in self._open:
            self._open[shard] = self._open.pop(shard)
            return self._open[shard]
        if len(self._open) >= OPEN_FILES:
            oldest = self._open.pop(next(iter(self._open)))
            os.fsync(oldest)
            os.close(oldest)
        path = self.folder / cache_name(shard)
        self._open[shard] = os.open(path, _APPEND, 0o644)
        return self._open[shard]


def repair(path: Path) -> int:
    """Take off a last line that a kill cut short; how many bytes that was comes back. A whole one gets its line end."""
    with open(path, "r+b") as handle:
        end = start = handle.seek(0, os.SEEK_END)
        tail = b""
        while start and b"\n" not in tail:
            step = min(1 << 16, start)
            start -= step
            handle.seek(start)
            tail = handle.read(step) + tail
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return 0
        try:
            json.loads(torn)
        except ValueError:
            handle.truncate(end - len(torn))
            return len(torn)
        handle.seek(0, os.SEEK_END)
        handle.write(b"\n")
        return 0


def cached_answers(path: Path) -> Iterator[tuple[str, Answer]]:
    """The replies of a file, each with its request's digest. Raises InputError for a line that is none, naming it."""
    with open(path, "rb") as handle:
        for number, line in enumerate(handle, 1):
            try:
                record = json.loads(line)
                usage = record["usage"]
                tokens = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
                said = str(record["text"]), str(record["finish_reason"]), str(record["model"])
                yield str(record["request"]), Answer(*said, *tokens, str(record["error"]))
            except (ValueError, KeyError, TypeError):
                raise InputError(f"{path} row {number}: not a reply; delete that line and run with --resume") from None


def read_cache(folder: Path, shard: int) -> dict[str, Answer]:
    """Replies of a shard by their request's digest, the first of each; {} where there are none."""
    path = folder / cache_name(shard)
    found: dict[str, Answer] = {}
    if path.is_file():
        for digest, answer in cached_answers(path):
            found.setdefault(digest, answer)
    return found
