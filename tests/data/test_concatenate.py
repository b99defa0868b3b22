"""Joined images: both are whole in their halves, each text is of both, and no place of the stream changes anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as T

from compoclip.data.concatenate import Concatenate, both, half_of, join, joined_sample, squeezed
from compoclip.data.extras import Extras, Wanted
from compoclip.data.images import PixelImage
from compoclip.data.loader import BatchStream
from compoclip.data.pixels import to_uint8
from compoclip.data.sources import Sample, open_source
from compoclip.errors import InputError

from .conftest import jpeg, write_tar
from .test_loader import key

Shards = Callable[[int, int], list[Path]]
SIZE = (8, 12)


def prepare(image: Image.Image) -> torch.Tensor:
    assert image.size in (SIZE[::-1], (24, 16))
    return T.functional.to_tensor(image)


def stream(source, every: int = 1, **changes) -> BatchStream:
    options = {"batch_size": 3, "seed": 3, "preprocess": prepare, "concatenate": Concatenate(SIZE, every)}
    made = BatchStream(source, **{**options, **changes})
    made.collator.wanted = Wanted(texts=4)
    return made


def all_of(batch) -> tuple:
    return (*key(batch), tuple(batch.partners), repr(batch.extras))


def test_both_images_are_whole_in_their_halves() -> None:
    left, above = Image.new("RGB", (40, 10), "red"), Image.new("RGB", (10, 40), "blue")
    for side_by_side in (True, False):
        halves = [squeezed(one, half_of((5, 7), side_by_side, bool(k))) for k, one in enumerate((left, above))]
        whole = join(*halves, side_by_side)
        assert whole.size == (7, 5)
        counts = Counter(whole.getdata())
        assert counts == ({(255, 0, 0): 15, (0, 0, 255): 20} if side_by_side else {(255, 0, 0): 14, (0, 0, 255): 21})
        assert whole.getpixel((0, 0)) == (255, 0, 0)
        assert whole.getpixel((6, 4)) == (0, 0, 255)
    photo = Image.effect_noise((64, 48), 40).convert("RGB")
    alone = to_uint8(photo.resize((6, 8), Image.Resampling.BICUBIC))
    assert torch.equal(to_uint8(join(squeezed(photo, (8, 6)), squeezed(left, (8, 6)), True))[:, :, :6], alone)


def sample(name: str, *captions: str) -> Sample:
    return Sample(PixelImage(np.zeros((4, 4, 3), dtype=np.uint8), name), captions, name)


def test_texts_are_of_both_images_in_either_order() -> None:
    a, b = sample("a", "a dog .", "one dog", "A DOG"), sample("b", "two cats", "some cats", "cats sit")
    found = joined_sample(a, 0, b, 1, 0, 5)
    assert found.captions[:2] == ("a dog. Some cats", "some cats. A dog .")
    assert found.image_id == "a+b"
    ours, theirs = ("one dog",), ("two cats", "cats sit")  # "A DOG" says what the chosen one says
    possible = [{both(x, y), both(y, x)} for x in ours for y in theirs]
    assert all(any(text in pair for pair in possible) for text in found.captions[2:])
    assert len({frozenset(next(p for p in possible if text in p)) for text in found.captions[2:]}) == 2
    assert found == joined_sample(a, 0, b, 1, 0, 5)
    orders = {joined_sample(a, 0, b, 1, 0, epoch).captions[2:] for epoch in range(40)}
    assert len(orders) == 8  # which of two first, and two orders of each
    assert len(joined_sample(sample("c", "a hat"), 0, b, 0, 1).captions) == 2  # nothing else is said of c


@pytest.mark.parametrize("caption", ["random", "all"])
def test_every_place_comes_once_first_and_once_second(tmp_path: Path, shards: Shards, caption: str) -> None:
    shards(1, 12)
    source = open_source(tmp_path)
    made = stream(source, caption=caption)
    ways = Counter()
    for epoch in (0, 1):
        batches = list(made.epoch(epoch))
        first = Counter(index for batch in batches for index in batch.indices)
        second = Counter(index for batch in batches for index in batch.partners)
        assert set(first.values()) == {2 if caption == "all" else 1}
        assert sum(second.values()) == sum(first.values())
        if caption == "random":
            assert second == first
        for batch in batches:
            for row, (one, two) in enumerate(zip(batch.indices, batch.partners)):
                assert one != two
                assert batch.image_ids[row] == f"{source[one].image_id}+{source[two].image_id}"
                texts = batch.extras[row].texts
                assert batch.captions[row] == texts[0]
                assert len(texts) == 4
                shown = (batch.images[row] * 255).round().to(torch.uint8)
                halves = [to_uint8(source[k].image.load())[:, :1, :1] for k in (one, two)]
                side = torch.equal(shown[:, :, :6], halves[0].expand(3, 8, 6))
                ways[side] += 1
                cut = shown[:, :, 6:] if side else shown[:, 4:]
                assert torch.equal(cut, halves[1].expand(cut.shape))
    assert min(ways[True], ways[False]) > 0.25 * sum(ways.values())
    pairs = [[(b.indices, b.partners) for b in made.epoch(epoch)] for epoch in (0, 1)]
    assert pairs[0] != pairs[1]


def test_any_place_workers_cache_and_ranks_give_the_same(tmp_path: Path, shards: Shards) -> None:
    shards(1, 12)
    source = open_source(tmp_path)
    whole = [all_of(b) for b in stream(source, every=2).epoch(4)]
    joined = [bool(one[-2]) for one in whole]
    assert joined == [True, False, True, False]
    assert [all_of(b) for b in stream(source, every=2).epoch(4, 1)] == whole[1:]
    assert [all_of(b) for b in stream(source, every=2, workers=2).epoch(4)] == whole
    split = T.Compose([lambda image: image, T.ToTensor(), T.Normalize([0.0] * 3, [1.0] * 3)])
    plain, cached = (stream(source, preprocess=split, cache_gib=gib) for gib in (0.0, 0.01))
    for _ in range(2):  # from the pictures, then from what is kept
        for one, other in zip(plain.epoch(4), cached.epoch(4)):
            torch.testing.assert_close(one.images, other.images, rtol=0, atol=1e-7)
            assert one.captions == other.captions
    assert len(cached.collator.cache) > 0
    ranks = [list(stream(source, batch_size=1, rank=rank, world_size=3).epoch(4)) for rank in range(3)]
    alone = list(stream(source).epoch(4))
    for number, batch in enumerate(alone):
        rows = [own[number] for own in ranks]
        assert [row.captions[0] for row in rows] == batch.captions
        assert [row.partners[0] for row in rows] == batch.partners
        assert torch.equal(torch.cat([row.images for row in rows]), batch.images)


def test_single_images_between_bring_neither_negatives_nor_further_texts(tmp_path: Path, shards: Shards) -> None:
    shards(1, 9)
    made = stream(open_source(tmp_path), every=3, negatives_per_caption=1, negatives={})
    made.collator.negatives = type("All", (), {"get": lambda self, caption: [f"not {caption}"]})()
    batches = list(made.epoch(0))
    assert [bool(b.partners) for b in batches] == [True, False, False]
    assert all(len(row) == 1 for row in batches[0].negatives)
    assert [b.negatives for b in batches[1:]] == [[[], [], []]] * 2
    assert [b.extras for b in batches[1:]] == [[], []]
    assert isinstance(batches[0].extras[0], Extras)


def test_a_broken_image_is_stood_in_for_by_one_that_is_not_the_other(tmp_path: Path) -> None:
    members = {f"{k}.jpg": jpeg(k) if k != 1 else b"broken" for k in range(4)}
    members |= {f"{k}.txt": b"picture %d" % k for k in range(4)}
    source = open_source(write_tar(tmp_path / "train.tar", dict(sorted(members.items()))))
    made = stream(source, batch_size=4, broken_limit=0.5)
    for epoch in range(4):
        (batch,) = made.epoch(epoch)
        assert 1 not in batch.indices + batch.partners
        assert all(one != two for one, two in zip(batch.indices, batch.partners))
        wanted = {1: 2}
        assert sorted(wanted.get(k, k) for k in range(4)) == sorted(batch.indices)
    assert set(made.broken) == {1}
    assert made.replaced > 0


def test_one_image_has_no_other(tmp_path: Path) -> None:
    source = open_source(write_tar(tmp_path / "one.tar", {"0.jpg": jpeg(0), "0.txt": b"a"}))
    with pytest.raises(InputError, match="joins two images, and there is 1"):
        stream(source, batch_size=1)
    assert replace(Concatenate(SIZE), every=2).joins(4)
