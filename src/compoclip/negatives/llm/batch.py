"""Bulk files: requests out, results in, in the JSONL form of OpenAI's batch service, for models run elsewhere."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.io import atomic_path
from compoclip.negatives.caption_db import CaptionDB
from compoclip.negatives.llm.answers import Answer, read_answer
from compoclip.negatives.llm.requests import LLMRequest, Questions
from compoclip.negatives.llm.response_cache import ResponseCache

URL = "/v1/chat/completions"
MOST_REQUESTS, MOST_BYTES = 50_000, 190 * 10**6  # a file; the service takes 50,000 and 200 MB
_ID = re.compile(r"(\d{1,12})-([a-z]+(?:-[a-z]+)*)-(\d{1,6})-([0-9a-f]{16})")


def write_batch(path: str | Path, requests: Iterable[LLMRequest]) -> tuple[list[str], int]:
    """Write requests to `path`, and to siblings `NAME-2.jsonl`, ... where they are too many for one file.

    The files' names and the number of requests come back. Raises InputError where a file is there already.
    """
    path = Path(path)
    lines = (_line(request) for request in requests)
    names: list[str] = []
    written = 0
    for first in lines:
        part = path if not names else path.with_name(f"{path.stem}-{len(names) + 1}{path.suffix}")
        if part.exists():
            raise InputError(f"{part}: is there already; name another file with --llm-batch-out")
        with atomic_path(part) as temporary, open(temporary, "wb") as handle:
            size = count = 0
            for line in chain([first], lines):
                handle.write(line)
                size, count = size + len(line), count + 1
                if count == MOST_REQUESTS or size + 2 * len(line) > MOST_BYTES:
                    break
        names.append(str(part))
        written += count
    return names, written


def _line(request: LLMRequest) -> bytes:
    line = {"custom_id": request.custom_id, "method": "POST", "url": URL, "body": request.body}
    return json.dumps(line, ensure_ascii=True).encode("ascii") + b"\n"


def take_batch(
    files: Sequence[str | Path],
    questions: Questions,
    table: CaptionDB,
    shard_size: int,
    log: ResponseCache,
    kept: Iterable[str],
    advance: Callable[[], None] = lambda: None,
) -> Counter[str]:
    """Keep the replies in result files, in whatever order they come, each once.

    kept: digests of requests that have a reply; advance: called once a line. Counts come back: "taken",
    "kept already", "unknown" (no request of this build), "failed" (the model's side gave an error; the request stays
    open), "unreadable" lines.
    Raises InputError for a file that is missing or contains no result at all.
    """
    counts: Counter[str] = Counter()
    with closing(_Seen(kept)) as seen:
        for path in map(Path, files):
            before = counts["unreadable"], counts.total()
            for custom_id, answer in _results(path, counts):
                advance()
                request = _request_of(custom_id, questions, table)
                if request is None:
                    counts["unknown"] += 1
                elif answer is None:
                    counts["failed"] += 1
                elif not seen.add(request.digest):
                    counts["kept already"] += 1
                else:
                    log.add(request.place // shard_size, request, answer)
                    counts["taken"] += 1
            unreadable, lines = counts["unreadable"] - before[0], counts.total() - before[1]
            if unreadable == lines:
                raise InputError(f"{path}: contains no batch results (JSON lines with custom_id and response)")
    return counts


def _results(path: Path, counts: Counter[str]) -> Iterator[tuple[str, Answer | None]]:
    """(custom_id, answer) of each line; None for a request that failed."""
    if not path.is_file():
        raise InputError(f"{path}: no such file of batch results")
    with open(path, "rb") as handle:
        for line in handle:
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                custom_id = record["custom_id"]
            except (ValueError, KeyError, TypeError, RecursionError):
                counts["unreadable"] += 1
                continue
            yield str(custom_id), _answer_of(record)


def _answer_of(record: dict[str, Any]) -> Answer | None:
    response = record.get("response")
    if record.get("error") or not isinstance(response, dict) or response.get("status_code", 200) != 200:
        return None
    try:
        return read_answer(response.get("body"))
    except ValueError:
        return None


def _request_of(custom_id: str, questions: Questions, table: CaptionDB) -> LLMRequest | None:
    found = _ID.fullmatch(custom_id)
    if found is None:
        return None
    index, kind, k = int(found[1]), found[2], int(found[3])
    if index >= len(table) or kind not in questions.kinds or k >= questions.options.rounds:
        return None
    request = questions.request(index, table.part(index, index + 1)[0], kind, k)
    return request if request.digest == found[4] else None


class _Seen:
    """Digests, each once, on the disk: millions of them would not be flat in memory."""

    def __init__(self, digests: Iterable[str]) -> None:
        self._base = sqlite3.connect("", isolation_level=None)
        self._base.execute("CREATE TABLE seen (digest INTEGER PRIMARY KEY)")
        self._base.execute("BEGIN")
        for digest in digests:
            self.add(digest)

    def add(self, digest: str) -> bool:
        """False where it was there already."""
        number = int(digest, 16) - (1 << 63)  # SQLite's integers have a sign
        return self._base.execute("INSERT OR IGNORE INTO seen VALUES (?)", (number,)).rowcount == 1

    def close(self) -> None:
        self._base.close()
