"""No caption, however broken, makes a kind fail, and what comes out is still held back by the gates."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from compoclip.negatives import KINDS, Generator, Vocabulary
from compoclip.negatives.captions import read_captions
from compoclip.negatives.judge import normalised

ENDINGS = ["", ",", ".", "'s", "-", "/", '"', ")", "(", "!", " a", " an", " the", " and", " of", " no", " not", " two"]


def broken(caption: str, draw: random.Random) -> str:
    """The caption with its words mixed, cut, dropped, doubled, in capitals, or with stray signs and function words."""
    words = caption.split()
    way = draw.randrange(7)
    if way == 0:
        return caption.upper()
    if way == 1:
        draw.shuffle(words)
    elif way == 2:
        words = words[: draw.randrange(len(words) + 1)]
    elif way == 3:
        words = words[draw.randrange(len(words)) :]
    elif way == 4:
        words = [word for word in words if draw.random() > 0.4]
    elif way == 5:
        words = [word + draw.choice(ENDINGS) for word in words]
    else:
        words = words + words[::-1]
    return " ".join(words)


@pytest.mark.slow
def test_every_kind_takes_broken_captions(shared: Path) -> None:
    rows, _ = read_captions(shared / "reference/annotations/negclip_valid.tsv")
    draw = random.Random(0)
    captions = [broken(row.text, draw) for row in rows[:240]]
    captions += ["", " ", ".", "a", "A", "is a", "boy is a", "no", "'", "\u200b", "é"]
    vocabulary = Vocabulary.from_captions([row.text for row in rows])
    for kind in KINDS:
        found = Generator(kind, 3, vocabulary=vocabulary).run(captions, [str(i) for i in range(len(captions))])
        for caption, negatives in zip(captions, found, strict=True):
            texts = [normalised(negative.text) for negative in negatives]
            assert len({*texts, normalised(caption)}) == len(texts) + 1, (kind, caption, texts)
            assert all(negative.kind == kind for negative in negatives)
