"""webdataset tars read in order, from anywhere: no index pass, no random access, resumable at any batch.

Each process reads its own shards, pass after pass; a pass shows every sample of them exactly once. Samples are
shuffled within blocks of a fixed size (the last of a pass is shorter), so a place in the stream is the place where a
block began (pass, shard, byte) and how many of its samples are gone. An epoch is a number of steps, the same on every
process, however uneven the shards are: a process that comes to the end of its shards begins its next pass.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import replace
from queue import Full, Queue
from typing import Any, Literal, TypeVar

import numpy as np
from torch import Tensor

from compoclip.data.collate import Batch, Collator
from compoclip.data.loader import JUDGED_AFTER
from compoclip.data.order import digest, permutation
from compoclip.data.pixels import Preprocess
from compoclip.data.report import Report
from compoclip.data.shard_reader import SourceReader, State, parse_streams
from compoclip.data.sources.base import Sample, Source
from compoclip.data.sources.rows import Options, Reading
from compoclip.errors import InputError, RunError
from compoclip.malloc import give_back

T = TypeVar("T")
PEEK = 16  # samples looked at when a stream is opened


class _Listed(Source):
    """Samples in memory, as a source."""

    def __init__(self, name: str, samples: Sequence[Sample], report: Report, fingerprint: str = "") -> None:
        self.name, self.samples, self.report, self.fingerprint = name, list(samples), report, fingerprint

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]


class TarStream:
    """Batches of one process out of streamed shards; stands where `BatchStream` stands for sets that are indexed.

    epoch_samples: samples of all processes that make an epoch. buffer: samples of a block, whose files are in memory.
    workers: threads that decode (Pillow lets them run side by side); the order does not depend on their number.
    Raises InputError where the shards are not there or `epoch_samples` does not fill a batch.
    """

    def __init__(
        self,
        spec: str,
        batch_size: int,
        seed: int,
        preprocess: Preprocess,
        negatives_per_caption: int,
        caption: Literal["random", "first", "all"],
        *,
        epoch_samples: int,
        buffer: int,
        workers: int = 0,
        rank: int = 0,
        world_size: int = 1,
        options: Options | None = None,
        broken_limit: float = 0.1,
    ) -> None:
        self.spec, self.batch_size, self.seed, self.workers = spec, batch_size, seed, workers
        self.samples, self.buffer, self.rank, self.world_size = epoch_samples, buffer, rank, world_size
        self.sources, self.reading = parse_streams(spec), Reading(options or Options())
        self.broken: dict[str, str] = {}
        self.broken_limit, self._tried = broken_limit, 0
        if caption == "all":
            raise InputError("captions=all needs data that is indexed; a stream gives one caption an image")
        if not len(self):
            raise InputError(f"epoch_samples {epoch_samples} does not fill one batch of {batch_size * world_size}")
        # looked at as one process alone would, so that any number of processes finds the same
        first = SourceReader(self.sources[0], seed, 0, 1, self.reading, {})
        peek = [next(first) for _ in range(PEEK)]
        seen = [(sample.image_id, sample.captions, sample.negatives) for sample in peek]
        fingerprint = hashlib.sha256(repr((self.sources, seen)).encode()).hexdigest()
        self.source: Source = _Listed(spec, peek, self.reading.report, fingerprint)
        self.collator = Collator(self.source, seed, preprocess, negatives_per_caption, None, caption, load_images=False)
        self.place: State = {"sources": [{}] * len(self.sources), "block": 0, "gone": 0}

    def __len__(self) -> int:
        """Batches an epoch."""
        return self.samples // (self.batch_size * self.world_size)

    def epoch(self, epoch: int, start_batch: int = 0, stop_batch: int | None = None) -> Iterator[Batch]:
        """The batches of an epoch from `start_batch` on, read from `place`, which is then behind the one handed out."""
        stop = len(self) if stop_batch is None else min(stop_batch, len(self))
        with closing(ahead(self._batches(epoch, stop - start_batch))) as batches:
            for batch, self.place in batches:
                yield batch

    def _batches(self, epoch: int, count: int) -> Iterator[tuple[Batch, State]]:
        feed = self._shuffled(self.place)
        with ThreadPoolExecutor(self.workers) if self.workers else nullcontext() as pool:
            waiting: deque[tuple[Sample, State, Any]] = deque()
            good: list[tuple[Sample, Tensor]] = []
            while count > 0:
                while len(waiting) < 1 + 4 * self.workers:
                    sample, place = next(feed)
                    waiting.append((sample, place, pool.submit(self._pixels, sample) if pool else None))
                sample, place, future = waiting.popleft()
                pixels = future.result() if future is not None else self._pixels(sample)
                self._tried += 1
                if isinstance(pixels, str):
                    self._note_broken(sample, pixels)
                    continue
                good.append((sample, pixels))
                if len(good) == self.batch_size:
                    yield self._batch(good, epoch), place
                    good, count = [], count - 1

    def _batch(self, good: list[tuple[Sample, Tensor]], epoch: int) -> Batch:
        """Captions and negatives are chosen as for any other source."""
        listed = _Listed(self.spec, [sample for sample, _ in good], self.reading.report)
        made = replace(self.collator, source=listed)([(i, -1) for i in range(len(good))], epoch)
        if made.batch is None:
            raise RunError(made.failure)
        return replace(made.batch, images=self.collator.stack([pixels for _, pixels in good], range(len(good))))

    def _pixels(self, sample: Sample) -> Tensor | str:
        assert self.collator.preprocess is not None
        try:
            return self.collator.preprocess(sample.image.load(self.collator.least))
        except InputError as error:
            return str(error)

    def _note_broken(self, sample: Sample, why: str) -> None:
        self.broken[sample.image.where] = why
        if len(self.broken) > self.broken_limit * max(self._tried, JUDGED_AFTER):
            raise RunError(
                f"{self.spec}: {len(self.broken)} of {self._tried} images cannot be read, over the limit of "
                f"{self.broken_limit:.0%}: {'; '.join(list(self.broken.values())[:3])}"
            )

    def _readers(self, places: Sequence[State]) -> list[SourceReader]:
        return [
            SourceReader(shards, digest(self.seed, number), self.rank, self.world_size, self.reading, place)
            for number, (shards, place) in enumerate(zip(self.sources, places))
        ]

    def _shuffled(self, place: State) -> Iterator[tuple[Sample, State]]:
        """Samples block by block in an order of the block's own, each with the place behind it."""
        readers = self._readers(place["sources"])
        number, gone = place["block"], place["gone"]
        for began, block in self._blocks(readers, number):
            order = permutation(len(block), digest(self.seed, self.rank, "block"), number)
            for index in range(gone, len(block)):
                yield block[int(order[index])], {"sources": began, "block": number, "gone": index + 1}
            number, gone = number + 1, 0
            del block  # before the next is read, which is as large

    def _blocks(self, readers: list[SourceReader], number: int) -> Iterator[tuple[list[State], list[Sample]]]:
        """Blocks from that of this number on, each with the readers' places before it.

        One source's block ends with a pass over it, so that no sample of the next pass comes before all of this one
        have been; sources that are drawn from by weight come to their ends at different times.
        """
        ends = np.cumsum([shards.weight for shards in self.sources])
        held: list[Sample] = []  # the first of the next pass, read already
        began = [reader.place for reader in readers]
        while True:
            block, held, following = held, [], None
            for i in range(len(block), self.buffer):
                before = [reader.place for reader in readers]
                drawn = digest(self.seed, self.rank, "source", number, i) / 2**64 * ends[-1]
                sample = next(readers[int(np.searchsorted(ends, drawn, side="right"))])
                if len(readers) == 1 and block and readers[0].place["pass"] != before[0]["pass"]:
                    held, following = [sample], before
                    break
                block.append(sample)
            yield began, block
            del block
            give_back()
            began, number = following or [reader.place for reader in readers], number + 1


def ahead(items: Iterator[T], size: int = 2) -> Generator[T, None, None]:
    """The items, made in a thread of their own that is up to `size` ahead."""
    queue: Queue[tuple[str, Any]] = Queue(size)
    stopped = threading.Event()

    def put(kind: str, value: Any) -> None:
        while not stopped.is_set():
            with suppress(Full):
                queue.put((kind, value), timeout=0.1)
                return

    def work() -> None:
        try:
            for item in items:
                put("item", item)
                if stopped.is_set():
                    return
            put("end", None)
        except BaseException as error:
            put("error", error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            kind, value = queue.get()
            if kind == "error":
                raise value
            if kind == "end":
                return
            yield value
    finally:
        stopped.set()
        thread.join()
