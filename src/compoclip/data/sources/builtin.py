"""The built-in world as a source: scenes drawn by code, nothing read from disk."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from compoclip.data import world
from compoclip.data.images import PixelImage
from compoclip.data.report import Report
from compoclip.data.sources.base import Sample, Source


@lru_cache(maxsize=1)
def _drawn(seed: int, count: int, broad: float, fours: bool) -> world.Captioned:
    """Several runs on one set follow each other in a demo; drawing takes longer than a run's set-up."""
    return world.finetune_set(seed, count, broad, fours)


class WorldSource(Source):
    """The first `count` fine-tuning scenes of a seed, each with its true captions; of them a share of `broad` from the
    broad world. With `fours` they come in fours that differ in what belongs to what, and each names the other three as
    its similar images (NegCLIP's hard images)."""

    def __init__(self, seed: int, count: int, broad: float = 0.0, fours: bool = False) -> None:
        mixed = f", {100 * broad:g} % of the broad world" if broad else ""
        mixed += ", in fours" if fours else ""
        self.name = f"world (seed {seed}, {count} scenes{mixed})"
        self._set, self.fours = _drawn(seed, count, broad, fours), fours
        self.report = Report(samples=count, captions=sum(map(len, self._set.captions)), rows=count)
        self.fingerprint = hashlib.sha256(repr((seed, count, self._set.captions)).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._set.captions)

    def __getitem__(self, index: int) -> Sample:
        image = PixelImage(self._set.images[index], f"scene {index}")
        captions = tuple(self._set.captions[index])
        return Sample(image, captions, f"scene-{index}", negative_rows=self._alike(index, len(captions)))

    def _alike(self, index: int, captions: int) -> tuple[tuple[int, ...], ...] | None:
        if not self.fours:
            return None
        first = index - index % world.FOUR
        group = range(first, min(first + world.FOUR, len(self)))
        others = [scene * world.FOUR_CAPTIONS for scene in group if scene != index]
        return tuple(tuple(row + number for row in others) for number in range(captions))

    def place_of_row(self, row: int) -> tuple[int, int] | None:
        """A row of a scene in fours is one of its captions: of four scenes, those of equal wording go together."""
        scene, number = divmod(row, world.FOUR_CAPTIONS)
        if not self.fours or not 0 <= scene < len(self):
            return None
        return scene, number if number < len(self._set.captions[scene]) else -1
