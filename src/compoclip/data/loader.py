"""A stream of training batches that can be left and entered again at any batch, with any number of workers."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from compoclip.data.collate import Batch, Collated, Collator, Lookup, Maker
from compoclip.data.concatenate import Concatenate
from compoclip.data.extras import NOTHING
from compoclip.data.grouping import Groups
from compoclip.data.order import permutation, pick
from compoclip.data.pixels import PixelCache, Preprocess, split_preprocess
from compoclip.data.sources.base import Source
from compoclip.errors import InputError, RunError

__all__ = ["BatchStream"]

JUDGED_AFTER = 200  # images tried before the share of broken ones is judged


class BatchStream:
    """Batches of a source, epoch by epoch.

    The order depends on (seed, epoch), and on `groups` where images that are alike share batches; an image's caption,
    negatives and hard images (`collator.hard`) depend on (seed, epoch, image id, caption index). So
    the batches are the same with any `workers`, and `epoch(e, start_batch=b)` gives what an uninterrupted run would
    have given from there on. No global random state is read or moved.

    preprocess: PIL RGB -> tensor (3, H, W); None keeps the image's own pixels as uint8. Where it draws at random
    (torchvision's augmentations), set `augment`, which seeds it for each image.
    negatives: caption -> its wrong captions (`.get`), or what makes them for a batch (`.make`); where it has none,
    those that the source brings along are used.
    caption: of an image's captions, "random" or "first" gives one sample an image, "all" one a caption.
    workers: processes that decode ahead. cache_gib: memory for preprocessed images (uint8 where the preprocessing ends
    in to-tensor and normalise); decoding then goes to as many threads instead, and mostly happens once.
    load_images: False gives batches without pixels, for a tower whose features are kept.
    rank, world_size: every process gets its own `batch_size` rows of batches of `batch_size * world_size`, which are
    those of a single process with that batch size. A last batch that is not full is dropped, the same everywhere.
    concatenate: joins images in pairs, see there; every place of an epoch is once a row's first image and, but for
    places of one image next to each other, once a second.
    broken_limit: largest share of unreadable images. They are replaced by the next readable sample, and listed with
    their reasons in `broken`.
    Raises InputError where the source does not fill one batch, RunError beyond `broken_limit`.
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        seed: int,
        preprocess: Preprocess | None = None,
        negatives_per_caption: int = 0,
        negatives: Lookup | Maker | None = None,
        workers: int = 0,
        caption: Literal["random", "first", "all"] = "random",
        drop_last: bool = True,
        *,
        augment: bool = False,
        cache_gib: float = 0.0,
        load_images: bool = True,
        concatenate: Concatenate | None = None,
        broken_limit: float = 0.1,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        if batch_size < 1 or negatives_per_caption < 0 or workers < 0 or not 0 <= rank < world_size:
            raise InputError("batch_size must be at least 1, workers and negatives at least 0, rank below world_size")
        if caption not in ("random", "first", "all"):
            raise InputError(f"caption must be random, first or all, not {caption!r}")
        if cache_gib and augment:
            raise InputError("a cache of images would freeze the random augmentation; use one of the two")
        self.source, self.batch_size, self.seed, self.workers = source, batch_size, seed, workers
        self.drop_last, self.broken_limit = drop_last, broken_limit
        self.rank, self.world_size, self.concatenate = rank, world_size, concatenate
        if concatenate is not None and len(source) < 2:
            raise InputError(f"{source.name}: concatenate joins two images, and there is {len(source)}")
        parts = split_preprocess(preprocess) if preprocess is not None and cache_gib else None
        self.collator = Collator(
            source,
            seed,
            parts[0] if parts else preprocess,
            negatives_per_caption,
            negatives,
            caption,
            load_images,
            augment,
            parts[1] if parts else None,
            PixelCache(int(cache_gib * 2**30)) if cache_gib else None,
        )
        self._ends = np.cumsum([len(source.captions(i)) for i in range(len(source))]) if caption == "all" else None
        self.samples = int(self._ends[-1]) if self._ends is not None else len(source)
        self.groups: Groups | None = None
        self.broken: dict[int, str] = {}
        self.replaced = 0
        self._tried = 0
        if not len(self):
            raise InputError(
                f"{source.name}: {self.samples} samples do not fill one batch of {batch_size * world_size}; "
                "use a smaller batch_size"
            )

    def __len__(self) -> int:
        """Batches an epoch."""
        together = self.batch_size * self.world_size
        full, rest = divmod(self.samples, together)
        return full + (1 if rest and not self.drop_last and self.world_size == 1 else 0)

    def epoch(self, epoch: int, start_batch: int = 0, stop_batch: int | None = None) -> Iterator[Batch]:
        """The batches of one epoch from `start_batch` on, before `stop_batch` where it is given; no other is decoded.

        Raises InputError for a start beyond the epoch's end.
        """
        stop = len(self) if stop_batch is None else min(stop_batch, len(self))
        if not 0 <= start_batch <= len(self):
            raise InputError(f"batch {start_batch} of an epoch of {len(self)}: the data or the batch size has changed")
        plan = _Plan(self, self.order(epoch), epoch)
        for collated in self._run(plan, range(start_batch, stop), self.collator.load_images):
            yield self._account(collated)

    def order(self, epoch: int) -> np.ndarray:
        """The epoch's samples (int64), each once, in the order in which batches take them."""
        drawn = permutation(self.samples, self.seed, epoch)
        if self.groups is None:
            return drawn
        ends = np.arange(1, self.samples + 1) if self._ends is None else self._ends
        return self.groups.order(drawn, ends, self.batch_size * self.world_size)

    def needed(self, batches: int) -> list[int]:
        """Indices of the images in a run's first `batches` batches, of all processes; without those that stand in."""
        if batches >= len(self):
            return list(range(len(self.source)))
        chosen = self._samples_of(self.order(0)[: batches * self.batch_size * self.world_size])
        return sorted({index for index, _ in self.collator.with_hard(chosen, 0)})

    def stand_ins(self, indices: Iterable[int]) -> list[int]:
        """What stands in for those of the images `indices` that are known to be broken."""
        count, found = len(self.source), set()
        for index in indices:
            while index in self.broken and len(self.broken) < count:
                index = (index + 1) % count
                found.add(index)
        return sorted(found)

    def note_broken(self, found: Mapping[int, str]) -> None:
        """Take note of unreadable images, which other processes may have met."""
        self.broken.update(found)
        self.collator.known_broken.update(found)

    def images(self, indices: Sequence[int], batch_size: int = 64) -> Iterator[tuple[list[int], Tensor]]:
        """(indices, pixels) of this process's share of the readable ones of the images `indices`, in that order.

        Whole batches are dealt to the processes in turn. Broken images are noted and left out.
        """
        scan = _Scan(self.collator, indices, batch_size)
        for collated in self._run(scan, range(self.rank, len(scan), self.world_size), True):
            batch = self._account(collated)
            if batch.indices:
                yield batch.indices, batch.images

    def places(self, order: np.ndarray, number: int) -> list[tuple[int, int]]:
        """(sample index, caption index or -1) of this process's rows of one batch."""
        start = (number * self.world_size + self.rank) * self.batch_size
        return self._samples_of(order[start : start + self.batch_size])

    def partners(self, order: np.ndarray, epoch: int, number: int) -> list[tuple[int, int]]:
        """The places that the rows of a batch are joined with: as far ahead in the epoch's order for every row as the
        epoch's draw says, or further where that is of the row's own image."""
        ahead = 1 + pick(self.samples - 1, "partners", self.seed, epoch)
        start = (number * self.world_size + self.rank) * self.batch_size + ahead
        found = []
        for row, (index, _) in enumerate(self.places(order, number), start):
            turns = (self._samples_of(order[[(row + step) % self.samples]])[0] for step in range(self.samples))
            found.append(next(place for place in turns if place[0] != index))
        return found

    def _samples_of(self, chosen: np.ndarray) -> list[tuple[int, int]]:
        if self._ends is None:
            return [(int(i), -1) for i in chosen]
        samples = np.searchsorted(self._ends, chosen, side="right")
        firsts = [int(self._ends[s - 1]) if s else 0 for s in samples]
        return [(int(s), int(c) - first) for s, c, first in zip(samples, chosen, firsts)]

    def _run(self, plan: _Plan | _Scan, numbers: Sequence[int], decodes: bool) -> Iterator[Collated]:
        cached = self.collator.cache is not None
        if self.workers == 0 or cached or not decodes:
            threads = self.workers if cached else 0
            with ThreadPoolExecutor(threads) if threads else nullcontext() as pool:
                for number in numbers:
                    yield plan.make(number, pool)
            return
        loader: DataLoader[Collated] = DataLoader(
            plan,
            batch_size=None,
            sampler=list(numbers),
            num_workers=min(self.workers, max(1, len(numbers))),
            collate_fn=_same,
            worker_init_fn=_ignore_stops,
            generator=torch.Generator().manual_seed(self.seed),  # without one, torch draws from its global state
        )
        with naming_lost_workers():
            yield from loader

    def _account(self, collated: Collated) -> Batch:
        self.note_broken(collated.broken)
        self.replaced += collated.replaced
        if collated.batch is not None:
            self._tried += len(collated.batch.indices) + len(collated.batch.partners)
        limit = self.broken_limit * min(len(self.source), max(self._tried, JUDGED_AFTER))
        if collated.batch is None:
            raise RunError(collated.failure)
        if len(self.broken) > limit:
            first = "; ".join(list(self.broken.values())[:3])
            share = f"{len(self.broken)} of the {max(self._tried, len(self.broken))} images tried cannot be read"
            raise RunError(f"{self.source.name}: {share}, over the limit of {self.broken_limit:.0%}: {first}")
        return collated.batch


class _Plan(Dataset[Collated]):
    """One epoch, indexable by batch number; it travels to the worker processes."""

    def __init__(self, stream: BatchStream, order: np.ndarray, epoch: int) -> None:
        self.collator, self.order, self.epoch = stream.collator, order, epoch
        self.places, self.partners, self.concatenate = stream.places, stream.partners, stream.concatenate

    def make(self, number: int, pool: ThreadPoolExecutor | None) -> Collated:
        places, collator = self.places(self.order, number), self.collator
        if self.concatenate is None:
            return collator(places, self.epoch, pool)
        if not self.concatenate.joins(number):  # single images, for the contrast alone
            return replace(collator, negatives_per_caption=0, wanted=NOTHING)(places, self.epoch, pool)
        return self.concatenate(collator, places, self.partners(self.order, self.epoch, number), self.epoch, pool)

    def __getitem__(self, number: int) -> Collated:
        return self.make(number, None)


class _Scan(Dataset[Collated]):
    """Some images, in order, without stand-ins."""

    def __init__(self, collator: Collator, indices: Sequence[int], batch_size: int) -> None:
        self.collator, self.indices, self.batch_size = collator, indices, batch_size

    def __len__(self) -> int:
        return -(-len(self.indices) // self.batch_size)

    def make(self, number: int, pool: ThreadPoolExecutor | None) -> Collated:
        span = self.indices[number * self.batch_size : (number + 1) * self.batch_size]
        found = list((pool.map if pool else map)(self._one, span))
        broken = {index: item for index, item in zip(span, found) if isinstance(item, str)}
        images = [item for item in found if isinstance(item, Tensor)]
        indices = [index for index in span if index not in broken]
        try:
            pixels = self.collator.stack(images, indices) if images else torch.empty(0)
        except InputError as error:
            return Collated(None, broken, failure=str(error))
        return Collated(Batch(pixels, [], [], [], indices, []), broken)

    def _one(self, index: int) -> Tensor | str:
        try:
            return self.collator.pixels(index, self.collator.source[index])
        except InputError as error:
            return str(error)

    def __getitem__(self, number: int) -> Collated:
        return self.make(number, None)


@contextmanager
def naming_lost_workers() -> Iterator[None]:
    """One line where a worker process dies. torch raises it by a signal, wherever the main thread happens to be."""
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error) or isinstance(error, RunError):
            raise
        why = str(error).splitlines()[0].strip()
        raise RunError(f"{why} Use fewer workers, or more memory (or /dev/shm) for them.") from None


def _ignore_stops(worker: int) -> None:
    """SIGTERM of a scheduler and Ctrl-C reach every process; a worker that dies of one would take the step and its
    checkpoint along."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _same(item: Any) -> Any:
    return item
