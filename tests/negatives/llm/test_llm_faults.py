"""Every fault a server can have: nothing lost, nothing doubled, all of it counted."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fake_server import Does, FakeServer, asked, caption, rewrite, well

from compoclip.config import LLMOptions
from compoclip.errors import InputError, RunError
from compoclip.negatives import read_negatives
from compoclip.negatives.build import build

KINDS = "llm:swap-nouns,llm:replace-nouns"
COUNT = 30


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("captions") / "captions.txt"
    path.write_text("\n".join(map(caption, range(COUNT))) + "\n")
    return path


def options(server: FakeServer, **given: Any) -> LLMOptions:
    return LLMOptions(model="m", **{"url": server.url, "backoff": 0.01, "concurrency": 8, **given})


def run(captions: Path, out: Path, server: FakeServer, resume: bool = False, **given: Any) -> dict[str, Any]:
    return build(captions, out, KINDS, per_caption=4, shard_size=12, resume=resume, llm=options(server, **given))


def shards_of(out: Path) -> str:
    files = sorted(out.glob("negatives-*.parquet"))
    assert files
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


def keys_of(out: Path) -> Counter[tuple[str, str, int]]:
    lines = [json.loads(line) for path in sorted(out.glob("replies-*.jsonl")) for line in path.read_text().splitlines()]
    return Counter((line["caption_id"], line["kind"], line["k"]) for line in lines)


@pytest.fixture(scope="module")
def reference(captions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "out"
    with FakeServer() as server:
        run(captions, out, server)
    return out


def test_undisturbed(reference: Path) -> None:
    found = read_negatives(reference)
    assert len(found) == COUNT
    for text, negatives in found.values():
        words = text.split()
        assert [n.kind for n in negatives] == ["llm:swap-nouns", "llm:replace-nouns"]
        assert negatives[0].text == rewrite("swap-nouns", words, 0)
        assert negatives[1].text.split()[3:] == words[3:]
        assert {n.source for n in negatives} == {"llm:m"}
        for negative in negatives:
            assert all(text[e.start : e.end] == e.old and e.new in negative.text for e in negative.edits)
    assert keys_of(reference) == Counter({(i, kind, 0): 1 for i in found for kind in ("swap-nouns", "replace-nouns")})
    manifest = json.loads((reference / "manifest.json").read_text())
    assert manifest["refused"] == {}
    assert manifest["made"] == {"llm:swap-nouns": COUNT, "llm:replace-nouns": COUNT}
    assert manifest["llm"]["model"] == "m"
    assert "127.0.0.1" not in json.dumps(manifest)


FAULTS: dict[str, Does] = {
    "429": Does("status", status=429, headers=(("Retry-After", "0.05"),)),
    "500": Does("status", status=500),
    "503": Does("status", status=503, text="<html>no JSON</html>"),
    "half": Does("half", text="x"),
    "slow": Does("slow", text="x"),
    "drop": Does("drop"),
    "stall": Does("stall"),
    "html": Does("raw", text="<html>"),
    "other JSON": Does("raw", text='{"result": 1}'),
    "no choices": Does("raw", text='{"choices": []}'),
    "cut JSON": Does("raw", text='{"choices": [{"mess'),
}


TOLD = {"half": "connection", "drop": "connection", "slow": "time-out", "stall": "time-out"}
TOLD |= dict.fromkeys(("html", "other JSON", "no choices", "cut JSON"), "unreadable-body")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_tried_again(
    fault: str, captions: Path, reference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A third of the requests meet the fault once, a sixth twice."""

    def behave(before: int, body: dict[str, Any]) -> Does:
        spoilt = {0: 1, 3: 2}.get(body["seed"] % 6, 0) if fault not in ("slow", "stall") else body["seed"] % 6 == 0
        return FAULTS[fault] if before < spoilt else well(before, body)

    with FakeServer(behave) as server:
        run(captions, tmp_path / "out", server, timeout=0.5 if fault in ("slow", "stall") else 30)
    spoilt = sum(server.tries.values()) - 2 * COUNT
    assert spoilt > 0
    assert f"tries that failed: {spoilt} x {TOLD.get(fault, fault)}" in capsys.readouterr().err
    assert shards_of(tmp_path / "out") == shards_of(reference)
    assert keys_of(tmp_path / "out") == keys_of(reference)
    assert set(server.answered.values()) == {1}  # nothing was asked again that had its reply


