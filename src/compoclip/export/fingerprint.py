"""Features of one absolute image and caption as a few numbers, so that two loads can be compared anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CAPTION = "a red square left of a blue circle"
NUMBERS = 8


def test_image() -> Image.Image:
    """256 x 192 pixels of whole numbers alone: waves of each colour and a chequered corner, the same everywhere."""
    y, x = np.mgrid[0:192, 0:256]
    red, green, blue = (x * 7 + y * 3) % 256, (x * y // 5) % 256, (x // 16 * 37 + y // 12 * 91) % 256
    corner = ((x // 8 + y // 8) % 2 == 0) & (x < 96) & (y < 96)
    pixels = np.stack([np.where(corner, 255, c) for c in (red, green, blue)], -1).astype(np.uint8)
    return Image.fromarray(pixels)


def fingerprint(model: Any) -> dict[str, Any]:
    """`{"image": 8 numbers, "text": 8 numbers, "cosine", "scale"}` of `test_image` and `CAPTION`.

    Each number is one coefficient of the feature's discrete cosine transform, so it depends on every coordinate; two
    loads of the same weights agree to about 1e-5, another activation differs in the third digit.

    model: from `load`.

    >>> fingerprint(load("tiny"))["cosine"]  # doctest: +SKIP
    """
    image, text = model.encode_image([test_image()])[0], model.encode_text([CAPTION])[0]
    return {
        "image": _numbers(image),
        "text": _numbers(text),
        "cosine": round(float(image @ text), 6),
        "scale": round(float(model.scale), 4),
    }


def _numbers(feature: Tensor) -> list[float]:
    place = torch.arange(len(feature), dtype=torch.float64)
    order = torch.arange(1, NUMBERS + 1, dtype=torch.float64)[:, None]
    waves = torch.cos(torch.pi * (place + 0.5) * order / len(feature))
    return [round(value, 6) for value in (waves @ feature.double()).tolist()]
