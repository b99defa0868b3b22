"""What a scene holds, what is true of it, and how scenes are drawn at random, reproducibly by (seed, stream, index)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.data.world.draw import COLOURS, IMAGE_SIZE, STYLES, draw
from compoclip.data.world.shapes import SHAPES
from compoclip.errors import InputError

COLOUR_NAMES: tuple[str, ...] = tuple(COLOURS)
RELATIONS: tuple[str, ...] = ("left", "right", "above", "below")
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}

# Half pixels. Nothing is drawn between the two, so "small" and "large" are never a matter of taste.
SMALL, LARGE = 13, 18
# A relation holds from this many pixels on; pairs are 20 or more apart along one axis and 4 or less along the other.
APART = 8

STREAMS = {"pretrain": 1, "finetune": 2, "composition": 3, "zeroshot": 4, "retrieval": 5, "gallery": 6, "lesson": 7}
_STYLE_SHARES = np.cumsum([0.36, 0.22, 0.18, 0.14, 0.10])


class Thing(NamedTuple):
    """One shape in a scene: centre (x, y) in pixels, radius in half pixels, tilt in degrees."""

    shape: str
    colour: str
    half_radius: int
    x: int
    y: int
    tilt: int = 0

    @property
    def size(self) -> str | None:
        """`small`, `large`, or None for the middling sizes that no caption speaks of."""
        return "small" if self.half_radius <= SMALL else "large" if self.half_radius >= LARGE else None


@dataclass(frozen=True)
class Scene:
    """An image before it is drawn.

    `ground` is the background's RGB, `clutter` grey bars (top, left, height, width, shade), `noise` the noise field.
    """

    things: tuple[Thing, ...]
    style: str
    ground: tuple[float, float, float]
    noise: int
    clutter: tuple[tuple[int, int, int, int, int], ...] = ()
    captions: tuple[str, ...] = ()

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """(48, 48, 3) uint8."""
        return draw(self)

    @property
    def caption(self) -> str:
        """The first of the true captions. Raises IndexError for a scene that was made without any."""
        return self.captions[0]


def holds(relation: str, a: Thing, b: Thing) -> bool:
    """Whether `a` is left of, right of, above or below `b`.

    relation: one of `RELATIONS`.

    Example: holds("left", scene.things[0], scene.things[1])
    """
    gap = {"left": b.x - a.x, "right": a.x - b.x, "above": b.y - a.y, "below": a.y - b.y}[relation]
    return gap >= APART


def relation_between(a: Thing, b: Thing) -> str | None:
    """The first relation that holds of (a, b), or None."""
    return next((relation for relation in RELATIONS if holds(relation, a, b)), None)


def sides(thing: Thing) -> tuple[str, ...]:
    """On which sides of the middle `thing` stands, where it is clear of it: none, one, or one of each axis."""
    far = IMAGE_SIZE // 8
    across, down = thing.x - IMAGE_SIZE // 2, thing.y - IMAGE_SIZE // 2
    found = {"left": across <= -far, "right": across >= far, "above": down <= -far, "below": down >= far}
    return tuple(side for side, stands in found.items() if stands)


def generator(seed: int, stream: str, *index: int) -> np.random.Generator:
    """The random state of one item. Streams never share one, so tests are disjoint from training by construction."""
    if seed < 0 or min(index) < 0:
        raise InputError(f"world: seed {seed} and index {index} must not be negative; give 0 or more")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, STREAMS[stream], *index))))


def setting(rng: np.random.Generator, style: str) -> dict[str, Any]:
    """Ground, noise and clutter. Grounds are middling greys with a tint, on which both black and white show."""
    draws = rng.random(4)
    noise = int(rng.integers(0, 61 * 48 * 48))
    if style != "noisy":
        base = 118 + 52 * draws[0]
        ground = tuple(base + 26 * (draws[1:] - 0.5))
        return {"ground": ground, "noise": noise, "clutter": ()}
    ground = tuple(70 + 16 * draws[0] + 24 * (draws[1:] - 0.5))
    bars = rng.integers([0, 0, 1, 30], [44, 36, 4, 150], size=(4, 4))
    lengths = rng.integers(8, 26, size=4)
    clutter = tuple(
        (int(top), int(left), int(thick), int(length), int(shade))
        if turn % 2
        else (int(left), int(top), int(length), int(thick), int(shade))
        for turn, ((top, left, thick, shade), length) in enumerate(zip(bars, lengths))
    )
    return {"ground": ground, "noise": noise, "clutter": clutter}


def pick_style(rng: np.random.Generator) -> str:
    """A rendering style, by how common it is in the broad world."""
    return STYLES[min(int(np.searchsorted(_STYLE_SHARES, rng.random(), side="right")), len(STYLES) - 1)]


def _radius(rng: np.random.Generator, largest: int, small_share: float = 0.3) -> int:
    """In half pixels: small, middling or large, never near a boundary between two of them."""
    lot = rng.random()
    if lot < small_share:
        return int(rng.integers(11, SMALL + 1))
    if lot < small_share + 0.15:
        return int(rng.integers(SMALL + 2, LARGE - 1))
    return int(rng.integers(LARGE + 1, largest + 1))


def _tilt(rng: np.random.Generator) -> int:
    return 10 * int(rng.integers(-2, 3))


def single(rng: np.random.Generator, style: str, shape: str | None = None) -> Scene:
    """One thing anywhere in the frame, of any size; few small ones in the styles that need room to be read."""
    half_radius = _radius(rng, 30, 0.3 if style == "solid" else 0.12)
    room = min(half_radius // 2 + 1, 17)
    x, y = (int(v) for v in rng.integers(room, 48 - room, size=2))
    shape_lot, colour = rng.integers(0, (len(SHAPES), len(COLOUR_NAMES)))
    name = shape or SHAPES[shape_lot]
    thing = Thing(name, COLOUR_NAMES[colour], half_radius, x, y, _tilt(rng))
    return Scene((thing,), style, **setting(rng, style))


def pair(rng: np.random.Generator, style: str, clear_sizes: bool = False) -> Scene:
    """Two things of different shapes and colours, side by side or one above the other.

    Sizes are small or large only when `clear_sizes`, else middling too.
    """
    shapes = rng.permutation(len(SHAPES))[:2]
    colours = rng.permutation(len(COLOUR_NAMES))[:2]
    near, far = int(rng.integers(11, 14)), int(rng.integers(34, 37))
    level, shift = int(rng.integers(14, 31)), int(rng.integers(-4, 5))
    places = [(near, level), (far, level + shift)]
    flip, upright = rng.random(2) < 0.5
    if upright:
        places = [(y, x) for x, y in places]
    if flip:
        places.reverse()
    things = []
    for shape, colour, (x, y) in zip(shapes, colours, places):
        if clear_sizes:
            half_radius = int(rng.integers(11, SMALL + 1)) if rng.random() < 0.5 else int(rng.integers(19, 22))
        else:
            half_radius = _radius(rng, 21)
        things.append(Thing(SHAPES[shape], COLOUR_NAMES[colour], half_radius, x, y, _tilt(rng)))
    return Scene(tuple(things), style, **setting(rng, style))


_CELLS = [(9, 12), (24, 12), (39, 12), (9, 36), (24, 36), (39, 36)]


def crowd(rng: np.random.Generator, style: str, count: int, alike: bool = True) -> Scene:
    """`count` (1 to 6) things in cells of a loose grid: all of one shape and colour, or of different shapes each."""
    cells = rng.permutation(len(_CELLS))[:count]
    shapes = rng.permutation(len(SHAPES))[:count]
    colours = rng.integers(0, len(COLOUR_NAMES), size=count)
    half_radius = int(rng.integers(11, SMALL + 1))
    jitter = rng.integers(-2, 3, size=(count, 2))
    things = []
    for i, cell in enumerate(cells):
        pick = 0 if alike else i
        x, y = _CELLS[cell][0] + int(jitter[i, 0]), _CELLS[cell][1] + int(jitter[i, 1])
        things.append(Thing(SHAPES[shapes[pick]], COLOUR_NAMES[colours[pick]], half_radius, x, y, _tilt(rng)))
    return Scene(tuple(things), style, **setting(rng, style))
