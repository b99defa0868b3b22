"""Samples of streamed tars, shard by shard, for one process: in order, each once a pass, resumable at any of them."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from compoclip.data.images.names import IMAGE_SUFFIXES, safe_name
from compoclip.data.images.refs import MAX_IMAGE_BYTES, ImageRef
from compoclip.data.images.tars import DAMAGED, MAX_TEXT_BYTES
from compoclip.data.order import digest, permutation
from compoclip.data.remote import PIPE, RemoteShard
from compoclip.data.sources.base import Sample
from compoclip.data.sources.paired import TEXTS, captions_of, split_key
from compoclip.data.sources.rows import Reading
from compoclip.data.sources.shards import expand, expand_braces
from compoclip.errors import InputError, RunError

State = dict[str, Any]


@dataclass(frozen=True)
class StreamedImage(ImageRef):
    """A file in memory."""

    name: str
    data: bytes

    @property
    def where(self) -> str:
        return self.name

    def encoded(self) -> bytes:
        return self.data


@dataclass(frozen=True)
class Shards:
    """One source: its shards, and its weight among the sources."""

    names: tuple[str, ...]
    weight: float = 1.0


def parse_streams(spec: str) -> list[Shards]:
    """Sources of a specification: patterns joined by `::`, each with `@WEIGHT` where it has one.

    >>> parse_streams("https://host/a-{00..01}.tar@2::pipe:cat b.tar")
    [Shards(names=('https://host/a-00.tar', 'https://host/a-01.tar'), weight=2.0),
     Shards(names=('pipe:cat b.tar',), weight=1.0)]
    """
    out = []
    for part in spec.removeprefix("stream:").split("::"):
        pattern, at, weight = part.rpartition("@")
        try:
            number = float(weight) if at else 1.0
        except ValueError:  # an @ of the address itself
            pattern, at, number = part, "", 1.0
        pattern = pattern if at else part
        if number <= 0:
            raise InputError(f"{part}: a weight must be above 0")
        if "://" in pattern or pattern.startswith(PIPE):
            names = expand_braces(pattern)
        else:
            names = [str(path) for path in expand(pattern)]
        out.append(Shards(tuple(names), number))
    return out


def shard_samples(name: str, offset: int, reading: Reading) -> Iterator[tuple[int, Sample]]:
    """(byte where the sample begins, sample) of a shard from the byte `offset` on, in order.

    A sample is a run of members of one key. What cannot be used is counted. Raises InputError for what is no tar.
    """
    report = reading.report
    key, start, image, texts = "", offset, None, dict[str, ImageRef]()

    def finished() -> Iterator[tuple[int, Sample]]:
        if image is None:
            if texts:
                report.skip("caption file without an image", f"{name}:{key}")
            return
        report.rows += 1
        captions, negatives = captions_of(key, image.where, texts, reading)
        if captions:
            wrong = tuple(tuple(row) for row in negatives) if negatives is not None else None
            yield start, Sample(image, tuple(captions), f"{name}:{key}", wrong)  # keys come again in other shards

    shard = RemoteShard(name, offset)
    try:
        with tarfile.open(fileobj=shard, mode="r|", bufsize=2**20) as tar:
            reader: Any = tar
            for member in tar:
                reader.members = []  # tarfile keeps every header it has read
                safe = safe_name(member.name)
                if not member.isreg() or safe is None:
                    continue
                own, extension = split_key(safe)
                if own != key:
                    yield from finished()
                    key, start, image, texts = own, offset + member.offset, None, {}
                picture = "." + extension in IMAGE_SUFFIXES
                if not picture and extension not in TEXTS:
                    continue
                if member.size > (MAX_IMAGE_BYTES if picture else MAX_TEXT_BYTES):
                    report.skip("member too large", f"{name}:{safe}", f"{member.size} bytes")
                    continue
                handle = tar.extractfile(member)
                file = StreamedImage(f"{name}:{safe}", handle.read() if handle is not None else b"")
                if picture:
                    image = file
                else:
                    texts[extension] = file
        yield from finished()
    except DAMAGED as error:
        raise InputError(f"{name}: not an uncompressed tar, or broken ({error})") from None
    finally:
        shard.close()


class SourceReader:
    """Samples of one source for one process, without end. `place` is where it is, for another reader to go on from."""

    def __init__(self, shards: Shards, seed: int, rank: int, count: int, reading: Reading, place: State) -> None:
        self.seed, self.reading = seed, reading
        total = len(shards.names)
        if total >= count:
            self.mine, self.part, self.parts = list(shards.names[rank::count]), 0, 1
        else:  # fewer shards than processes: each reads all of them and takes its samples in turn
            self.mine, self.part, self.parts = list(shards.names), rank, count
        self._at: State = {"pass": 0, "shard": 0, "offset": 0, "number": 0, **place}
        self._read = self._at.pop("read", False)
        self._samples = self._run()
        if self._read:  # the place is that of a sample which was handed out
            next(self._samples)

    @property
    def place(self) -> State:
        return {**self._at, "read": self._read}

    def __next__(self) -> Sample:
        sample = next(self._samples)
        self._read = True
        return sample

    def _run(self) -> Iterator[Sample]:
        while True:
            order = permutation(len(self.mine), digest(self.seed, "shards"), self._at["pass"])
            number = self._at["number"]
            found, whole = False, self._at["shard"] == 0 and self._at["offset"] == 0
            for turn in range(self._at["shard"], len(order)):
                for offset, sample in shard_samples(self.mine[int(order[turn])], self._at["offset"], self.reading):
                    if number % self.parts == self.part:
                        found = True
                        self._at = {**self._at, "shard": turn, "offset": offset, "number": number}
                        yield sample
                    number += 1
                self._at = {**self._at, "shard": turn + 1, "offset": 0, "number": number}
            if not found and whole:
                raise RunError(f"{self.mine[0]}: no usable sample in a whole pass ({self.reading.report})")
            self._at = {"pass": self._at["pass"] + 1, "shard": 0, "offset": 0, "number": 0}
