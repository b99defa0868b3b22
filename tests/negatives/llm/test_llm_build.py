"""What a build by language model writes, with rules beside it, by seed and epoch, within a budget, from its flags."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from fake_server import Does, FakeServer, asked, caption, honest, well
from llm_builds import COUNT, KINDS, files_of, recorded, run

from compoclip.cli import main
from compoclip.config import LLMOptions
from compoclip.errors import RunError
from compoclip.negatives import read_negatives
from compoclip.negatives.build import build
from compoclip.negatives.store import caption_key


def test_workers_and_shards_change_no_row(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    with FakeServer() as server:
        options = LLMOptions(model="m", url=server.url)
        build(some_captions, tmp_path / "out", KINDS, per_caption=4, shard_size=32, workers=2, llm=options)
    assert len(list((tmp_path / "out").glob("replies-*.jsonl"))) == 4
    assert read_negatives(tmp_path / "out") == read_negatives(undisturbed)


def test_rules_and_replies_in_one_build(some_captions: Path, tmp_path: Path) -> None:
    """Both take turns; what rules make is what they make without a model beside them."""
    with FakeServer() as server:
        options = LLMOptions(model="m", url=server.url)
        kinds = "replace-nouns,llm:swap-nouns,llm:replace-adjectives"
        manifest = build(some_captions, tmp_path / "out", kinds, per_caption=4, llm=options)
    build(some_captions, tmp_path / "rules", "replace-nouns", per_caption=4)
    rules = read_negatives(tmp_path / "rules")
    sources = Counter()
    for caption_id, (_, negatives) in read_negatives(tmp_path / "out").items():
        by_rule = rules[caption_id][1][:2]
        kinds_found = [n.kind for n in negatives]
        turns = ["replace-nouns"][: len(by_rule)], ["llm:swap-nouns", "llm:replace-adjectives"], ["replace-nouns"]
        assert kinds_found == [kind for turn in turns for kind in turn][: 2 + len(by_rule)]
        assert [n for n in negatives if n.source == "rules"] == by_rule
        sources.update(n.source for n in negatives)
    assert (
        sources["llm:m"] == manifest["made"]["llm:swap-nouns"] + manifest["made"]["llm:replace-adjectives"] == 2 * COUNT
    )
    assert sources["rules"] == manifest["made"]["replace-nouns"] > COUNT


def test_every_kind_comes_up_where_few_are_kept(some_captions: Path, tmp_path: Path) -> None:
    with FakeServer() as server:
        manifest = build(some_captions, tmp_path / "out", "llm:degla", 1, llm=LLMOptions(model="m", url=server.url))
    assert manifest["negatives"] == COUNT
    assert len(manifest["made"]) == 5
    assert min(manifest["made"].values()) > COUNT / 5 / 2


def test_seed_and_epoch_give_other_questions(some_captions: Path, tmp_path: Path) -> None:
    bodies: list[set[str]] = []
    for number, given in enumerate(({}, {}, {"seed": 1}, {"epoch": 1})):
        with FakeServer() as server:
            build(
                some_captions,
                tmp_path / str(number),
                "llm:swap-nouns",
                llm=LLMOptions(model="m", url=server.url),
                **given,
            )
        bodies.append(set(server.tries))
    assert bodies[0] == bodies[1]
    assert len(bodies[0] | bodies[2] | bodies[3]) == 3 * COUNT
    seeds = Counter(json.loads(body)["seed"] for body in bodies[0])
    assert len(seeds) == COUNT


def test_the_budget_ends_a_run_and_a_larger_one_goes_on(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Prices of 10 and 100 US dollars a million: some 0.005 a request."""
    out = tmp_path / "out"
    money = {"price_in": 10.0, "price_out": 100.0, "max_tokens": 256}

    def spent() -> float:
        lines = [json.loads(line) for line in (out / "replies-00000.jsonl").read_text().splitlines()]
        usage = [line["usage"] for line in lines]
        return sum(u["prompt_tokens"] * 10 + u["completion_tokens"] * 100 for u in usage) / 1e6

    with FakeServer() as server:
        with pytest.raises(RunError, match=r"of the budget of \$0.5 is spent; --resume with a larger") as stopped:
            run(some_captions, out, server.url, budget=0.5, **money)
        done = len(recorded(out))
        assert f"{done} replies are kept, {2 * COUNT - done} requests are open" in str(stopped.value)
        assert 0.5 - 0.04 < spent() <= 0.5  # less than one more request at its dearest is left
        with pytest.raises(RunError, match="budget"):
            run(some_captions, out, server.url, resume=True, budget=0.5, **money)
        assert len(recorded(out)) == done
        run(some_captions, out, server.url, resume=True, budget=50.0, **money)
        assert server.requests == 2 * COUNT
    assert files_of(out) == files_of(undisturbed)


def test_tokens_are_estimated_where_the_server_does_not_count(some_captions: Path, tmp_path: Path) -> None:
    with FakeServer(lambda _, body: Does(text=honest(body), usage=False)) as server:
        with pytest.raises(RunError, match="budget"):
            run(some_captions, tmp_path / "out", server.url, budget=0.5, price_in=10.0, price_out=100.0)
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


def test_own_examples_are_shown(some_captions: Path, tmp_path: Path) -> None:
    pairs = [(f"A zebra number {i} eats grass.", f"Grass number {i} eats a zebra.") for i in range(7)]
    text = "\n".join(f'- caption: "{one}"\n  rewrite: "{other}"' for one, other in pairs)
    (tmp_path / "own.yaml").write_text(f"swap-nouns:\n{text}\n")
    with FakeServer() as server:
        run(some_captions, tmp_path / "out", server.url, examples=tmp_path / "own.yaml")
    for key in server.tries:
        body = json.loads(key)
        shown = sum(one in body["messages"][1]["content"] for one, _ in pairs)
        assert shown == (5 if asked(body)[0] == "swap-nouns" else 0)


def test_the_key_is_sent_and_kept_nowhere(some_captions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with FakeServer() as server:
        run(some_captions, tmp_path / "out", server.url, key_env="MY_KEY")
    assert server.keys == {"Bearer sk-secret"}
    assert not any(b"sk-secret" in path.read_bytes() for path in (tmp_path / "out").iterdir())


def test_inside_a_running_loop(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    """As in a notebook."""
    import asyncio

    async def cell(url: str) -> None:
        run(some_captions, tmp_path / "out", url)

    with FakeServer(well) as server:
        asyncio.run(cell(server.url))
    assert files_of(tmp_path / "out") == files_of(undisturbed)


def test_flags_reach_the_request(some_captions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert "10 negatives of 5 captions" in capsys.readouterr().out
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
    flags: str, message: str, some_captions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["negatives", "build", str(some_captions), "--out", str(tmp_path / "o"), "--kinds", KINDS, *flags.split()])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ls", "negatives"])
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert [name for name in names if name.startswith("llm:")][:2] == ["llm:shuffle", "llm:swap-nouns"]


def test_balance_keeps_the_replies(some_captions: Path, tmp_path: Path) -> None:
    with FakeServer() as server:
        options = LLMOptions(model="m", url=server.url)
        manifest = build(some_captions, tmp_path / "out", KINDS, per_caption=1, balance=True, llm=options)
    assert "balance" in manifest
    assert len(recorded(tmp_path / "out")) == 2 * COUNT
    assert not (tmp_path / "out" / "unbalanced").exists()
