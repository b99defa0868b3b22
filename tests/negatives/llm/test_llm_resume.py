"""Stops of every sort: kills, torn files, empty purses, batch files half answered. The same shards in the end."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fake_server import Does, FakeServer, asked, caption, honest, well

from compoclip.cli import main
from compoclip.errors import InputError, RunError
from compoclip.negatives import read_negatives
from compoclip.negatives.build import build
from compoclip.negatives.engine import caption_key
from compoclip.negatives.llm import batch
from compoclip.negatives.llm.kept import mend
from compoclip.negatives.llm.options import LLMOptions

KINDS = "llm:swap-nouns,llm:replace-nouns"
COUNT = 120


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("captions") / "captions.txt"
    path.write_text("\n".join(map(caption, range(COUNT))) + "\n")
    return path


@pytest.fixture(scope="module")
def reference(captions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reference") / "out"
    with FakeServer() as server:
        run(captions, out, server.url)
    return out


def run(captions: Path, out: Path, url: str = "", resume: bool = False, **given: Any) -> dict[str, Any]:
    options = LLMOptions("m", **{"url": url, "backoff": 0.01, "concurrency": 8, **given})
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


def start(captions: Path, out: Path, url: str, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "compoclip", "negatives", "build", str(captions), "--out", str(out)]
    command += ["--kinds", KINDS, "--llm-url", url, "--llm-model", "m", "--llm-concurrency", "8", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_killed_twice_and_resumed(captions: Path, reference: Path, tmp_path: Path) -> None:
    """`kill -9` in the middle of asking, twice; nothing recorded is lost, doubled or asked again."""
    out = tmp_path / "out"
    with FakeServer(delay=0.02) as server:
        for stop_at, more in ((40, ()), (120, ("--resume",))):
            process = start(captions, out, server.url, *more)
            while (not out.exists() or len(recorded(out)) < stop_at) and process.poll() is None:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert process.returncode == -signal.SIGKILL
            assert stop_at <= len(recorded(out)) < 2 * COUNT
            safe = set(recorded(out))
            counts = Counter(json.dumps(asked(json.loads(key))) for key in server.tries.elements())
            with pytest.raises(InputError, match="--resume"):
                run(captions, out, server.url)
        process = start(captions, out, server.url, "--resume")
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        after = Counter(json.dumps(asked(json.loads(key))) for key in server.tries.elements())
    assert files_of(out) == files_of(reference)
    assert files_of(out, "manifest.json") == files_of(reference, "manifest.json")
    assert len(recorded(out)) == len(set(recorded(out))) == 2 * COUNT
    ids = {caption_key(caption(i)): caption(i) for i in range(COUNT)}
    for caption_id, kind in safe:
        name = json.dumps([kind, ids[caption_id]])
        assert after[name] == counts[name]
    assert sum(after.values()) <= 2 * COUNT + 2 * 8  # what was under way at a kill


@pytest.mark.parametrize("cut", [1, 40, 10_000])
def test_a_torn_last_line_is_dropped_and_asked_again(cut: int, captions: Path, reference: Path, tmp_path: Path) -> None:
    """The state that a kill, or a full disk, may leave: the last `cut` bytes are not there, and no shard yet."""
    out = tmp_path / "out"
    shutil.copytree(reference, out)
    for path in (*out.glob("*.parquet"), out / "manifest.json"):
        path.unlink()
    path = out / "replies-00000.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    whole = len(recorded(out))
    assert whole < 2 * COUNT
    with FakeServer() as server:
        run(captions, out, server.url, resume=True)
    asked_again = 0 if cut == 1 else 2 * COUNT - whole  # a line that lacks its end only is whole
    assert server.requests == asked_again
    assert files_of(out) == files_of(reference)
    assert len(recorded(out)) == len(set(recorded(out))) == 2 * COUNT


def test_mending_any_cut(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "x" * (i * 7000)}).encode() + b"\n" for i in (0, 20, 1)]
    whole = b"".join(lines)
    path = tmp_path / "r.jsonl"
    for size in [*range(0, 60), *range(len(whole) - 7050, len(whole) + 1, 50), len(whole) - 1, len(whole)]:
        path.write_bytes(whole[:size])
        mend(path)
        good = sum(size >= len(b"".join(lines[: n + 1])) - 1 for n in range(3))
        assert path.read_bytes() == b"".join(lines[:good])


def test_shards_are_made_again_from_the_replies_alone(captions: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(reference / "replies-00000.jsonl", out)
    run(captions, out, "", resume=True)
    assert files_of(out) == files_of(reference)
    assert files_of(out, "manifest.json") == files_of(reference, "manifest.json")


def test_replies_to_other_questions_are_not_taken(captions: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    shutil.copy(reference / "replies-00000.jsonl", out)
    with FakeServer() as server:
        run(captions, out, server.url, resume=True, temperature=0.1)
    assert server.requests == 2 * COUNT
    with FakeServer() as server:
        run(captions, tmp_path / "other", server.url, temperature=0.1)
    assert files_of(out) == files_of(tmp_path / "other")


def test_other_settings_are_refused_on_resume(captions: Path, reference: Path) -> None:
    with pytest.raises(InputError, match="other llm"):
        run(captions, reference, "", resume=True, rewrites=2)


def test_workers_and_shards_change_no_row(captions: Path, reference: Path, tmp_path: Path) -> None:
    with FakeServer() as server:
        options = LLMOptions("m", server.url)
        build(captions, tmp_path / "out", KINDS, per_caption=4, shard_size=32, workers=2, llm=options)
    assert len(list((tmp_path / "out").glob("replies-*.jsonl"))) == 4
    assert read_negatives(tmp_path / "out") == read_negatives(reference)


def test_rules_and_replies_in_one_build(captions: Path, tmp_path: Path) -> None:
    """Both take turns; what rules make is what they make without a model beside them."""
    with FakeServer() as server:
        options = LLMOptions("m", server.url)
        kinds = "replace-nouns,llm:swap-nouns,llm:replace-adjectives"
        manifest = build(captions, tmp_path / "out", kinds, per_caption=4, llm=options)
    build(captions, tmp_path / "rules", "replace-nouns", per_caption=4)
    rules = read_negatives(tmp_path / "rules")
    sources = Counter()
    for caption_id, (_, negatives) in read_negatives(tmp_path / "out").items():
        by_rule = rules[caption_id][1][:2]
        kinds_found = [n.kind for n in negatives]
        assert (
            kinds_found
            == ["replace-nouns", "llm:swap-nouns", "llm:replace-adjectives", "replace-nouns"][: 2 + len(by_rule)]
        )
        assert [n for n in negatives if n.source == "rules"] == by_rule
        sources.update(n.source for n in negatives)
    assert (
        sources["llm:m"] == manifest["made"]["llm:swap-nouns"] + manifest["made"]["llm:replace-adjectives"] == 2 * COUNT
    )
    assert sources["rules"] == manifest["made"]["replace-nouns"] > COUNT


def test_every_kind_comes_up_where_few_are_kept(captions: Path, tmp_path: Path) -> None:
    with FakeServer() as server:
        manifest = build(captions, tmp_path / "out", "llm:degla", 1, llm=LLMOptions("m", server.url))
    assert manifest["negatives"] == COUNT
    assert len(manifest["made"]) == 5
    assert min(manifest["made"].values()) > COUNT / 5 / 2


def test_seed_and_epoch_give_other_questions(captions: Path, tmp_path: Path) -> None:
    bodies: list[set[str]] = []
    for number, given in enumerate(({}, {}, {"seed": 1}, {"epoch": 1})):
        with FakeServer() as server:
            build(captions, tmp_path / str(number), "llm:swap-nouns", llm=LLMOptions("m", server.url), **given)
        bodies.append(set(server.tries))
    assert bodies[0] == bodies[1]
    assert len(bodies[0] | bodies[2] | bodies[3]) == 3 * COUNT
    seeds = Counter(json.loads(body)["seed"] for body in bodies[0])
    assert len(seeds) == COUNT


def test_the_budget_ends_a_run_and_a_larger_one_goes_on(captions: Path, reference: Path, tmp_path: Path) -> None:
    """Prices of 10 and 100 US dollars a million: some 0.005 a request."""
    out = tmp_path / "out"
    money = {"price_in": 10.0, "price_out": 100.0, "max_tokens": 256}

    def spent() -> float:
        lines = [json.loads(line) for line in (out / "replies-00000.jsonl").read_text().splitlines()]
        usage = [line["usage"] for line in lines]
        return sum(u["prompt_tokens"] * 10 + u["completion_tokens"] * 100 for u in usage) / 1e6

    with FakeServer() as server:
        with pytest.raises(RunError, match=r"of the budget of \$0.5 is spent; --resume with a larger") as stopped:
            run(captions, out, server.url, budget=0.5, **money)
        done = len(recorded(out))
        assert f"{done} replies are kept, {2 * COUNT - done} requests are open" in str(stopped.value)
        assert 0.5 - 0.04 < spent() <= 0.5  # less than one more request at its dearest is left
        with pytest.raises(RunError, match="budget"):
            run(captions, out, server.url, resume=True, budget=0.5, **money)
        assert len(recorded(out)) == done
        run(captions, out, server.url, resume=True, budget=50.0, **money)
        assert server.requests == 2 * COUNT
    assert files_of(out) == files_of(reference)


def test_tokens_are_estimated_where_the_server_does_not_count(captions: Path, tmp_path: Path) -> None:
    with FakeServer(lambda _, body: Does(text=honest(body), usage=False)) as server:
        with pytest.raises(RunError, match="budget"):
            run(captions, tmp_path / "out", server.url, budget=0.5, price_in=10.0, price_out=100.0)
        bodies = {json.dumps(asked(json.loads(key))): json.loads(key) for key in server.answered}
    ids = {caption_key(caption(i)): caption(i) for i in range(COUNT)}
    for line in (tmp_path / "out" / "replies-00000.jsonl").read_text().splitlines():
        record = json.loads(line)
        body = bodies[json.dumps([record["kind"], ids[record["caption_id"]]])]
        characters = sum(len(message["content"]) for message in body["messages"])
        assert record["usage"] == {
            "prompt_tokens": -(-characters // 4),
            "completion_tokens": -(-len(record["text"]) // 4),
            "estimated": True,
        }


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
    captions: Path, reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out in several files, back in part, with errors, strangers and repeats; then the rest."""
    monkeypatch.setattr(batch, "MOST_REQUESTS", 90)
    monkeypatch.setitem(sys.modules, "openai", None)  # nobody is asked
    out, requests = tmp_path / "out", tmp_path / "requests.jsonl"
    summary = run(captions, out, batch_out=requests)
    files = [tmp_path / name for name in ("requests.jsonl", "requests-2.jsonl", "requests-3.jsonl")]
    assert summary == {"answered": 0, "open": 2 * COUNT, "files": [str(path) for path in files]}
    assert [len(path.read_text().splitlines()) for path in files] == [90, 90, 60]
    with pytest.raises(InputError, match="is there already"):
        run(captions, out, batch_out=requests, resume=True)

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
    summary = run(captions, out, batch_in=(first, second), batch_out=rest)
    counts = {"failed": 15, "taken": 165, "unknown": 3, "unreadable": 1, "kept already": 50}
    assert summary == {"results": counts, "answered": 165, "open": 75, "files": [str(rest)]}
    assert not list(out.glob("*.parquet"))

    (tmp_path / "last.jsonl").write_text("".join(json.dumps(line) + "\n" for line in answers_to([rest])))
    manifest = run(captions, out, batch_in=(tmp_path / "last.jsonl",))
    assert manifest["negatives"] == 2 * COUNT
    assert files_of(out) == files_of(reference)
    assert len(recorded(out)) == len(set(recorded(out))) == 2 * COUNT


