"""Hard images: images much like a caption's own, which come into its batch with captions and negatives of their own.

NegCLIP (Yuksekgonul et al., ICLR 2023): its table names rows of similar images (`neg_image`) for every caption, of
which each step draws one; B captions so make a batch of 2B images, 2B captions and as many hard captions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from compoclip.data.order import pick, shuffled
from compoclip.data.sources.base import Sample, Source
from compoclip.errors import InputError

Place = tuple[int, int]  # sample of a source, and which of its captions; -1 where that is drawn as for any sample


class Similar(Protocol):
    """Tells which images are like one."""

    def __call__(self, index: int, sample: Sample, number: int) -> list[Place]:
        """Places that may be drawn for a sample's caption of that number; none of the sample itself."""
        ...


@dataclass(frozen=True)
class NamedRows:
    """The images that the table itself names. Rows that are not there, or of no sample of `source`, are left out."""

    source: Source

    def __call__(self, index: int, sample: Sample, number: int) -> list[Place]:
        rows = sample.negative_rows[number] if sample.negative_rows else ()
        places = (self.source.place_of_row(row) for row in dict.fromkeys(rows))
        return [place for place in places if place is not None and place[0] != index]


@dataclass(frozen=True)
class NearestImages:
    """The nearest images of a table (N, k) of sample indices, -1 where there are no more."""

    table: np.ndarray

    def __call__(self, index: int, sample: Sample, number: int) -> list[Place]:
        return [(int(other), -1) for other in self.table[index] if other >= 0]


@dataclass(frozen=True)
class HardImages:
    """Draws `count` similar images for a caption, each with `captions` of its own.

    A function of (seed, epoch, image id, caption). Several are of different images; where too few are similar, images
    of the whole source, drawn at random, take the rest. An image of fewer captions brings them again, so that every
    caption brings equally many rows. Raises InputError for a source of fewer than two images.
    """

    source: Source
    similar: Similar
    count: int
    seed: int
    captions: int = 1

    def __post_init__(self) -> None:
        if len(self.source) < 2:
            raise InputError(f"{self.source.name}: hard images need at least two images")

    def of(self, index: int, sample: Sample, number: int, epoch: int) -> list[Place]:
        key = ("hard images", self.seed, epoch, sample.image_id, number)
        drawn: dict[int, Place] = {}
        for place in shuffled(self.similar(index, sample, number), *key):
            drawn.setdefault(place[0], place)
        found = list(drawn.values())[: self.count]
        found += [self._other(index, *key, turn) for turn in range(self.count - len(found))]
        return found if self.captions == 1 else self._with_further(found, *key)

    def _with_further(self, places: list[Place], *key: object) -> list[Place]:
        """`captions` places for each: all with the first caption, then with the next, equal numbers together."""
        counts = [len(self.source[index].captions) for index, _ in places]
        firsts = [
            number if number >= 0 else pick(count, "first", *key, index)
            for (index, number), count in zip(places, counts)
        ]
        turns = [0, *shuffled(range(1, max(self.captions, *counts)), "further", *key)]
        return [
            (index, (first + turn) % count)
            for turn in turns[: self.captions]
            for (index, _), first, count in zip(places, firsts, counts)
        ]

    def _other(self, index: int, *key: object) -> Place:
        other = pick(len(self.source) - 1, *key)
        return other + (other >= index), -1


def named_rows_account(source: Source, whole: Source) -> str | None:
    """What there is to draw from in the table's own column of similar images; None where it has no such column.

    source: the part of `whole` that is trained on. Raises InputError where the column names no usable image at all.
    """
    captions = usable = 0
    rows = absent = held_out = own = 0
    column = False
    for index, number, sample in _captions(source):
        column = column or sample.negative_rows is not None
        captions += 1
        found = False
        for row in sample.negative_rows[number] if sample.negative_rows else ():
            place = source.place_of_row(row)
            rows += 1
            absent += whole.place_of_row(row) is None
            held_out += place is None and whole.place_of_row(row) is not None
            own += place is not None and place[0] == index
            found = found or (place is not None and place[0] != index)
        usable += found
    if not column:
        return None
    reasons = {"not in the table, or unusable": absent, "held out": held_out, "of the caption's own image": own}
    left = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    if not usable:
        raise InputError(f"{source.name}: its column of similar images names none to train on ({left or 'all empty'})")
    text = f"hard images: {rows} rows named by the table for {captions} captions"
    text += f"; never drawn: {left}" if left else ""
    return text + (
        f"; {captions - usable} captions have none, and images at random in their place" if usable < captions else ""
    )


def _captions(source: Source) -> Iterator[tuple[int, int, Sample]]:
    for index, sample in enumerate(source):
        for number in range(len(sample.captions)):
            yield index, number, sample
