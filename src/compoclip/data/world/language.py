"""Captions of scenes: phrases with their article, two things and a relation, counts, lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compoclip.data.world.scene import OPPOSITE, Scene, Thing, relation_between, sides

RELATION_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("left of", "to the left of", "on the left of"),
    "right": ("right of", "to the right of", "on the right of"),
    "above": ("above", "over", "directly above"),
    "below": ("below", "under", "directly below"),
}
# Of one thing in the image, said before it or after it: a bag of words reads both, and neither side of a word of
# place is where its thing stands.
PLACE_WORDS: dict[str, tuple[str, ...]] = {
    "left": ("on the left", "at the left", "on the left side"),
    "right": ("on the right", "at the right", "on the right side"),
    "above": ("at the top", "on the top side", "in the top half"),
    "below": ("at the bottom", "on the bottom side", "in the bottom half"),
}
STATEMENT_TEMPLATES: tuple[str, ...] = (
    "{a} {relation} {b}",
    "{a} is {relation} {b}",
    "there is {a} {relation} {b}",
    "a picture of {a} {relation} {b}",
    "{a} sits {relation} {b}",
)
TOGETHER_TEMPLATES: tuple[str, ...] = (
    "{a} and {b}",
    "{a} with {b}",
    "{a} next to {b}",
    "a picture of {a} and {b}",
    "there is {a} and {b}",
)
SINGLE_TEMPLATES: tuple[str, ...] = (
    "{a}",
    "a picture of {a}",
    "there is {a}",
    "a drawing of {a}",
    "a photo of {a}",
    "this is {a}",
)
COUNT_TEMPLATES: tuple[str, ...] = ("{a}", "a picture of {a}", "a drawing with {a}", "we see {a}")
# No article before the name, so that "arrow" and "orange circle" need no "an".
CLASS_TEMPLATES: tuple[str, ...] = ("one {}", "a picture of one {}", "the {}", "a drawing of one {}")
NUMBERS: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six")
TEXTURES: dict[str, str] = {"solid": "solid", "hollow": "hollow", "striped": "striped", "dotted": "dotted"}


def with_article(words: str) -> str:
    """`words` after "a" or "an". The world has no word whose sound and first letter disagree."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")


@dataclass(frozen=True)
class Phrase:
    """A noun phrase about one thing: what is None is left unsaid."""

    shape: str
    colour: str | None = None
    size: str | None = None
    texture: str | None = None

    @property
    def bare(self) -> str:
        return " ".join(word for word in (self.size, self.texture, self.colour, self.shape) if word)

    def __str__(self) -> str:
        return with_article(self.bare)


@dataclass(frozen=True)
class Statement:
    """Two phrases and a relation, with the wording kept apart, so that an edit changes meaning and not style."""

    a: Phrase
    relation: str
    b: Phrase
    wording: int = 0
    template: int = 0

    def __str__(self) -> str:
        words = RELATION_WORDS[self.relation][self.wording]
        return STATEMENT_TEMPLATES[self.template].format(a=self.a, relation=words, b=self.b)

    def turned(self) -> Statement:
        """The same fact told from the other thing: "b right of a" for "a left of b"."""
        return Statement(self.b, OPPOSITE[self.relation], self.a, self.wording, self.template)


def phrase(thing: Thing, *, colour: bool = True, size: bool = False, texture: str | None = None) -> Phrase:
    """A true phrase about `thing`; `size` says its size only where it has one to speak of."""
    return Phrase(thing.shape, thing.colour if colour else None, thing.size if size else None, texture)


def statement(scene: Scene, rng: np.random.Generator, size_share: float = 0.0) -> Statement:
    """A true relational statement about a scene of two things, from either side, in any wording."""
    first, second = scene.things if rng.random() < 0.5 else scene.things[::-1]
    relation = relation_between(first, second)
    if relation is None:
        raise ValueError("the two things of this scene stand in no relation")
    sizes = rng.random(2) < size_share
    wording, template = rng.integers(0, (3, len(STATEMENT_TEMPLATES)))
    return Statement(
        phrase(first, size=bool(sizes[0])), relation, phrase(second, size=bool(sizes[1])), int(wording), int(template)
    )


def together(scene: Scene, rng: np.random.Generator, colour_share: float = 1.0) -> str:
    """Both things of a pair, in any order, with no relation between them."""
    first, second = scene.things if rng.random() < 0.5 else scene.things[::-1]
    told = rng.random(2) < colour_share
    template = TOGETHER_TEMPLATES[rng.integers(0, len(TOGETHER_TEMPLATES))]
    return template.format(a=phrase(first, colour=bool(told[0])), b=phrase(second, colour=bool(told[1])))


def single_caption(
    scene: Scene,
    rng: np.random.Generator,
    colour_share: float = 0.6,
    place_share: float = 0.5,
    thing: Thing | None = None,
) -> str:
    """A true caption of one thing of a scene, sometimes with its size, texture, place or the darkness around it.

    `thing` is the first one unless given. `place_share` of the things that stand clear of the middle are told to be on
    the left, on the right, at the top or at the bottom, before or after their name.
    """
    thing = thing or scene.things[0]
    lots = rng.random(5)
    texture = TEXTURES.get(scene.style) if lots[1] < 0.25 else None
    about = phrase(thing, colour=bool(lots[0] < colour_share), size=bool(lots[2] < 0.25), texture=texture)
    if lots[4] < 0.3:
        text = CLASS_TEMPLATES[int(lots[3] * len(CLASS_TEMPLATES))].format(about.bare)
    else:
        text = SINGLE_TEMPLATES[int(lots[3] * len(SINGLE_TEMPLATES))].format(a=about)
    places = sides(thing)
    if places and rng.random() < place_share:
        text = with_place(text, places[rng.integers(0, len(places))], rng)
    return text + " in the dark" if scene.style == "noisy" and lots[1] < 0.25 else text


def with_place(text: str, side: str, rng: np.random.Generator) -> str:
    """`text` about one thing, with words for the side of the image where it stands before or after it."""
    words = PLACE_WORDS[side]
    place = words[rng.integers(0, len(words))]
    return f"{place} {text}" if rng.random() < 0.5 else f"{text} {place}"


def count_phrase(thing: Thing, count: int) -> str:
    """ "two red stars"; `count` is 1 to 6."""
    noun = thing.shape if count == 1 else plural(thing.shape)
    return f"{NUMBERS[count]} {thing.colour} {noun}"


def list_caption(things: Sequence[Thing], rng: np.random.Generator, colour_share: float = 0.5) -> str:
    """Three or more things in a list, in any order."""
    order = rng.permutation(len(things))
    told = rng.random(len(things)) < colour_share
    names = [str(phrase(things[i], colour=bool(told[i]))) for i in order]
    return ", ".join(names[:-1]) + " and " + names[-1]