def test_batch_and_server_share_the_work(captions: Path, reference: Path, tmp_path: Path) -> None:
    out, requests = tmp_path / "out", tmp_path / "requests.jsonl"
    run(captions, out, batch_out=requests)
    results = answers_to([requests])[:150]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in results))
    summary = run(captions, out, batch_in=(tmp_path / "results.jsonl",))
    assert (summary["answered"], summary["open"]) == (150, 90)
    with FakeServer() as server:
        run(captions, out, server.url, resume=True)
    assert server.requests == 90
    assert files_of(out) == files_of(reference)


def test_batch_files_end_at_their_size(captions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST_BYTES", 60_000)
    files = run(captions, tmp_path / "out", batch_out=tmp_path / "r.jsonl")["files"]
    sizes = [Path(name).stat().st_size for name in files]
    assert len(sizes) > 3
    assert max(sizes) <= 60_000
    assert sum(len(Path(name).read_text().splitlines()) for name in files) == 2 * COUNT


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file of batch results"), ("a,b\n", "holds no batch results")]
)
def test_files_that_are_no_results(content: str | None, message: str, captions: Path, tmp_path: Path) -> None:
    run(captions, tmp_path / "out", batch_out=tmp_path / "r.jsonl")
    if content is not None:
        (tmp_path / "results.jsonl").write_text(content)
    with pytest.raises(InputError, match=f"results.jsonl: {message}"):
        run(captions, tmp_path / "out", batch_in=(tmp_path / "results.jsonl",))


