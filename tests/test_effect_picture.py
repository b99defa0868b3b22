"""The README's picture: its figures are those of the results, its rows those that turned."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image
from tests.script_module import load

from compoclip.data import world


def made(attribute: float, place: float, zeroshot: float) -> dict[str, Any]:
    subsets = {
        "swap-attribute": {"accuracy": attribute, "chance": 50.0},
        "swap-object": {"accuracy": place, "chance": 50.0},
        "zeroshot/solid": {"accuracy": zeroshot, "chance": 8.0},
    }
    return {"tasks": {"world": {"subsets": subsets}}, "summary": {"zeroshot": zeroshot}}


def test_figures_and_picture() -> None:
    module = load("scripts/effect_picture.py")
    found = module.figures(made(50.0, 49.0, 70.0), made(90.0, 80.0, 60.0))
    assert list(found.values()) == [(50.0, 50.0, 90.0), (50.0, 49.0, 80.0), (8.0, 70.0, 60.0)]
    pair = world.composition_tests(0, 1)["swap-attribute"][0]
    plain = module.draw([], found, "png")
    drawn = Image.open(io.BytesIO(module.draw([(pair, [-0.01, 0.02])], found, "png"))).convert("RGB")
    assert Image.open(io.BytesIO(plain)).width == drawn.width
    colours = {tuple(pixel) for pixel in np.asarray(drawn)[:, : drawn.width // 3].reshape(-1, 3)}
    shown = {tuple(pixel) for pixel in pair.image.reshape(-1, 3)}
    assert len(shown & colours) > 50  # the image itself is in the picture
