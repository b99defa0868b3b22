"""Batch files: written, half answered, answered twice, and the same shards in the end."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, honest
from llm_builds import COUNT, files_of, recorded, run

from compoclip.errors import InputError
from compoclip.negatives.llm import batch


def answers_to(paths: list[Path], chosen: int = 0) -> list[dict[str, Any]]:
    """What a batch service would give back for request files, shuffled."""
    found = []
    for path in paths:
        for line in path.read_text().splitlines():
            request = json.loads(line)
            assert (request["method"], request["url"]) == ("POST", "/v1/chat/completions")
            message = {"role": "assistant", "content": honest(request["body"])}
            body = {"model": "served-model", "choices": [{"finish_reason": "stop", "message": message}]}
            response = {"status_code": 200, "request_id": "r", "body": body}
            found.append({"id": "b", "custom_id": request["custom_id"], "response": response, "error": None})
    random.Random(3).shuffle(found)
    return found


def test_batch_files_there_and_back(
    some_captions: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out in several files, back in part, with errors, strangers and repeats; then the rest."""
    monkeypatch.setattr(batch, "MOST_REQUESTS", 90)
    monkeypatch.setitem(sys.modules, "openai", None)  # nobody is asked
    out, requests = tmp_path / "out", tmp_path / "requests.jsonl"
    summary = run(some_captions, out, batch_out=requests)
    files = [tmp_path / name for name in ("requests.jsonl", "requests-2.jsonl", "requests-3.jsonl")]
    assert summary == {"answered": 0, "open": 2 * COUNT, "files": [str(path) for path in files]}
    assert [len(path.read_text().splitlines()) for path in files] == [90, 90, 60]
    with pytest.raises(InputError, match="is there already"):
        run(some_captions, out, batch_out=requests, resume=True)

    results = answers_to(files)
    assert len({result["custom_id"] for result in results}) == 2 * COUNT
    for result in results[:10]:
        result["response"] = None
        result["error"] = {"code": "batch_expired", "message": "not in time"}
    for result in results[10:15]:
        result["response"] = {"status_code": 500, "body": {"error": {"message": "down"}}}
    strange = [{**results[20], "custom_id": name} for name in ("mine-1", "999999-swap-nouns-0-0123456789abcdef")]
    strange += [{**results[21], "custom_id": results[21]["custom_id"][:-1] + "z"}]
    good, rest = results[15:], tmp_path / "rest.jsonl"
    first, second = tmp_path / "results-1.jsonl", tmp_path / "results-2.jsonl"
    first.write_text("".join(json.dumps(line) + "\n" for line in [*results[:100], *strange]) + '{"cut')
    second.write_text("".join(json.dumps(line) + "\n" for line in [*good[:50], *results[100:180]]))
    summary = run(some_captions, out, batch_in=(first, second), batch_out=rest)
    counts = {"failed": 15, "taken": 165, "unknown": 3, "unreadable": 1, "kept already": 50}
    assert summary == {"results": counts, "answered": 165, "open": 75, "files": [str(rest)]}
    assert not list(out.glob("*.parquet"))

    (tmp_path / "last.jsonl").write_text("".join(json.dumps(line) + "\n" for line in answers_to([rest])))
    manifest = run(some_captions, out, batch_in=(tmp_path / "last.jsonl",))
    assert manifest["negatives"] == 2 * COUNT
    assert files_of(out) == files_of(undisturbed)
    assert len(recorded(out)) == len(set(recorded(out))) == 2 * COUNT


def test_batch_and_server_share_the_work(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    out, requests = tmp_path / "out", tmp_path / "requests.jsonl"
    run(some_captions, out, batch_out=requests)
    results = answers_to([requests])[:150]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in results))
    summary = run(some_captions, out, batch_in=(tmp_path / "results.jsonl",))
    assert (summary["answered"], summary["open"]) == (150, 90)
    with FakeServer() as server:
        run(some_captions, out, server.url, resume=True)
    assert server.requests == 90
    assert files_of(out) == files_of(undisturbed)


def test_batch_files_end_at_their_size(some_captions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST_BYTES", 60_000)
    files = run(some_captions, tmp_path / "out", batch_out=tmp_path / "r.jsonl")["files"]
    sizes = [Path(name).stat().st_size for name in files]
    assert len(sizes) > 3
    assert max(sizes) <= 60_000
    assert sum(len(Path(name).read_text().splitlines()) for name in files) == 2 * COUNT


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file of batch results"), ("a,b\n", "contains no batch results")]
)
def test_files_that_are_no_results(content: str | None, message: str, some_captions: Path, tmp_path: Path) -> None:
    run(some_captions, tmp_path / "out", batch_out=tmp_path / "r.jsonl")
    if content is not None:
        (tmp_path / "results.jsonl").write_text(content)
    with pytest.raises(InputError, match=f"results.jsonl: {message}"):
        run(some_captions, tmp_path / "out", batch_in=(tmp_path / "results.jsonl",))
