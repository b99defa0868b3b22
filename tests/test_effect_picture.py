"""The README's picture: its figures are those of the results, its rows those that turned."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from compoclip.data import world

SCRIPT = Path(__file__).parents[1] / "scripts" / "effect_picture.py"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("effect_picture", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(attribute: float, place: float, zeroshot: float) -> dict[str, Any]:
    subsets = {
        "swap-attribute": {"accuracy": attribute, "chance": 50.0},
        "swap-object": {"accuracy": place, "chance": 50.0},
        "zeroshot/solid": {"accuracy": zeroshot, "chance": 8.0},
    }
    return {"tasks": {"world": {"subsets": subsets}}, "summary": {"zeroshot": zeroshot}}


def test_figures_and_picture() -> None:
    module = script()
    found = module.figures(made(50.0, 49.0, 70.0), made(90.0, 80.0, 60.0))
    assert list(found.values()) == [(50.0, 50.0, 90.0), (50.0, 49.0, 80.0), (8.0, 70.0, 60.0)]
    pair = world.composition_tests(0, 1)["swap-attribute"][0]
    plain = module.draw([], found, "png")
    drawn = Image.open(io.BytesIO(module.draw([(pair, [-0.01, 0.02])], found, "png"))).convert("RGB")
    assert Image.open(io.BytesIO(plain)).width == drawn.width
    colours = {tuple(pixel) for pixel in np.asarray(drawn)[:, : drawn.width // 3].reshape(-1, 3)}
    shown = {tuple(pixel) for pixel in pair.image.reshape(-1, 3)}
    assert len(shown & colours) > 50  # the image itself is in the picture
