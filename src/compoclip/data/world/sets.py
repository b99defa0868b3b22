"""What is drawn from the world to learn from and to be tested on, other than the composition pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.data.world.draw import STYLES
from compoclip.data.world.language import (
    CLASS_TEMPLATES,
    COUNT_TEMPLATES,
    count_phrase,
    list_caption,
    phrase,
    single_caption,
    statement,
    together,
    with_place,
)
from compoclip.data.world.scene import COLOUR_NAMES, Scene, Thing, crowd, generator, pair, pick_style, setting, single
from compoclip.data.world.shapes import SHAPES

FINETUNE_STYLE = "solid"
FRESH = 10_000_000  # scenes of the broad world from here on are not among those of any pre-training


class Labelled(NamedTuple):
    """Zero-shot classification: images (N, 48, 48, 3), `labels` (N,) into `class_names`, `templates` with "{}"."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    class_names: list[str]
    templates: list[str]


class Captioned(NamedTuple):
    """Images (N, 48, 48, 3) uint8 and the true captions of each."""

    images: NDArray[np.uint8]
    captions: list[list[str]]


def pretrain_scene(seed: int, index: int) -> Scene:
    """Scene `index` of the broad world, in any style, with one true caption.

    Single things, pairs, counted things and lists of three. Few captions of pairs tell a relation, and many colours
    are left out, so that a model taught on them learns what is there and little of how it is put together.

    seed: of the random stream; index: of the scene.

    Example: pretrain_scene(0, 5).captions
    """
    rng = generator(seed, "pretrain", index)
    lot, style = rng.random(), pick_style(rng)
    if lot < 0.46:
        scene = single(rng, style)
        caption = single_caption(scene, rng)
    elif lot < 0.84:
        scene = pair(rng, style)
        kind = rng.random()
        if kind < 0.08:
            caption = str(statement(scene, rng))
        elif kind < 0.54:
            caption = single_caption(scene, rng, place_share=0.9, thing=scene.things[rng.integers(0, 2)])
        else:
            caption = together(scene, rng, colour_share=0.6)
    elif lot < 0.94:
        count = int(rng.integers(1, 5))
        scene = crowd(rng, style, count)
        template = COUNT_TEMPLATES[rng.integers(0, len(COUNT_TEMPLATES))]
        caption = template.format(a=count_phrase(scene.things[0], count))
    else:
        scene = crowd(rng, style, 3, alike=False)
        caption = list_caption(scene.things, rng)
    return replace(scene, captions=(caption,))


def lesson_scene(seed: int, index: int, ease: float) -> Scene:
    """One solid thing named by its shape alone, for the first steps of pre-training.

    With `ease` 1 it is large, upright and in the middle; towards 0 it comes to lie anywhere, turned, and of any size.
    A small transformer that begins with the whole world learns colours at once and shapes hardly at all.

    seed: of the random stream; index: of the scene.

    Example: draw(lesson_scene(0, 5, ease=1.0))
    """
    rng = generator(seed, "lesson", index)
    hard = 1.0 - ease
    smallest = round(22 - 11 * hard)
    half_radius = int(rng.integers(smallest, 31))
    room = half_radius // 2 + 1
    reach = min(round(1 + 16 * hard), max(24 - room, 1))
    shape, colour = rng.integers(0, (len(SHAPES), len(COLOUR_NAMES)))
    x, y = (24 + int(v) for v in rng.integers(-reach, reach + 1, size=2))
    tilt = 10 * int(np.rint((rng.integers(-2, 3)) * hard))
    thing = Thing(SHAPES[shape], COLOUR_NAMES[colour], half_radius, x, y, tilt)
    template = CLASS_TEMPLATES[rng.integers(0, len(CLASS_TEMPLATES))]
    return Scene((thing,), "solid", **setting(rng, "solid"), captions=(template.format(thing.shape),))


def pretrain_batch(seed: int, step: int, size: int) -> tuple[NDArray[np.uint8], list[str]]:
    """Scenes `step * size` to `(step + 1) * size`: images (size, 48, 48, 3) and one caption each.

    seed: of the random stream.

    Example: images, captions = pretrain_batch(0, step=3, size=64)
    """
    scenes = [pretrain_scene(seed, step * size + i) for i in range(size)]
    return _stack(scenes), [scene.caption for scene in scenes]


