"""Half-truths of the world: a short true text, the same with one wrong detail more, and the same with the right one.

Built as CS-CLIP's Half-Truths are (arXiv 2602.23906): whoever scores a text by how many of its words fit prefers the
half-truth, as most of it is true. Entity rows add a second thing, relation rows how the first stands to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.data.world.language import Phrase, Statement, statement
from compoclip.data.world.scene import COLOUR_NAMES, OPPOSITE, RELATIONS, Scene, generator, pair
from compoclip.data.world.shapes import SHAPES

STYLE = "solid"
LOT = 100  # of the stream of composition tests, whose kinds have the numbers below
TEMPLATES: tuple[str, ...] = ("{}", "there is {}", "a picture of {}")
JOINED: tuple[str, ...] = ("{a} and {b}", "{a} with {b}", "{a} next to {b}")
PLAIN = 0  # of the statements' templates: no verb, which a phrase alone has not either


class HalfTruth(NamedTuple):
    """A row before it is drawn: only `half_truth` is false of the scene."""

    scene: Scene
    unit: Literal["entity", "relation"]
    anchor: str
    half_truth: str
    full_truth: str

    @property
    def image(self) -> NDArray[np.uint8]:
        """(48, 48, 3) uint8."""
        return self.scene.image


def half_truth(seed: int, index: int) -> HalfTruth:
    """Row `index`: entity and relation rows in turn. Raises InputError for a negative seed or index.

    >>> half_truth(0, 0).unit, half_truth(0, 1).unit
    ('entity', 'relation')
    """
    rng = generator(seed, "composition", LOT, index)
    scene = pair(rng, STYLE, clear_sizes=True)
    true = replace(statement(scene, rng), template=PLAIN)
    form = TEMPLATES[rng.integers(0, len(TEMPLATES))]
    if index % 2:
        wrong, right = str(replace(true, relation=_other_relation(rng, true.relation))), str(true)
    else:
        joined = JOINED[rng.integers(0, len(JOINED))]
        wrong, right = (joined.format(a=true.a, b=b) for b in (_other_thing(rng, true), true.b))
    unit: Literal["entity", "relation"] = "relation" if index % 2 else "entity"
    return HalfTruth(scene, unit, form.format(true.a), form.format(wrong), form.format(right))


def half_truths(seed: int, n: int) -> list[HalfTruth]:
    """The first `n` rows; the same (seed, index) gives the same row whatever `n` is.

    seed: of the random stream.

    Example: half_truths(0, 40)[0]
    """
    return [half_truth(seed, index) for index in range(n)]


def _other_thing(rng: np.random.Generator, true: Statement) -> Phrase:
    """The second thing in the first one's colour, in a colour that nothing has, or as a shape that nothing has."""
    lot = int(rng.integers(0, 3))
    if lot == 0:
        return replace(true.b, colour=true.a.colour)
    if lot == 1:
        colours = [name for name in COLOUR_NAMES if name not in (true.a.colour, true.b.colour)]
        return replace(true.b, colour=colours[rng.integers(0, len(colours))])
    shapes = [name for name in SHAPES if name not in (true.a.shape, true.b.shape)]
    return replace(true.b, shape=shapes[rng.integers(0, len(shapes))])


def _other_relation(rng: np.random.Generator, relation: str) -> str:
    """Mostly the opposite; a third of the time one across, which does not hold either as pairs stand along one axis."""
    if rng.random() < 2 / 3:
        return OPPOSITE[relation]
    across = [name for name in RELATIONS if name not in (relation, OPPOSITE[relation])]
    return across[rng.integers(0, len(across))]
