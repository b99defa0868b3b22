"""Draw a scene: soft-edged masks, cached by shape, radius, tilt and style, laid over a plain or a noisy ground."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compoclip.data.world.shapes import distance_field

if TYPE_CHECKING:
    from compoclip.data.world.scene import Scene

IMAGE_SIZE = 48

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 28, 32),
    "orange": (250, 138, 12),
    "yellow": (246, 224, 28),
    "green": (28, 150, 52),
    "blue": (28, 70, 214),
    "purple": (124, 34, 160),
    "pink": (252, 140, 192),
    "brown": (112, 64, 24),
    "black": (10, 10, 12),
    "white": (252, 252, 252),
}

# From the plainest to the hardest to read. All but the first are rarer in pre-training, as drawings are on the web.
STYLES: tuple[str, ...] = ("solid", "hollow", "striped", "dotted", "noisy")

_NOISE_FIELDS = 61
_NOISE_SCALE = 5.0
_DARK_NOISE_SCALE = 34.0


@cache
def mask(shape: str, half_radius: int, tilt: int, style: str) -> NDArray[np.float32]:
    """How much of each pixel the shape's paint covers, 0 to 1, (S, S, 1), S odd."""
    distance = distance_field(shape, half_radius, tilt)
    fill = np.clip(0.5 - distance, 0.0, 1.0)
    reach = len(distance) // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    if style == "hollow":
        fill = fill * np.clip(distance + 2.0, 0.0, 1.0)
    elif style == "striped":
        fill = fill * np.clip(0.5 + 1.6 * np.sin(2 * np.pi * (x + y) / 5.5), 0.0, 1.0)
    elif style == "dotted":
        lattice = np.cos(2 * np.pi * x / 4.0) + np.cos(2 * np.pi * y / 4.0)
        fill = fill * np.clip(lattice + 0.2, 0.0, 1.0)
    cover = fill[..., None].astype(np.float32)
    cover.setflags(write=False)
    found: NDArray[np.float32] = cover
    return found


@cache
def _noise() -> NDArray[np.float32]:
    """A fixed bank of unit noise fields, (F, 96, 96, 3): a scene takes a window of one, so noise costs no draws."""
    return np.random.default_rng(20).standard_normal((_NOISE_FIELDS, 96, 96, 3), dtype=np.float32)


def _window(seed: int) -> NDArray[np.float32]:
    field, rest = seed % _NOISE_FIELDS, seed // _NOISE_FIELDS
    top, left = rest % 48, rest // 48 % 48
    return _noise()[field, top : top + IMAGE_SIZE, left : left + IMAGE_SIZE]


def draw(scene: Scene) -> NDArray[np.uint8]:
    """The image of `scene`, (48, 48, 3) uint8 RGB. A pure function of the scene.

    Example: Image.fromarray(draw(composition_item("swap-attribute", 0, 3).scene))
    """
    canvas = np.empty((IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.float32)
    canvas[:] = scene.ground
    for top, left, height, width, shade in scene.clutter:
        canvas[top : top + height, left : left + width] = shade
    for thing in scene.things:
        cover = mask(thing.shape, thing.half_radius, thing.tilt, scene.style)
        reach = len(cover) // 2
        top, left = thing.y - reach, thing.x - reach
        cut_top, cut_left = max(0, -top), max(0, -left)
        bottom, right = min(IMAGE_SIZE, thing.y + reach + 1), min(IMAGE_SIZE, thing.x + reach + 1)
        cover = cover[cut_top : bottom - top, cut_left : right - left]
        region = canvas[top + cut_top : bottom, left + cut_left : right]
        paint = np.asarray(COLOURS[thing.colour], dtype=np.float32)
        region += cover * (paint - region)
    if scene.style == "noisy":
        canvas *= 0.75
        canvas += _window(scene.noise) * _DARK_NOISE_SCALE
    else:
        canvas += _window(scene.noise) * _NOISE_SCALE
    return np.clip(canvas, 0, 255).astype(np.uint8)
