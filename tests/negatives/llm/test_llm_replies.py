"""What models reply: refusals, chat, the caption again, broken rules, wrong numbers. Counted, and never written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_server import Does, FakeServer, asked, caption, honest, well
from llm_builds import COUNT, recorded, run

from compoclip.config import LLMOptions
from compoclip.negatives import read_negatives
from compoclip.negatives.build import build

REPLIES: dict[str, tuple[Callable[[dict[str, Any]], Does], str]] = {
    "refusal": (lambda body: Does(text="I'm sorry, I can't help with that."), "refusal"),
    "refusal in form": (lambda body: Does(text='{"rewrites": ["I\'m sorry, but I cannot do that."]}'), "refusal"),
    "chat": (
        lambda body: Does(text=json.dumps({"rewrites": [f"Sure! Here is the rewrite: {asked(body)[1]}"]})),
        "chat",
    ),
    "caption": (lambda body: Does(text=json.dumps({"rewrites": [asked(body)[1]]})), "same-as-caption"),
    "broken rule": (
        lambda body: Does(text=json.dumps({"rewrites": ["A yellow bus stops beside a large white house ."]})),
        "breaks-rule",
    ),
    "not in form": (lambda body: Does(text="A horse and a man"), "unreadable"),
    "empty": (lambda body: Does(text=""), "empty"),
    "half JSON": (lambda body: Does(text='{"rewrites": ["A red'), "unreadable"),
    "broken off": (lambda body: Does(text=honest(body), finish="length"), "truncated"),
    "filtered": (lambda body: Does(text="", finish="content_filter"), "content-filter"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_replies_of_no_use_are_counted_and_never_written(name: str, some_captions: Path, tmp_path: Path) -> None:
    reply, reason = REPLIES[name]

    def behave(_: int, body: dict[str, Any]) -> Does:
        return reply(body) if body["seed"] % 3 == 0 else well(0, body)

    with FakeServer(behave) as server:
        manifest = run(some_captions, tmp_path / "out", server.url)
    bad = sum(json.loads(key)["seed"] % 3 == 0 for key in server.tries)
    assert bad
    assert sum(manifest["refused"].values()) == bad
    assert {key.partition("/")[2] for key in manifest["refused"]} == {reason}
    assert manifest["negatives"] == 2 * COUNT - bad
    assert len(recorded(tmp_path / "out")) == 2 * COUNT  # refused or not, every reply is kept
    for text, negatives in read_negatives(tmp_path / "out").values():
        for negative in negatives:
            assert sorted(negative.text.split())[:3] == sorted(text.split())[:3]


def test_wrong_numbers_of_rewrites(some_captions: Path, tmp_path: Path) -> None:
    """Three are asked for; some replies have one, some five."""

    def behave(_: int, body: dict[str, Any]) -> Does:
        return Does(text=honest(body, {0: 1, 1: 5}.get(body["seed"] % 4, 3)))

    with FakeServer(behave) as server:
        manifest = build(
            some_captions,
            tmp_path / "out",
            "llm:replace-nouns",
            per_caption=9,
            llm=LLMOptions(model="m", url=server.url, rewrites=3),
        )
    kinds = Counter(json.loads(key)["seed"] % 4 for key in server.tries)
    assert kinds[0]
    assert kinds[1]
    assert manifest["refused"] == {
        "llm:replace-nouns/surplus": 2 * kinds[1],
        "llm:replace-nouns/too-few": kinds[0],
    }
    assert manifest["negatives"] == kinds[0] + 3 * (COUNT - kinds[0])


def test_preambles_in_plain_replies_cost_nothing(some_captions: Path, undisturbed: Path, tmp_path: Path) -> None:
    def behave(_: int, body: dict[str, Any]) -> Does:
        assert "response_format" not in body
        return Does(text=f'Sure! Here is the rewritten caption:\n\n1. "{honest(body)}"')

    with FakeServer(behave) as server:
        run(some_captions, tmp_path / "out", server.url, form="plain")
    texts = [[n.text for n in negatives] for _, negatives in read_negatives(tmp_path / "out").values()]
    assert texts == [[n.text for n in negatives] for _, negatives in read_negatives(undisturbed).values()]


def test_a_further_round_only_where_all_was_refused(some_captions: Path, tmp_path: Path) -> None:
    def behave(before: int, body: dict[str, Any]) -> Does:
        kind, text = asked(body)
        number = rounds[kind, text]
        rounds[kind, text] += 1
        bad = number == 0 and len(text) % 3 == 0
        return Does(text="I cannot do this.") if bad else well(0, body)

    rounds: Counter[tuple[str, str]] = Counter()
    with FakeServer(behave) as server:
        manifest = run(some_captions, tmp_path / "out", server.url, rounds=3)
    again = sum(len(caption(i)) % 3 == 0 for i in range(COUNT))
    assert Counter(rounds.values()) == {1: 2 * (COUNT - again), 2: 2 * again}
    assert manifest["negatives"] == 2 * COUNT
    assert sum(manifest["refused"].values()) == 2 * again
    assert max(server.answered.values()) == 1  # the second request shows other examples and has another seed


def test_true_captions_of_the_image_and_repeats_are_refused(tmp_path: Path) -> None:
    one, other = "A man chases a dog .", "A dog chases a man ."
    (tmp_path / "c.tsv").write_text(f"image\tcaption\nx.jpg\t{one}\nx.jpg\t{other}\ny.jpg\t{one}\n")

    def behave(_: int, body: dict[str, Any]) -> Does:
        return Does(text=json.dumps({"rewrites": [other if asked(body)[1] == one else one] * 2}))

    with FakeServer(behave) as server:
        manifest = build(
            tmp_path / "c.tsv",
            tmp_path / "out",
            "llm:swap-nouns,llm:shuffle",
            llm=LLMOptions(model="m", url=server.url, rewrites=2),
        )
    assert manifest["refused"] == {
        "llm:shuffle/true-of-image": 4,
        "llm:shuffle/repeated": 2,
        "llm:swap-nouns/true-of-image": 4,
        "llm:swap-nouns/repeated": 1,
    }
    assert [len(negatives) for _, negatives in read_negatives(tmp_path / "out").values()] == [0, 0, 1]


def test_a_further_round_after_a_rejection(some_captions: Path, tmp_path: Path) -> None:
    def behave(_: int, body: dict[str, Any]) -> Does:
        name = asked(body)
        rounds[name] += 1
        return Does("status", status=400) if name[1] == caption(4) and rounds[name] < 3 else well(0, body)

    rounds: Counter[tuple[str, str]] = Counter()
    with FakeServer(behave) as server:
        manifest = run(some_captions, tmp_path / "out", server.url, rounds=3)
    assert manifest["refused"] == {
        "llm:swap-nouns/rejected-by-server": 2,
        "llm:replace-nouns/rejected-by-server": 2,
    }
    assert manifest["negatives"] == 2 * COUNT
