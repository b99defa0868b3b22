"""From places in an epoch's order to a batch: which caption, which negatives, and the pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor

from compoclip.data.extras import NOTHING, Extras, Twinned, UnitLookup, Wanted, Weighed, choose, said
from compoclip.data.hard_images import HardImages
from compoclip.data.order import digest, draw, draw_weighted, pick
from compoclip.data.pixels import PixelCache, Preprocess, own_randomness, to_uint8
from compoclip.data.sources.base import Sample, Source
from compoclip.errors import InputError, RunError

MOST_TRIES = 1000  # unreadable images in a row before giving up


class Lookup(Protocol):
    """Negatives by caption: a dict, or what the negatives store gives. Its items are strings, or have a `.text`."""

    def get(self, caption: str, /) -> Iterable[object] | None: ...


@runtime_checkable
class Maker(Protocol):
    """Makes the negatives of a batch's captions when the batch is made."""

    def make(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> Sequence[Iterable[object]]:
        """For each sample, negatives of its caption of that number; items as `Lookup` gives them."""
        ...


@dataclass(frozen=True)
class Batch:
    """B samples. Strings stay strings: the model tokenises.

    images (B, 3, H, W), in the dtype the preprocessing gives, or (B, 0) where images were not asked for; negatives: B
    rows of at most K strings, fewer or none where a caption has no more; indices: places in the source; caption_ids:
    which of the image's captions; extras: B rows of further texts, or none where no objective reads any; partners:
    where each row is a joined image (`concatenate`), places of the second ones; prepared: what `Collator.prepare` made.
    """

    images: Tensor
    captions: list[str]
    negatives: list[list[str]]
    image_ids: list[str]
    indices: list[int]
    caption_ids: list[int]
    extras: list[Extras] = field(default_factory=list)
    partners: list[int] = field(default_factory=list)
    prepared: Any = None


@dataclass
class Collated:
    """A batch, and what was found out while making it: unreadable images by index, and how many were stood in for."""

    batch: Batch | None
    broken: dict[int, str] = field(default_factory=dict)
    replaced: int = 0
    failure: str = ""


@dataclass
class Collator:
    """Makes batches. Everything it draws depends on (seed, epoch, image id, caption index) alone."""

    source: Source
    seed: int
    preprocess: Preprocess | None
    negatives_per_caption: int
    negatives: Lookup | Maker | None
    caption: Literal["random", "first", "all"]
    load_images: bool = True
    augment: bool = False
    finish: Callable[[Tensor], Tensor] | None = None
    cache: PixelCache | None = None
    known_broken: dict[int, str] = field(default_factory=dict)
    wanted: Wanted = NOTHING
    units: UnitLookup | None = None
    hard: HardImages | None = None
    prepare: Callable[[list[str], list[list[str]], list[Extras]], Any] | None = None  # of captions, negatives, extras
    least: int = 0  # pixels of a JPEG's sides that have to be decoded; 0 for all

    def __call__(self, places: Sequence[tuple[int, int]], epoch: int, pool: Executor | None = None) -> Collated:
        """One batch of (sample index, caption index or -1) places; behind each come its hard images, if any.

        An unreadable image is stood in for by the next readable sample of the source, whatever process meets it.
        """
        out = Collated(None)
        try:
            places = self.with_hard(places, epoch)
            pixels = partial(self.pixels, epoch=epoch)
            picked = list((pool.map if pool else map)(lambda place: self.readable(place[0], pixels), places))
            samples, numbers = [], []
            for (wanted, chosen), (index, sample, _, broken) in zip(places, picked):
                out.broken.update(broken)
                out.replaced += index != wanted
                samples.append(sample)
                numbers.append(self.caption_of(sample, chosen if index == wanted else -1, epoch))
            indices = [index for index, *_ in picked]
            images = [pixels for _, _, pixels, _ in picked if pixels is not None]
            out.batch = self.batch(samples, numbers, images, indices, epoch)
        except (InputError, RunError) as error:  # sent back as text: a worker's traceback is no message for a user
            out.failure = str(error)
        return out

    def with_hard(self, places: Sequence[tuple[int, int]], epoch: int) -> Sequence[tuple[int, int]]:
        """The places, and behind each those of its hard images."""
        if self.hard is None:
            return places
        found = []
        for index, chosen in places:
            sample = self.source[index]
            number = self.caption_of(sample, chosen, epoch)
            found += [(index, number), *self.hard.of(index, sample, number, epoch)]
        return found

    def batch(
        self,
        samples: Sequence[Sample],
        numbers: list[int],
        images: list[Tensor],
        indices: list[int],
        epoch: int,
        texts: Sequence[Sequence[str]] = (),
    ) -> Batch:
        """The batch of these samples' captions of these numbers, with their negatives and further texts.

        texts: all true ones of each row, where images are joined.
        """
        made = self._made(samples, numbers, epoch)
        wrong = [self._negatives(sample, number, epoch, found) for sample, number, found in zip(samples, numbers, made)]
        twins = [next((text.twin for text in row if isinstance(text, Twinned)), None) for row in wrong]
        captions = [twin or sample.captions[number] for twin, sample, number in zip(twins, samples, numbers)]
        extras = self._extras(samples, numbers, epoch)
        if texts:
            extras = [replace(one, texts=list(own)) for one, own in zip(extras or [Extras()] * len(texts), texts)]
        return Batch(
            images=self.stack(images, indices) if images else torch.empty(len(samples), 0),
            captions=captions,
            negatives=wrong,
            image_ids=[sample.image_id for sample in samples],
            indices=indices,
            caption_ids=numbers,
            extras=extras,
            prepared=self.prepare(captions, wrong, extras) if self.prepare else None,
        )

    def stack(self, images: list[Tensor], indices: Sequence[int]) -> Tensor:
        """(B, 3, H, W).

        Raises InputError naming two images of different size, where the preprocessing does not resize.
        """
        for image, index in zip(images, indices):
            if image.shape != images[0].shape:
                a, b = self.source[indices[0]].image.where, self.source[index].image.where
                sizes = f"{tuple(images[0].shape)} and {tuple(image.shape)}"
                raise InputError(f"{a} and {b} differ in size ({sizes}); use a preprocessing that resizes")
        pixels = torch.stack(images)
        return self.finish(pixels) if self.finish else pixels

    def readable(
        self, index: int, read: Callable[[int, Sample], Tensor], besides: str | None = None
    ) -> tuple[int, Sample, Tensor | None, dict[int, str]]:
        """(index, sample, pixels, unreadable ones passed over): of `index`, or of the next sample that can be read.

        read: gives the pixels. besides: id of an image that must not be taken.
        """
        broken: dict[int, str] = {}
        for step in range(min(len(self.source), MOST_TRIES)):
            candidate = (index + step) % len(self.source)
            if candidate in self.known_broken:
                continue
            sample = self.source[candidate]
            if sample.image_id == besides:
                continue
            if not self.load_images:
                return candidate, sample, None, broken
            try:
                return candidate, sample, read(candidate, sample), broken
            except InputError as error:
                broken[candidate] = str(error)
        tried = min(len(self.source), MOST_TRIES)
        first = next(iter({**broken, **self.known_broken}.values()), "none but one is left")
        raise RunError(f"{self.source.name}: {tried} images in a row cannot be read, the first of them: {first}")

    def pixels(self, index: int, sample: Sample, epoch: int = 0) -> Tensor:
        """The preprocessed image, before `finish`. Raises InputError where it cannot be read."""
        kept = self.cache.get(index) if self.cache is not None else None
        if kept is not None:
            return kept
        pixels = self.prepared(sample.image.load(self.least), sample.image_id, epoch)
        if self.cache is not None:
            self.cache.put(index, pixels)
        return pixels

    def prepared(self, image: Image.Image, image_id: str, epoch: int) -> Tensor:
        """An image after the preprocessing, before `finish`."""
        if self.preprocess is None:
            return to_uint8(image)
        if not self.augment:
            return self.preprocess(image)
        with own_randomness(digest("augment", self.seed, epoch, image_id) >> 1):
            return self.preprocess(image)

    def caption_of(self, sample: Sample, chosen: int, epoch: int) -> int:
        if chosen >= 0:
            return chosen
        if self.caption == "first":
            return 0
        return pick(len(sample.captions), self.seed, epoch, sample.image_id)

    def _made(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> Sequence[Iterable[object] | None]:
        """What there is to choose from, for each caption; None where there is nothing of the kind."""
        if self.negatives is None or not self.negatives_per_caption:
            return [None] * len(samples)
        if isinstance(self.negatives, Maker):
            return self.negatives.make(samples, numbers, epoch)
        return [self.negatives.get(sample.captions[number]) for sample, number in zip(samples, numbers)]

    def _extras(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> list[Extras]:
        if not self.wanted:
            return []
        found = self.units.units(samples, numbers, epoch) if self.units is not None else [()] * len(samples)
        return [
            choose(sample, number, units, self.wanted, self.seed, epoch)
            for sample, number, units in zip(samples, numbers, found)
        ]

    def _negatives(self, sample: Sample, number: int, epoch: int, found: Iterable[object] | None) -> list[str]:
        """At most K wrong captions; none that says what one of the image's own captions says."""
        if not self.negatives_per_caption:
            return []
        if not found and sample.negatives is not None:
            found = sample.negatives[number]
        if not found:
            return []
        true = {said(caption) for caption in sample.captions}
        good: dict[str, float] = {}
        for item in found:
            text = item if isinstance(item, str) else str(getattr(item, "text", item))
            if said(text) not in true:
                good.setdefault(text, item.weight if isinstance(item, Weighed) else 1.0)
        key = (self.seed, epoch, sample.image_id, number)
        if any(weight != 1.0 for weight in good.values()):
            return draw_weighted(list(good), list(good.values()), self.negatives_per_caption, *key)
        return draw(list(good), self.negatives_per_caption, *key)
