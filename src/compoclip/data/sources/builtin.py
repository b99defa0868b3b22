"""The built-in world as a source: scenes drawn by code, nothing read from disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoclip.data import world
from compoclip.data.sources.base import ImageRef, Report, Sample, Source


@dataclass(frozen=True, eq=False)
class ArrayImage(ImageRef):
    """An image that is already pixels: (H, W, 3) uint8."""

    pixels: NDArray[np.uint8]
    name: str

    @property
    def where(self) -> str:
        return self.name

    def read(self) -> bytes:
        return self.pixels.tobytes()

    def load(self) -> Image.Image:
        return Image.fromarray(self.pixels)


@lru_cache(maxsize=1)
def _drawn(seed: int, count: int) -> world.Captioned:
    """Several runs on one set follow each other in a demo; drawing takes longer than a run's set-up."""
    return world.finetune_set(seed, count)


class WorldSource(Source):
    """The first `count` fine-tuning scenes of a seed, each with its true captions."""

    def __init__(self, seed: int, count: int) -> None:
        self.name = f"world (seed {seed}, {count} scenes)"
        self._set = _drawn(seed, count)
        self.report = Report(samples=count, captions=sum(map(len, self._set.captions)), rows=count)
        self.fingerprint = hashlib.sha256(repr((seed, count, self._set.captions)).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._set.captions)

    def __getitem__(self, index: int) -> Sample:
        image = ArrayImage(self._set.images[index], f"scene {index}")
        return Sample(image, tuple(self._set.captions[index]), f"scene-{index}")