def test_what_stays_without_a_reply_is_asked_by_the_next_run_only(
    captions: Path, reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def behave(_: int, body: dict[str, Any]) -> Does:
        return Does("status", status=500) if broken and body["seed"] % 5 == 0 else well(0, body)

    broken = True
    with FakeServer(behave) as server:
        with pytest.raises(RunError, match=r"requests are open after 3 tries each \(the last failure: 500") as failed:
            run(captions, out, server, retries=2)
        lost = 2 * COUNT - sum(server.answered.values())
        assert lost
        assert f"{2 * COUNT - lost} replies are kept, {lost} requests are open" in str(failed.value)
        assert not list(out.glob("*.parquet"))
        assert sum(keys_of(out).values()) == 2 * COUNT - lost
        assert max(server.tries.values()) == 3

        manifest = run(captions, out, server, resume=True, url="", allow_missing=True)
        refused = manifest["refused"]
        assert set(refused) <= {"llm:swap-nouns/no-reply", "llm:replace-nouns/no-reply"}
        assert sum(refused.values()) == lost

        broken = False
        run(captions, out, server, resume=True)
        assert set(server.answered.values()) == {1}
    assert shards_of(out) == shards_of(reference)
    assert keys_of(out) == keys_of(reference)


def test_a_dead_server_ends_the_run_soon(captions: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:  # nobody listens, and nobody else can get the port
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(RunError, match=r"8 requests in a row failed 2 times each \(the last: connection"):
            build(captions, tmp_path / "out", KINDS, llm=LLMOptions(model="m", url=url, backoff=0.01, retries=1))


@pytest.mark.parametrize(
    ("status", "text", "fix"),
    [
        (401, "", "valid key"),
        (404, "", "--llm-model"),
        (429, '{"error": {"message": "no money", "code": "insufficient_quota"}}', "account"),
    ],
)
def test_what_no_request_can_mend_stops_at_once(
    status: int, text: str, fix: str, captions: Path, tmp_path: Path
) -> None:
    with FakeServer(lambda *_: Does("status", text, status)) as server:
        with pytest.raises(RunError, match=f"answers {status} to model 'm': .*{fix}"):
            run(captions, tmp_path / "out", server)
        assert server.requests <= 8  # those under way
        assert max(server.tries.values()) == 1


def test_401_is_one_line_on_the_command_line(captions: Path, tmp_path: Path) -> None:
    with FakeServer(lambda *_: Does("status", status=401)) as server:
        command = [sys.executable, "-m", "compoclip", "negatives", "build", str(captions), "--out", str(tmp_path / "o")]
        command += ["--kinds", "llm:swap-nouns", "--llm-url", server.url, "--llm-model", "m"]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == 1
    assert errors[0].startswith("compoclip: error: ")
    assert "401" in errors[0]
    assert "Traceback" not in done.stderr


def test_a_request_the_server_rejects_is_kept_as_such(captions: Path, tmp_path: Path) -> None:
    """One caption that a filter stops must not stop the others, nor be asked for ever."""

    def behave(_: int, body: dict[str, Any]) -> Does:
        return Does("status", status=400) if asked(body) == ("swap-nouns", caption(4)) else well(0, body)

    with FakeServer(behave) as server:
        manifest = run(captions, tmp_path / "out", server)
        assert manifest["refused"] == {"llm:swap-nouns/rejected-by-server": 1}
        assert max(server.tries.values()) == 1
        before = server.requests
        run(captions, tmp_path / "out", server, resume=True)
        assert server.requests == before


def test_a_server_that_rejects_all_stops_the_run(captions: Path, tmp_path: Path) -> None:
    with (
        FakeServer(lambda *_: Does("status", '{"error": {"message": "no response_format"}}', 400)) as server,
        pytest.raises(RunError, match=r"rejects every request \(400: no response_format\)"),
    ):
        run(captions, tmp_path / "out", server)
    assert not keys_of(tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "kinds", "message"),
    [
        (None, KINDS, "llm:swap-nouns needs a language model: add --llm-url"),
        ({"model": "m"}, KINDS, "needs a server to ask"),
        ({"model": "m", "url": "http://127.0.0.1:9/v1"}, "shuffle", "no kind asks it"),
        ({"model": "m", "url": "http://127.0.0.1:9/v1", "key_env": "NO_SUCH_KEY"}, KINDS, "NO_SUCH_KEY: .* not set"),
        ({"model": "m"}, "llm:swap-verbs", "a language model makes no swap-verbs"),
        ({"model": "m"}, "llm:fsc-clip", "a language model makes no shuffle-2"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_written(
    given: dict[str, Any] | None, kinds: str, message: str, captions: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        build(captions, tmp_path / "out", kinds, llm=LLMOptions(**given) if given else None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": " "}, "model is empty"),
        ({"url": "localhost:8000"}, "write http://"),
        ({"form": "xml"}, "'json', 'schema' or 'plain'"),
        ({"concurrency": 0}, "concurrency"),
        ({"rewrites": 0}, "rewrites"),
        ({"budget": 1.0}, "price"),
        ({"timeout": 0}, "timeout"),
        ({"extra": {"messages": []}}, "messages"),
    ],
)
def test_settings_that_cannot_be_meant(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LLMOptions(**{"model": "m", **given})


def test_without_the_package_the_mend_is_named(captions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(InputError, match=r"pip install 'compoclip\[llm\]'"):
        build(captions, tmp_path / "out", KINDS, llm=LLMOptions(model="m", url="http://127.0.0.1:9/v1"))
