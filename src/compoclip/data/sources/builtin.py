"""The built-in world as a source: scenes drawn by code, nothing read from disk."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from compoclip.data import world
from compoclip.data.images import PixelImage
from compoclip.data.report import Report
from compoclip.data.sources.base import Sample, Source


@lru_cache(maxsize=1)
def _drawn(seed: int, count: int, broad: float) -> world.Captioned:
    """Several runs on one set follow each other in a demo; drawing takes longer than a run's set-up."""
    return world.finetune_set(seed, count, broad)


class WorldSource(Source):
    """The first `count` fine-tuning scenes of a seed, each with its true captions; of them a share of `broad` from the
    broad world."""

    def __init__(self, seed: int, count: int, broad: float = 0.0) -> None:
        mixed = f", {100 * broad:g} % of the broad world" if broad else ""
        self.name = f"world (seed {seed}, {count} scenes{mixed})"
        self._set = _drawn(seed, count, broad)
        self.report = Report(samples=count, captions=sum(map(len, self._set.captions)), rows=count)
        self.fingerprint = hashlib.sha256(repr((seed, count, self._set.captions)).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._set.captions)

    def __getitem__(self, index: int) -> Sample:
        image = PixelImage(self._set.images[index], f"scene {index}")
        return Sample(image, tuple(self._set.captions[index]), f"scene-{index}")
