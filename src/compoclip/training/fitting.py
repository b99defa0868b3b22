"""Defaults that fit the data: batch, held-out images, epochs and warm-up of a set smaller than a recipe was made for.

A recipe's settings belong to its published set of 100,000 captions. On a hundred photos a batch of 256 does not exist,
2 % is two photos, and fifty steps of warm-up outlast the run. What nobody asked for is fitted here and said; what was
asked for stays, and where it cannot work that is said too. With the published batches, epochs and warm-up, a set of
13,500 images and more keeps a recipe's settings as they are, but for the epochs that `steps` asks for.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from compoclip.config import TrainConfig
from compoclip.data.sources import Source
from compoclip.progress import say
from compoclip.training.memory import for_batch

HELD_OUT = 100  # images at least: with fewer a figure moves by whole points with every image
SHARE = 5  # of a smaller set, one image of so many
BATCHES = 4  # an epoch has at least, so that negatives of the batch change
LEAST_BATCH = 16  # plain contrast learns from the other samples of its batch
LEAST_STEPS = 100  # of a run whose length nobody asked for
WARMUP = 5  # warm-up takes at most one step of so many


class Fitting:
    """One run's settings on their way from a recipe's to what its data can carry. `lines` say what was changed."""

    def __init__(self, config: TrainConfig, given: Collection[str], ranks: int) -> None:
        self.config, self.given, self.ranks = config, given, ranks
        self.lines: list[str] = []

    def _set(self, name: str, value: Any, why: str) -> None:
        before = getattr(self.config, name)
        self.config = self.config.model_copy(update={name: value})
        self.lines.append(f"fitted to the data: {name} {value} (default {before:g}): {why}")

    def held_out(self, images: int) -> None:
        config = self.config
        wanted = min(HELD_OUT, images // SHARE)
        keeps = config.held_out * images if config.held_out < 1 else config.held_out
        if "held_out" not in self.given and 0 < keeps < wanted and wanted >= 2:
            share = f"a fifth of {images} images" if wanted < HELD_OUT else f"{HELD_OUT} of {images} images"
            self._set("held_out", wanted, f"{share}, for figures that mean something")

    def batch(self, samples: int) -> None:
        config = self.config
        total = config.batch_size * self.ranks
        if config.fit_batch or "batch_size" in self.given or total * BATCHES <= samples:
            return
        most = max(samples // BATCHES, min(LEAST_BATCH, samples)) // self.ranks
        size = 1 << max(0, most.bit_length() - 1)
        if size < config.batch_size:
            self._set("batch_size", size, f"{samples} training samples make {samples // (size * self.ranks)} batches")
            self.config = self.config.model_copy(update={"weights": for_batch(config, config.batch_size, size)})

    def length(self, samples: int) -> int:
        """Settle the epochs; returns the steps of the run."""
        config = self.config
        each = samples // (config.batch_size * self.ranks)
        if not each or config.fit_batch:
            return 0
        asked = config.steps if config.steps is not None else (0 if "epochs" in self.given else LEAST_STEPS)
        epochs = -(-asked // each)
        if epochs > config.epochs and "epochs" in self.given:
            self.lines.append(
                f"note: the {config.epochs} epochs asked for end after {config.epochs * each} steps, before the "
                f"{asked} asked for; leave out --epochs to have them all"
            )
        elif epochs > config.epochs:
            why = f"{asked} steps were asked for" if config.steps is not None else f"at least {asked} steps"
            self._set("epochs", epochs, f"{why}, {each} an epoch")
        whole = self.config.epochs * each
        return whole if config.steps is None else min(whole, config.steps)

    def warmup(self, steps: int) -> None:
        if not steps or self.config.warmup * WARMUP <= steps:
            return
        if "warmup" not in self.given:
            self._set("warmup", max(1, steps // (2 * WARMUP)), f"a tenth of {steps} steps")
        elif self.config.warmup >= steps:
            self.lines.append(
                f"note: the warm-up of {self.config.warmup} steps asked for outlasts the {steps} steps of the run, so "
                f"the learning rate never reaches {self.config.lr:g}"
            )


def training_samples(config: TrainConfig, source: Source | None) -> int:
    """Samples of an epoch once `held_out` is taken away, near enough where that is a fraction."""
    if source is None:
        return config.epoch_samples or 0
    images, amount = len(source), config.held_out
    rest = images - (round(amount * images) if amount < 1 else int(amount))
    if config.captions != "all":
        return rest
    return sum(len(source.captions(index)) for index in range(images)) * rest // max(images, 1)


def fitted_to_data(config: TrainConfig, given: Collection[str], source: Source | None, ranks: int = 1) -> TrainConfig:
    """`config` with the settings that are not among `given` fitted to the set; says each change in a line.

    given: names of the settings that somebody asked for, and that are never changed. source: None for a stream, whose
    length is `epoch_samples`. ranks: processes that share a batch.
    """
    fitting = Fitting(config, given, ranks)
    if source is not None:
        fitting.held_out(len(source))
    if samples := training_samples(fitting.config, source):
        fitting.batch(samples)
        fitting.warmup(fitting.length(samples))
    for line in fitting.lines:
        say(line)
    return fitting.config
