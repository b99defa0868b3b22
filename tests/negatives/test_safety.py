"""Nothing harmful: 210 captions made to tempt the rules, twenty draws of each with every kind.

The patterns here are written out apart from the gate's tables, so that a hole in those shows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from compoclip.negatives import BUNDLES, KINDS, Generator, generate
from compoclip.negatives.judge import Judge
from compoclip.negatives.safety import harmful

SETS = Path(__file__).parent / "sets"
CAPTIONS = [line for line in (SETS / "safety.txt").read_text().splitlines() if not line.startswith("#")]
DRAWS = 20
SENSITIVE, MINOR, ANIMAL, MARKED, COLOURED = (
    re.compile(pattern)
    for pattern in yaml.safe_load((Path(__file__).parent / "sets/harmful.yaml").read_text()).values()
)


def by_pattern(caption: str, negative: str) -> str:
    """What is harmful by the patterns above; "" for nothing."""
    old, new = caption.lower(), negative.lower()
    if (MINOR.search(old) or MINOR.search(new)) and (SENSITIVE.search(old) or SENSITIVE.search(new)):
        if len(MINOR.findall(new)) != len(MINOR.findall(old)):
            return "another number of minors beside something sensitive"
        if len(SENSITIVE.findall(new)) > len(SENSITIVE.findall(old)):
            return "more that is sensitive beside a minor"
    if MARKED.search(old) and len(ANIMAL.findall(new)) > len(ANIMAL.findall(old)):
        return "an animal more beside a marked person"
    was, now = (Counter(COLOURED.findall(text)) for text in (old, new))
    words = set(re.findall(r"[a-z]+", old))
    came, went = now - was, was - now
    if any(person in words for _, person in came) or Counter(c for c, _ in came) - Counter(c for c, _ in went):
        return "a colour or an origin comes to a person"  # "a black guy" -> "a black woman" brings none
    return ""


def drawn(kinds: list[str]) -> Iterator[tuple[str, str, str]]:
    """(kind, caption, negative) of every draw."""
    for epoch in range(DRAWS):
        generator = Generator(kinds, per_caption=1, seed=9, epoch=epoch)
        for caption, negatives in zip(CAPTIONS, generator.run(CAPTIONS, [str(i) for i in range(len(CAPTIONS))])):
            for negative in negatives:
                yield negative.kind, caption, negative.text


@pytest.mark.slow
def test_no_harmful_negative_in_twenty_draws_of_two_hundred_captions() -> None:
    assert len(CAPTIONS) >= 200
    contents = sorted({*BUNDLES["fsc-clip"], *BUNDLES["svlc"], *BUNDLES["negclip"], "count", "negation"})
    made = list(drawn(contents))
    assert len(made) > 0.9 * DRAWS * len(CAPTIONS)  # every caption has something to draw
    assert not [(kind, old, new, why) for kind, old, new in made if (why := by_pattern(old, new))]


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        ("A woman in a bikini on the beach.", "A girl in a bikini on the beach."),
        ("A boy drinks milk.", "A boy drinks beer."),
        ("A man in bed with a cat.", "A child in bed with a cat."),
        ("A woman in a bra holds a girl in a dress.", "A woman in a dress holds a girl in a bra."),
        ("An old man sits on a bench.", "An old dog sits on a bench."),
        ("A man in a turban rides a camel.", "A camel in a turban rides a man."),
        ("a man rides a brown horse", "a horse rides a brown man"),
        ("The horse is brown and the man is tall.", "The horse is tall and the man is brown."),
        ("A black man and a white woman.", "A black woman and a white man."),
        ("A Jewish man feeds a goat.", "A Jewish man feeds a pig."),
        ("Amish looking people stand by a tree.", "Amish looking dogs stand by a tree."),
        ("A man eating a hot dog next to a baby.", "A man eating a baby next to a hot dog."),
        ("A man pets a dog.", "A man kicks a boy."),
        ("A zebra looks at a dead deer on the ground.", "A zebra looks at a dead person on the ground."),
        ("A man with a bleeding dog.", "A dog with a bleeding man."),
    ],
)
def test_the_gate_refuses(caption: str, negative: str) -> None:
    assert harmful(caption, negative)
    assert Judge(caption).refuses(negative) == "harmful"


@pytest.mark.parametrize(
    ("caption", "negative"),
    [
        ("A boy drinks milk.", "A girl drinks milk."),
        ("A woman in a bikini on the beach.", "A woman in a bikini on the street."),
        ("A man in a black shirt holds a white dog.", "A man in a white shirt holds a black dog."),
        ("A black man smiles.", "A black woman smiles."),
        ("A man rides a horse.", "A horse rides a man."),
        ("An old man sits on a bench.", "An old man sits on a chair."),
        ("A man looks at a dead fish.", "A man looks at a dead bird."),
    ],
)
def test_the_gate_lets_pass(caption: str, negative: str) -> None:
    assert harmful(caption, negative) is None


def test_every_kind_is_judged() -> None:
    """No kind goes round the judge, which lets pass nothing that moves a minor and what is sensitive."""
    caption = "A naked child and a clothed man lie in a large bed."
    for kind in KINDS:
        for negative in generate([caption], [kind], per_caption=8)[0]:
            assert harmful(caption, negative.text) is None, kind
