"""Rewrites dressed like their captions, what changed between them, prices, and requests by their names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compoclip.config.llm import LLMOptions, read_extra
from compoclip.errors import InputError
from compoclip.negatives import KINDS, resolve_kinds
from compoclip.negatives.caption_db import Caption
from compoclip.negatives.judge import GATES
from compoclip.negatives.llm.budget import Budget, dollars
from compoclip.negatives.llm.checks import REASONS as CHECKS
from compoclip.negatives.llm.merging import NO_REPLY
from compoclip.negatives.llm.requests import Questions
from compoclip.negatives.llm.style import dressed, edits_between
from compoclip.negatives.llm.validate import REASONS as READING

WORDS = ("a", "an", "man", "dog", "sees", "red", "The", "x-ray", ".", ",")


@pytest.mark.parametrize(
    ("caption", "rewrite", "expected"),
    [
        ("A man rides a horse .", "a horse rides a man", "A horse rides a man ."),
        ("A man rides a horse", "A horse rides a man.", "A horse rides a man"),
        ("a man rides a horse", "A horse rides a man.", "a horse rides a man"),
        ("a man rides a horse!", '"A horse rides a man."', "a horse rides a man!"),
        ("a dog bites Bob", "Bob bites a dog", "Bob bites a dog"),
        ("a dog bites a man", "TV bites a man", "TV bites a man"),
        ("A red apple.", "A orange apple.", "An orange apple."),
        ("An apple on a table", "An table on a apple", "A table on an apple"),
        ("A orange on a plate", "A orange under a plate", "A orange under a plate"),  # the caption's own fault
        ("two dogs", "  three \n dogs ", "three dogs"),
        ("A cat", "...", "."),
    ],
)
def test_dressed(caption: str, rewrite: str, expected: str) -> None:
    assert dressed(rewrite, caption) == (expected if expected != "." else "")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9), st.text(max_size=40))
def test_dressing_is_done_once_and_for_all(words: list[str], rewrite: str) -> None:
    caption = " ".join(words)
    once = dressed(rewrite, caption)
    assert dressed(once, caption) == once or '"' in rewrite or "'" in rewrite


@pytest.mark.parametrize(
    ("caption", "rewrite", "changes"),
    [
        ("A man rides a horse .", "A horse rides a man .", [("man", "horse"), ("horse", "man")]),
        ("a red car", "a blue car", [("red", "blue")]),
        ("a dog", "a very small dog", [("", "very small")]),
        ("a very small dog", "a dog", [("very small", "")]),
        ("a fire hydrant by a road", "a tree by a road", [("fire hydrant", "tree")]),
    ],
)
def test_edits(caption: str, rewrite: str, changes: list[tuple[str, str]]) -> None:
    assert [(edit.old, edit.new) for edit in edits_between(caption, rewrite)] == changes


@settings(max_examples=300, deadline=None)
@given(
    *[st.lists(st.sampled_from(["a", "dog", "cat", "red", "sees", "the", "on", "x-ray", "."]), min_size=1, max_size=9)]
    * 2
)
def test_edits_lead_from_one_text_to_the_other(one: list[str], other: list[str]) -> None:
    caption, rewrite = " ".join(one), " ".join(other)
    made, at = "", 0
    for edit in edits_between(caption, rewrite):
        assert caption[edit.start : edit.end] == edit.old
        made += caption[at : edit.start] + " " + edit.new + " "
        at = edit.end
    words = re.compile(r"[\w-]+")
    assert words.findall((made + caption[at:]).lower()) == words.findall(rewrite.lower())


def test_prices_are_a_million_tokens() -> None:
    money = Budget(0.15, 0.6)
    money.add(1_000_000, 500_000)
    assert money.total == pytest.approx(0.45)
    assert str(money) == "$0.45"
    assert str(Budget(None, None)) == ""
    assert [dollars(x) for x in (0, 0.00123, 0.5, 12.345)] == ["$0.00", "$0.00123", "$0.5", "$12.35"]


def test_a_request_is_made_of_its_caption_and_its_place_among_seeds() -> None:
    options = LLMOptions(model="m", extra={"top_p": 0.9, "max_tokens": None, "max_completion_tokens": 99})
    questions = Questions.of(["llm:swap-nouns"], 3, 0, options)
    caption = Caption("x.jpg#0", "A man rides a horse .", "x.jpg", ())
    one, again = questions.request(7, caption, "swap-nouns", 0), questions.request(7, caption, "swap-nouns", 0)
    assert one == again
    assert re.fullmatch(r"7-swap-nouns-0-[0-9a-f]{16}", one.custom_id)
    assert {"top_p", "max_completion_tokens", "seed", "model", "messages"} <= set(one.body)
    assert "max_tokens" not in one.body
    others = [
        questions.request(7, caption, "swap-nouns", 1),
        questions.request(7, caption._replace(caption_id="y.jpg#0"), "swap-nouns", 0),
        questions._replace(seed=4).request(7, caption, "swap-nouns", 0),
        questions._replace(epoch=1).request(7, caption, "swap-nouns", 0),
    ]
    assert len({request.digest for request in [one, *others]}) == 5
    assert len({request.body["seed"] for request in [one, *others]}) == 5
    shown = {request.body["messages"][1]["content"] for request in [one, *others]}
    assert len(shown) == 5  # other examples, too
    assert questions.request(8, caption, "swap-nouns", 0).digest == one.digest


def test_names_of_batches_fit_every_service() -> None:
    questions = Questions.of(["llm:replace-adjectives"], 0, 0, LLMOptions(model="m"))
    request = questions.request(999_999_999, Caption("x", "a red car", "", ()), "replace-adjectives", 99)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", request.custom_id)


def test_the_page_explains_every_reason() -> None:
    page = (Path(__file__).parents[3] / "docs" / "llm.md").read_text()
    missing = [name for name in (*CHECKS, *READING, *GATES, NO_REPLY) if f"`{name}`" not in page]
    assert not missing


def test_kinds_of_models_by_name_and_bundle() -> None:
    assert resolve_kinds("llm:degla,shuffle", llm=True) == [
        *("llm:shuffle", "llm:swap-nouns", "llm:swap-adjectives", "llm:replace-adjectives", "llm:replace-nouns"),
        "shuffle",
    ]
    assert not any(name.startswith("llm:") for name in KINDS)
    with pytest.raises(InputError, match="--llm-url"):
        resolve_kinds("llm:swap-nouns")


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_extra_fields_that_are_no_object(text: str) -> None:
    with pytest.raises(InputError, match="--llm-extra"):
        read_extra(text)
