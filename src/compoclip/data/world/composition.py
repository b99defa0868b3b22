"""Composition tests: an image, a true caption, and a caption with the same style of words that is false of the image.

The eight kinds follow what SugarCrepe (Hsieh et al. 2023) and ARO (Yuksekgonul et al. 2023) ask of photographs; chance
is 50 % in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.data.world.language import COUNT_TEMPLATES, Phrase, Statement, count_phrase, statement
from compoclip.data.world.scene import COLOUR_NAMES, OPPOSITE, Scene, crowd, generator, pair
from compoclip.data.world.shapes import SHAPES

CHANCE = 50.0
MOST_COUNTED = 4
STYLE = "solid"


class PairRow(NamedTuple):
    """One row: image (48, 48, 3) uint8, the true caption, the false one."""

    image: NDArray[np.uint8]
    caption: str
    negative: str


class Item(NamedTuple):
    """A row before it is drawn, with the scene that says what is true."""

    scene: Scene
    caption: str
    negative: str


def _swap_attribute(rng: np.random.Generator, true: Statement, scene: Scene) -> Statement:
    return replace(true, a=replace(true.a, colour=true.b.colour), b=replace(true.b, colour=true.a.colour))


def _swap_object(rng: np.random.Generator, true: Statement, scene: Scene) -> Statement:
    return replace(true, a=true.b, b=true.a)


def _edit_one(rng: np.random.Generator, true: Statement, edit: Callable[[Phrase], Phrase]) -> Statement:
    return replace(true, a=edit(true.a)) if rng.random() < 0.5 else replace(true, b=edit(true.b))


def _replace_attribute(rng: np.random.Generator, true: Statement, scene: Scene) -> Statement:
    other = _other(rng, COLOUR_NAMES, {thing.colour for thing in scene.things})
    return _edit_one(rng, true, lambda phrase: replace(phrase, colour=other))


def _replace_object(rng: np.random.Generator, true: Statement, scene: Scene) -> Statement:
    other = _other(rng, SHAPES, {thing.shape for thing in scene.things})
    return _edit_one(rng, true, lambda phrase: replace(phrase, shape=other))


def _replace_relation(rng: np.random.Generator, true: Statement, scene: Scene) -> Statement:
    """The opposite. One across would be false too, but knowing which way the pair lies is enough to see it."""
    return replace(true, relation=OPPOSITE[true.relation])


def _add_attribute(rng: np.random.Generator, true: Statement, scene: Scene) -> Statement:
    """One phrase gains the size its thing has not, or a texture that no thing of a solid scene has."""
    sizes = {thing.shape: "small" if thing.size == "large" else "large" for thing in scene.things}
    if rng.random() < 0.5:
        return _edit_one(rng, true, lambda phrase: replace(phrase, size=sizes[phrase.shape]))
    texture = ("hollow", "striped", "dotted")[rng.integers(0, 3)]
    return _edit_one(rng, true, lambda phrase: replace(phrase, texture=texture))


def _other(rng: np.random.Generator, names: tuple[str, ...], used: set[str]) -> str:
    left = [name for name in names if name not in used]
    return left[rng.integers(0, len(left))]


_EDITS = {
    "swap-attribute": _swap_attribute,
    "swap-object": _swap_object,
    "replace-attribute": _replace_attribute,
    "replace-object": _replace_object,
    "replace-relation": _replace_relation,
    "add-attribute": _add_attribute,
}
KINDS: tuple[str, ...] = (*_EDITS, "count", "word-order")


def _count_item(rng: np.random.Generator) -> Item:
    count = int(rng.integers(1, MOST_COUNTED + 1))
    wrong = _other(rng, tuple(map(str, range(1, MOST_COUNTED + 1))), {str(count)})
    scene = crowd(rng, STYLE, count)
    template = COUNT_TEMPLATES[rng.integers(0, len(COUNT_TEMPLATES))]
    true, false = (template.format(a=count_phrase(scene.things[0], number)) for number in (count, int(wrong)))
    return Item(scene, true, false)


def _shuffled(rng: np.random.Generator, caption: str) -> str:
    words = caption.split()
    while True:
        text = " ".join(words[i] for i in rng.permutation(len(words)))
        if text != caption:
            return text


def composition_item(kind: str, seed: int, index: int) -> Item:
    """Row `index` of the test `kind`, undrawn. Raises KeyError for a kind there is none of.

    seed: of the random stream, which no training shares.

    Example: composition_item("swap-attribute", 0, 3).negative
    """
    rng = generator(seed, "composition", KINDS.index(kind) if kind in KINDS else _unknown(kind), index)
    if kind == "count":
        return _count_item(rng)
    scene = pair(rng, STYLE, clear_sizes=True)
    true = statement(scene, rng)
    if kind == "word-order":
        return Item(scene, str(true), _shuffled(rng, str(true)))
    return Item(scene, str(true), str(_EDITS[kind](rng, true, scene)))


def _unknown(kind: str) -> int:
    raise KeyError(f"no composition test {kind!r}; there are {', '.join(KINDS)}")


def composition_tests(seed: int, n: int) -> dict[str, list[PairRow]]:
    """`n` rows of each of the eight kinds, by kind; the same (seed, index) gives the same row whatever `n` is.

    seed: of the random stream, which no training shares.

    Example: composition_tests(0, 40)["swap-attribute"][0].caption
    """
    return {kind: list(_rows(kind, seed, n)) for kind in KINDS}


def _rows(kind: str, seed: int, n: int) -> Iterator[PairRow]:
    for index in range(n):
        item = composition_item(kind, seed, index)
        yield PairRow(item.scene.image, item.caption, item.negative)
