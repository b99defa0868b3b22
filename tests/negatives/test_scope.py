"""True to their word: what is denied, bounded or merely said to exist is not changed so that it may still hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compoclip.negatives import KINDS, Generator
from compoclip.negatives.judge import Judge, normalised

LINES = [
    line for line in (Path(__file__).parent / "sets/truth.txt").read_text().splitlines() if not line.startswith("#")
]
NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|2|3|4|5|6|7|8|9|10"
_DENIALS = re.compile(r"\b(?:no|not|n t|without|never|none|neither|nobody|nothing|few|hardly|any)\b")


def still_true(line: str, negative: str) -> bool:
    """Did what stands in brackets change, by the marks that a person made, other than by losing its denial?"""
    text = normalised(negative)
    for part in re.findall(r"\[(.+?)\]", line):
        part = normalised(part)
        if part not in text and not (lost_its_denial(part, text)):
            return True
    if re.search(r"\{.+?\}", line):
        was, now = re.findall(rf"\b(?:{NUMBERS})\b", normalised(line)), re.findall(rf"\b(?:{NUMBERS})\b", text)
        return len(now) < len(was) and bool(re.search(r"\b(?:one|1)\b", text))
    return False


def lost_its_denial(part: str, text: str) -> bool:
    if not _DENIALS.search(part) or _DENIALS.search(text):
        return False
    return set(_DENIALS.sub("", part).split()) <= {*text.split(), "any"}


@pytest.mark.slow
def test_at_most_one_in_a_hundred_still_holds() -> None:
    captions = [re.sub(r"[][{}]", "", line) for line in LINES]
    assert len(captions) >= 200
    made, wrong = 0, []
    for kind in (name for name in KINDS if not name.startswith(("shuffle", "order"))):  # those say nothing
        generator = Generator([kind], per_caption=4, seed=2)
        for line, negatives in zip(LINES, generator.run(captions, [str(i) for i in range(len(captions))])):
            made += len(negatives)
            wrong += [(kind, line, n.text) for n in negatives if still_true(line, n.text)]
    assert made > 3 * len(captions)
    assert len({line for _, line, _ in wrong}) <= 0.01 * len(captions), wrong


@pytest.mark.parametrize(
    ("caption", "negative", "gate"),
    [
        ("A man with no hat.", "A man with no tie.", "denied-or-bounded"),
        ("A man with no hat.", "A woman with no hat.", None),
        ("A man with no hat.", "A man with a hat.", None),
        ("A few dogs run.", "A few cats run.", None),
        ("At least two dogs run.", "At least three dogs run.", "denied-or-bounded"),
        ("Exactly two dogs run.", "Exactly three dogs run.", None),
        ("Exactly two dogs run.", "Exactly one dog runs.", None),
        ("Two dogs run.", "One dog runs.", "denied-or-bounded"),
        ("One of the dogs runs.", "Two of the dogs run.", "denied-or-bounded"),
        ("A clear sky with no clouds.", "A cloudy sky with no clouds.", "contradicts-itself"),
        ("A smiling happy man.", "A smiling sad man.", "contradicts-itself"),
    ],
)
def test_scopes(caption: str, negative: str, gate: str | None) -> None:
    assert Judge(caption).refuses(negative) == gate