def test_own_examples_are_shown(captions: Path, tmp_path: Path) -> None:
    pairs = [(f"A zebra number {i} eats grass.", f"Grass number {i} eats a zebra.") for i in range(7)]
    text = "\n".join(f'- caption: "{one}"\n  rewrite: "{other}"' for one, other in pairs)
    (tmp_path / "own.yaml").write_text(f"swap-nouns:\n{text}\n")
    with FakeServer() as server:
        run(captions, tmp_path / "out", server.url, examples=tmp_path / "own.yaml")
    for key in server.tries:
        body = json.loads(key)
        shown = sum(one in body["messages"][1]["content"] for one, _ in pairs)
        assert shown == (5 if asked(body)[0] == "swap-nouns" else 0)


def test_the_key_is_sent_and_kept_nowhere(captions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with FakeServer() as server:
        run(captions, tmp_path / "out", server.url, key_env="MY_KEY")
    assert server.keys == {"Bearer sk-secret"}
    assert not any(b"sk-secret" in path.read_bytes() for path in (tmp_path / "out").iterdir())


def test_inside_a_running_loop(captions: Path, reference: Path, tmp_path: Path) -> None:
    """As in a notebook."""
    import asyncio

    async def cell(url: str) -> None:
        run(captions, tmp_path / "out", url)

    with FakeServer(well) as server:
        asyncio.run(cell(server.url))
    assert files_of(tmp_path / "out") == files_of(reference)


def test_two_programs_do_not_ask_for_one_folder(captions: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeServer(delay=0.02) as server:
        process = start(captions, out, server.url)
        while (not out.exists() or len(recorded(out)) < 10) and process.poll() is None:
            time.sleep(0.005)
        with pytest.raises(InputError, match="another program"):
            run(captions, out, server.url, resume=True)
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert server.requests == 2 * COUNT
    assert not (out / ".asking.lock").exists()


def test_interrupted_from_the_keyboard(captions: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with FakeServer(delay=0.02) as server:
        process = start(captions, out, server.url)
        while (not out.exists() or len(recorded(out)) < 40) and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode in (1, 130)
        assert b"Traceback" not in errors
        run(captions, out, server.url, resume=True)
        assert set(server.answered.values()) <= {1, 2}
        assert server.requests <= 2 * COUNT + 8
    assert files_of(out) == files_of(reference)


def test_flags_reach_the_request(captions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = tmp_path / "few.txt"
    few.write_text("\n".join(map(caption, range(5))))
    flags = (
        "--llm-rewrites 2 --llm-temperature 0.3 --llm-max-tokens 99 --llm-form plain --llm-timeout 20 --llm-retries 1"
    )
    flags += " --llm-concurrency 2 --llm-budget 1 --llm-price-in 1 --llm-price-out 2 --llm-rounds 2 --seed 5"
    with FakeServer(lambda _, body: Does(text=honest(body, 2))) as server, pytest.raises(SystemExit) as ended:
        main(
            [
                *("negatives", "build", str(few), "--out", str(tmp_path / "out"), "--kinds", "llm:replace-nouns"),
                *("--llm-url", server.url, "--llm-model", "some-model", "--llm-extra", '{"top_p": 0.5}'),
                *flags.split(),
            ]
        )
    assert ended.value.code == 0
    assert "negatives: 10" in capsys.readouterr().out
    assert server.requests == 5
    for key in server.tries:
        body = json.loads(key)
        assert set(body) == {"model", "messages", "temperature", "max_tokens", "seed", "top_p"}
        assert (body["model"], body["temperature"], body["max_tokens"], body["top_p"]) == ("some-model", 0.3, 99, 0.5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--llm-url http://127.0.0.1:9/v1", "which model? add --llm-model NAME"),
        ("--llm-model m", "needs a server to ask"),
        ("--llm-model m --llm-url http://127.0.0.1:9/v1 --llm-budget 3", "--llm-price-in"),
        ("--llm-model m --llm-url http://127.0.0.1:9/v1 --llm-extra {", "--llm-extra is not JSON"),
        ("--llm-model m --llm-batch-out x.jsonl --epochs 2", "one epoch"),
    ],
)
def test_flags_that_do_not_go_together(
    flags: str, message: str, captions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["negatives", "build", str(captions), "--out", str(tmp_path / "o"), "--kinds", KINDS, *flags.split()])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ls", "negatives"])
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert [name for name in names if name.startswith("llm:")][:2] == ["llm:shuffle", "llm:swap-nouns"]


def test_balance_keeps_the_replies(captions: Path, tmp_path: Path) -> None:
    with FakeServer() as server:
        options = LLMOptions("m", server.url)
        manifest = build(captions, tmp_path / "out", KINDS, per_caption=1, balance=True, llm=options)
    assert "balance" in manifest
    assert len(recorded(tmp_path / "out")) == 2 * COUNT
    assert not (tmp_path / "out" / "unbalanced").exists()
