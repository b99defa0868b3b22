"""Two images as one, side by side or one above the other, with both captions (CLIC, arXiv 2505.24424).

What the two show is all in the image, so that only which belongs to which tells a true text from one whose words
have changed places between the captions. Several true texts of each image leave the order of sentences no say.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from compoclip.data.collate import Collated, Collator
from compoclip.data.extras import said
from compoclip.data.order import pick, shuffled
from compoclip.data.pixels import to_uint8
from compoclip.data.sources.base import Sample
from compoclip.errors import InputError, RunError

TEXTS = 4  # true texts of a joined image, at most
Place = tuple[int, int]  # sample index, caption index or -1


@dataclass(frozen=True)
class Concatenate:
    """size: (height, width) of a joined image, of which each of the two fills one half. every: of the batches of an
    epoch, those whose number it divides hold joined images; the others hold single ones."""

    size: tuple[int, int]
    every: int = 1

    def joins(self, number: int) -> bool:
        """Whether batch `number` of an epoch contains joined images."""
        return number % self.every == 0

    def __call__(
        self,
        collator: Collator,
        places: Sequence[Place],
        others: Sequence[Place],
        epoch: int,
        pool: Executor | None = None,
    ) -> Collated:
        """A batch of joined images: each of `places` with the one of `others` at its own place in the list.

        Unreadable images are stood in for as in any batch, the second by one of another image than the first. Which
        way the two are joined, and in what order the further texts come, depends on (seed, epoch, image ids).
        """
        out = Collated(None)
        try:
            make = partial(self._row, collator, epoch)
            rows = list((pool.map if pool else map)(make, places, others))
            for row in rows:
                out.broken.update(row.broken)
                out.replaced += row.replaced
            samples, firsts = [row.sample for row in rows], [row.first for row in rows]
            texts = [sample.captions for sample in samples]
            batch = collator.batch(samples, [0] * len(rows), [row.pixels for row in rows], firsts, epoch, texts)
            out.batch = replace(batch, partners=[row.second for row in rows])
        except (InputError, RunError) as error:  # sent back as text, as from the collator
            out.failure = str(error)
        return out

    def _row(self, collator: Collator, epoch: int, place: Place, other: Place) -> _Row:
        key = (collator.seed, epoch)
        side_by_side = not pick(2, "concatenate", *key, *place, *other)

        def read(second: bool, index: int, sample: Sample) -> Tensor:
            size = half_of(self.size, side_by_side, second)
            kept = collator.cache.get((index, size)) if collator.cache is not None else None
            found = squeezed(sample.image.load(), size) if kept is None else kept
            if collator.cache is not None and kept is None:
                collator.cache.put((index, size), found)
            return found

        index, first, left, broken = collator.readable(place[0], partial(read, False))
        partner, second, right, more = collator.readable(other[0], partial(read, True), first.image_id)
        one, two = (
            collator.caption_of(sample, asked[1] if found == asked[0] else -1, epoch)
            for sample, asked, found in ((first, place, index), (second, other, partner))
        )
        sample = joined_sample(first, one, second, two, *key)
        assert left is not None
        assert right is not None
        pixels = collator.prepared(join(left, right, side_by_side), sample.image_id, epoch)
        replaced = (index != place[0]) + (partner != other[0])
        return _Row(sample, pixels, index, partner, {**broken, **more}, replaced)


class _Row(NamedTuple):
    """A joined image: its texts as captions of one sample, and where its two images are in the source."""

    sample: Sample
    pixels: Tensor
    first: int
    second: int
    broken: dict[int, str]
    replaced: int


def half_of(size: tuple[int, int], side_by_side: bool, second: bool) -> tuple[int, int]:
    """(height, width) of one of the two halves of an image of `size`; the second is the larger where they differ."""
    height, width = size
    if side_by_side:
        return height, width - width // 2 if second else width // 2
    return height - height // 2 if second else height // 2, width


def squeezed(image: Image.Image, size: tuple[int, int]) -> Tensor:
    """The whole image at `size` (height, width), whatever its own shape: uint8 (3, h, w).

    >>> squeezed(Image.new("RGB", (640, 480)), (5, 2)).shape
    torch.Size([3, 5, 2])
    """
    return to_uint8(image.convert("RGB").resize(size[::-1], Image.Resampling.BICUBIC))


def join(first: Tensor, second: Tensor, side_by_side: bool) -> Image.Image:
    """Two halves as one image, the first on the left or above."""
    pixels = torch.cat([first, second], dim=2 if side_by_side else 1)
    return Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))


def both(first: str, second: str) -> str:
    """Two captions as the two sentences of one text.

    >>> both("a dog runs .", "two men on a bench")
    'a dog runs. Two men on a bench'
    """
    second = second.strip()
    return f"{first.strip().rstrip(' .')}. {second[:1].upper()}{second[1:]}"


def joined_sample(first: Sample, one: int, second: Sample, other: int, *key: object) -> Sample:
    """The two samples as one, whose captions are all true of the joined image.

    The captions number `one` and `other`, in both orders; then, where both images have further ones that say something
    else, two texts of those, each in either order. Its image is the first's; the second's is for whoever joins them.
    """
    a, b = first.captions[one], second.captions[other]
    key = (*key, first.image_id, second.image_id, one, other)
    texts = [both(a, b), both(b, a)]
    more = [
        shuffled([text for text in dict.fromkeys(sample.captions) if said(text) != said(own)], "more", place, *key)
        for place, (sample, own) in enumerate(((first, a), (second, b)))
    ]
    for number in range(TEXTS - 2) if all(more) else ():
        pair = [texts_of[number % len(texts_of)] for texts_of in more]
        texts.append(both(*(pair if pick(2, "order", number, *key) else pair[::-1])))
    return replace(
        first,
        captions=tuple(texts),
        image_id=f"{first.image_id}+{second.image_id}",
        negatives=None,
        negative_rows=None,
        named_ids=None,
    )