def finetune_scene(seed: int, index: int, exchange: int = 0) -> Scene:
    """Two things and how they stand, in the plainest style.

    Captions: a statement of both, one with sizes, the first from the other side, each thing alone with the side of the
    image where it stands, a plain pair. Who learns where one of two things is has a first step to how both stand.

    exchange: 1 the colours of the two things, 2 their places, 3 their shapes; the captions keep their wording. The four
    scenes hold the same colours, shapes and places, and only what belongs to what tells them apart.

    seed: of the random stream; index: of the scene.

    Example: finetune_scene(0, 5, exchange=1).captions
    """
    rng = generator(seed, "finetune", index)
    scene = pair(rng, FINETUNE_STYLE)
    a, b = scene.things
    if exchange in (2, 3):
        a, b = a._replace(x=b.x, y=b.y), b._replace(x=a.x, y=a.y)
    if exchange in (1, 3):
        a, b = a._replace(colour=b.colour), b._replace(colour=a.colour)
    scene = replace(scene, things=(a, b))
    first = statement(scene, rng)
    sized, turned = statement(scene, rng, size_share=0.3), first.turned()
    sides = {first.a.shape: first.relation, first.b.shape: turned.relation}
    alone = [with_place(str(phrase(thing)), sides[thing.shape], rng) for thing in scene.things]
    captions = (str(first), *alone, str(turned), str(sized), together(scene, rng))
    return replace(scene, captions=tuple(dict.fromkeys(captions)))


FOUR = 4  # scenes that differ in what belongs to what
FOUR_CAPTIONS = 3  # of each: a statement, and each thing alone with its side, which has to be learned first


def finetune_set(seed: int, n: int, broad: float = 0.0, fours: bool = False) -> Captioned:
    """The first `n` fine-tuning scenes, each with its five or six captions.

    A share of `broad` (0 to 1) of them, evenly spread, are scenes of the broad world in their place, with one caption
    each: such as the base was taught on, none of those that taught the bundled one. With `fours`, scenes come in fours
    of one `finetune_scene` and its exchanges, with the captions that are true of one of the four alone; the share of
    `broad` is one of fours.

    seed: of the random stream.

    Example: images, captions = finetune_set(0, 64, broad=0.25)
    """
    spread = (5**0.5 - 1) / 2

    def scene(index: int) -> Scene:
        number, exchange = divmod(index, FOUR) if fours else (index, 0)
        if number * spread % 1 < broad:
            return pretrain_scene(seed, FRESH + index)
        told = finetune_scene(seed, number, exchange)
        return replace(told, captions=told.captions[:FOUR_CAPTIONS]) if fours else told

    scenes = [scene(index) for index in range(n)]
    return Captioned(_stack(scenes), [list(scene.captions) for scene in scenes])


def zeroshot_sets(seed: int, n: int, coloured: bool = False) -> dict[str, Labelled]:
    """One set of `n` single things for each rendering style, balanced over the shapes.

    Classes are the 12 shapes (chance 8.3 %), or with `coloured` the 120 pairs of colour and shape (chance 0.83 %).

    seed: of the random stream.

    Example: zeroshot_sets(0, 100)["striped"]
    """
    names = [f"{colour} {shape}" for shape in SHAPES for colour in COLOUR_NAMES] if coloured else list(SHAPES)
    sets = {}
    for number, style in enumerate(STYLES):
        scenes = [single(generator(seed, "zeroshot", number, i), style, SHAPES[i % len(SHAPES)]) for i in range(n)]
        things = [scene.things[0] for scene in scenes]
        labels = [names.index(f"{thing.colour} {thing.shape}" if coloured else thing.shape) for thing in things]
        sets[style] = Labelled(_stack(scenes), np.array(labels, dtype=np.int64), names, list(CLASS_TEMPLATES))
    return sets


def retrieval_set(seed: int, n: int) -> Captioned:
    """`n` pairs of things, the styles in turn, two captions each; no two images hold the same two coloured shapes.

    `n` may be at most a few thousand: there are 5,940 pairs of coloured shapes that differ in both.

    seed: of the random stream.

    Example: retrieval_set(0, 100)
    """
    scenes: list[Scene] = []
    seen = set()
    index = 0
    while len(scenes) < n:
        rng = generator(seed, "retrieval", index)
        scene = pair(rng, STYLES[len(scenes) % len(STYLES)])
        index += 1
        key = frozenset((thing.colour, thing.shape) for thing in scene.things)
        if key in seen:
            continue
        seen.add(key)
        captions = (together(scene, rng), str(statement(scene, rng)))
        scenes.append(replace(scene, captions=captions))
    return Captioned(_stack(scenes), [list(scene.captions) for scene in scenes])


def _stack(scenes: list[Scene]) -> NDArray[np.uint8]:
    if not scenes:
        return np.empty((0, 48, 48, 3), dtype=np.uint8)
    return np.stack([scene.image for scene in scenes])
