"""The batch stream: the same batches from any place, with any workers; broken images; what is drawn for a caption."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision import transforms as T

from compoclip.data.collate import Batch
from compoclip.data.loader import BatchStream
from compoclip.data.order import digest, draw, permutation, pick
from compoclip.data.pixels import split_preprocess
from compoclip.data.sources import open_source
from compoclip.errors import InputError, RunError

from .conftest import jpeg, write_tar

Shards = Callable[[int, int], list[Path]]


class Negatives(dict):
    """Five for each caption."""

    def get(self, caption: str, default: object = None) -> list[str]:
        return [f"{caption} wrong {j}" for j in range(5)]


def preprocess(image) -> Tensor:
    return T.functional.to_tensor(image)


def key(batch: Batch) -> tuple:
    return (
        batch.images.numpy().tobytes(),
        tuple(batch.captions),
        tuple(map(tuple, batch.negatives)),
        tuple(batch.image_ids),
        tuple(batch.indices),
        tuple(batch.caption_ids),
    )


def stream(source, **changes) -> BatchStream:
    options = {
        "batch_size": 4,
        "seed": 3,
        "preprocess": preprocess,
        "negatives_per_caption": 2,
        "negatives": Negatives(),
    }
    return BatchStream(source, **{**options, **changes})


@pytest.mark.parametrize("caption", ["random", "first", "all"])
def test_entering_at_any_batch_gives_what_an_uninterrupted_run_gives(
    tmp_path: Path, shards: Shards, caption: str
) -> None:
    shards(2, 9)
    source = open_source(tmp_path)
    whole = [key(b) for b in stream(source, caption=caption).epoch(5)]
    assert len(whole) == len(stream(source, caption=caption)) == (9 if caption == "all" else 4)
    for start in range(len(whole) + 1):
        again = stream(open_source(tmp_path), caption=caption)
        assert [key(b) for b in again.epoch(5, start)] == whole[start:]
    with pytest.raises(InputError, match="batch size has changed"):
        next(stream(source, caption=caption).epoch(5, len(whole) + 1))


@pytest.mark.usefixtures("deadline")
def test_workers_change_nothing_and_may_outnumber_shards_and_batches(tmp_path: Path, shards: Shards) -> None:
    shards(2, 9)
    (tmp_path / "x.txt").touch()
    source = open_source(tmp_path)
    expected = [key(b) for b in stream(source).epoch(1)]
    for workers in (1, 2, 9):
        assert [key(b) for b in stream(source, workers=workers).epoch(1)] == expected
    assert [key(b) for b in stream(source, workers=2).epoch(1, 3)] == expected[3:]
    assert [key(b) for b in stream(source, workers=2, cache_gib=0.01).epoch(1)] == expected


@pytest.mark.usefixtures("deadline")
def test_leaving_in_the_middle_does_not_hang(tmp_path: Path, shards: Shards) -> None:
    shards(1, 12)
    batches = stream(open_source(tmp_path), workers=2).epoch(0)
    next(batches)
    batches.close()


def test_every_sample_once_an_epoch_and_epochs_differ(tmp_path: Path, shards: Shards) -> None:
    shards(1, 12)
    source = open_source(tmp_path)
    epochs = []
    for epoch in range(3):
        indices = [i for b in stream(source).epoch(epoch) for i in b.indices]
        assert sorted(indices) == list(range(12))
        epochs.append(tuple(indices))
    assert len(set(epochs)) == 3
    pairs = [(i, c) for b in stream(source, caption="all").epoch(0) for i, c in zip(b.indices, b.caption_ids)]
    assert sorted(pairs) == [(i, c) for i in range(12) for c in range(2)]


def test_batches_match_the_source(tmp_path: Path, shards: Shards) -> None:
    shards(1, 10)
    source = open_source(tmp_path)
    for batch in stream(source, drop_last=False).epoch(0):
        assert batch.images.shape[1:] == (3, 16, 24)
        assert len(batch.captions) == len(batch.negatives) == len(batch.images)
        for row, index in enumerate(batch.indices):
            sample = source[index]
            assert batch.captions[row] == sample.captions[batch.caption_ids[row]]
            assert batch.image_ids[row] == sample.image_id
            assert len(set(batch.negatives[row])) == 2
            assert all(n.startswith(batch.captions[row] + " wrong") for n in batch.negatives[row])
            assert torch.equal(batch.images[row], preprocess(sample.image.load()))
    sizes = [len(b.captions) for b in stream(source, drop_last=False).epoch(0)]
    assert sizes == [4, 4, 2]
    assert len(stream(source, drop_last=False)) == 3
    assert len(stream(source)) == 2


def test_captions_and_negatives_are_redrawn_every_epoch_but_not_by_chance(tmp_path: Path, shards: Shards) -> None:
    shards(1, 8)
    source = open_source(tmp_path)

    def seen(seed: int) -> list[dict[int, tuple]]:
        return [
            {
                i: (c, tuple(n))
                for b in stream(source, seed=seed).epoch(e)
                for i, c, n in zip(b.indices, b.captions, b.negatives)
            }
            for e in range(12)
        ]

    first = seen(3)
    assert first == seen(3)
    assert first != seen(4)
    for index in range(8):
        assert len({epoch[index][0] for epoch in first}) == 2  # both captions come up in 12 epochs
        assert len({epoch[index][1] for epoch in first}) > 4
    assert {c for b in stream(source, caption="first").epoch(0) for c in b.caption_ids} == {0}


def test_draws_are_uniform() -> None:
    counts = Counter(pick(4, "x", k) for k in range(4000))
    assert all(900 < counts[j] < 1100 for j in range(4))
    pairs = Counter(tuple(draw("abcd", 2, k)) for k in range(6000))
    assert len(pairs) == 12
    assert all(400 < count < 600 for count in pairs.values())
    firsts = Counter(int(permutation(8, 0, e)[0]) for e in range(4000))
    assert all(400 < firsts[j] < 600 for j in range(8))
    assert draw("ab", 3, 0) == ["a", "b"]
    assert permutation(6, 1, 2).tolist() == [0, 4, 3, 2, 5, 1]  # pinned: a run must resume under a later version too


def test_order_is_that_of_splitmix64() -> None:
    def splitmix(state: int) -> int:
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    start = digest("order", 7, 11)
    keys = [splitmix((start + k * 0x9E3779B97F4A7C15) % 2**64) for k in range(500)]
    assert permutation(500, 7, 11).tolist() == sorted(range(500), key=lambda k: keys[k])


def test_no_global_random_state_is_read_or_moved(tmp_path: Path, shards: Shards) -> None:
    shards(1, 8)
    source = open_source(tmp_path)
    augment = T.Compose([T.RandomResizedCrop(8), T.ToTensor()])
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        batches = [key(b) for w in (0, 1) for b in stream(source, workers=w, preprocess=augment, augment=True).epoch(0)]
        after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        assert torch.equal(before[0], after[0])
        assert before[1:] == after[1:]
        results.append(batches)
    assert results[0] == results[1]
    assert results[0][:2] == results[0][2:]


def broken_source(tmp_path: Path, bad: set[int], count: int = 24):
    members = {}
    for k in range(count):
        members[f"{k:03d}.jpg"] = b"not an image" if k in bad else jpeg(k)
        members[f"{k:03d}.txt"] = f"picture {k}".encode()
    return open_source(write_tar(tmp_path / "t.tar", members))


def test_broken_images_are_replaced_by_the_next_readable_and_counted(tmp_path: Path) -> None:
    source = broken_source(tmp_path, {4, 5, 23})
    expected = None
    for workers in (0, 2):
        batches = stream(source, workers=workers, broken_limit=0.2)
        got = list(batches.epoch(0))
        wanted = permutation(24, 3, 0).tolist()
        stand_in = {4: 6, 5: 6, 23: 0}
        assert [i for b in got for i in b.indices] == [stand_in.get(i, i) for i in wanted]
        assert set(batches.broken) == {4, 5, 23}
        assert "t.tar:004.jpg" in batches.broken[4]
        assert batches.replaced == 3
        assert all(c == f"picture {i}" for b in got for i, c in zip(b.indices, b.captions))
        expected = expected or [key(b) for b in got]
        assert [key(b) for b in got] == expected
        assert [key(b) for b in batches.epoch(0, 2)] == expected[2:]


def test_too_many_broken_images_end_the_run_by_name(tmp_path: Path) -> None:
    source = broken_source(tmp_path, {4, 5, 23})
    for workers in (0, 2):
        with pytest.raises(RunError, match=r"over the limit of 10%: .*t\.tar:0") as caught:
            list(stream(source, workers=workers).epoch(0))
        assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="24 images in a row cannot be read"):
        list(stream(broken_source(tmp_path, set(range(24)))).epoch(0))


def test_negatives_never_say_what_a_true_caption_says(tmp_path: Path) -> None:
    source = open_source(write_tar(tmp_path / "t.tar", {"a.jpg": jpeg(), "a.txt": b"A red dog.\nThe dog is red"}))
    table = {
        "A red dog.": ["a red  dog", "The Dog, is red!", "a dog red", "a dog red"],
        "The dog is red": ["a dog red"],
    }
    batch = next(iter(stream(source, batch_size=1, negatives=table).epoch(0)))
    assert batch.negatives == [["a dog red"]]
    assert next(iter(stream(source, batch_size=1, negatives={}).epoch(0))).negatives == [[]]
    assert next(iter(stream(source, batch_size=1, negatives_per_caption=0).epoch(0))).negatives == [[]]


def test_negatives_of_the_source_are_used_where_the_lookup_has_none(tmp_path: Path) -> None:
    members = {"a.jpg": jpeg(), "a.json": b'{"captions": ["x", "y"], "negatives": [["nx"], ["ny1", "ny2", "ny3"]]}'}
    source = open_source(write_tar(tmp_path / "t.tar", members))
    batches = list(stream(source, batch_size=1, caption="all", negatives=None).epoch(0))
    found = {b.captions[0]: b.negatives[0] for b in batches}
    assert found["x"] == ["nx"]
    assert len(found["y"]) == 2
    assert set(found["y"]) < {"ny1", "ny2", "ny3"}
    from_table = {
        b.captions[0]: b.negatives[0]
        for b in stream(source, batch_size=1, caption="all", negatives={"x": ["z"]}).epoch(0)
    }
    assert from_table["x"] == ["z"]
    assert from_table["y"] == found["y"]


def test_two_ranks_make_one_large_batch(tmp_path: Path, shards: Shards) -> None:
    shards(1, 18)
    source = open_source(tmp_path)
    whole = list(stream(source, batch_size=8).epoch(0))
    parts = [list(stream(source, rank=r, world_size=2).epoch(0)) for r in range(2)]
    assert len(whole) == len(parts[0]) == len(parts[1]) == 2
    for one, a, b in zip(whole, *parts):
        assert one.indices == a.indices + b.indices
        assert one.captions == a.captions + b.captions
        assert one.negatives == a.negatives + b.negatives


def test_cache_keeps_uint8_and_gives_the_same_bits(tmp_path: Path, shards: Shards, monkeypatch) -> None:
    import open_clip

    shards(1, 8)
    source = open_source(tmp_path)
    usual = open_clip.image_transform(16, is_train=False)
    plain = [key(b) for b in stream(source, preprocess=usual).epoch(0)]
    cached = stream(source, preprocess=usual, cache_gib=0.1)
    assert [key(b) for b in cached.epoch(0)] == plain
    assert cached.collator.cache.used == 8 * 3 * 16 * 16
    monkeypatch.setattr("compoclip.data.images.refs.TarImage.encoded", lambda self: pytest.fail("decoded again"))
    assert [key(b) for b in cached.epoch(0)] == plain
    assert split_preprocess(preprocess) is None


def test_a_full_cache_decodes_the_rest(tmp_path: Path, shards: Shards) -> None:
    shards(1, 8)
    small = stream(open_source(tmp_path), cache_gib=3 * 16 * 24 * 4 * 2.5 / 2**30)
    expected = [key(b) for b in stream(open_source(tmp_path)).epoch(0)]
    for _ in range(2):
        assert [key(b) for b in small.epoch(0)] == expected
    assert len(small.collator.cache) == 2


def test_without_images(tmp_path: Path) -> None:
    source = broken_source(tmp_path, {4, 5})
    kept = stream(source, load_images=False, workers=2)
    rows = [(i, p) for indices, pixels in kept.images(range(len(source)), 5) for i, p in zip(indices, pixels)]
    assert [i for i, _ in rows] == [i for i in range(24) if i not in (4, 5)]
    assert torch.equal(rows[7][1], preprocess(source[rows[7][0]].image.load()))
    assert set(kept.broken) == {4, 5}
    batches = list(kept.epoch(0))
    assert batches[0].images.shape == (4, 0)
    with_images = list(stream(source).epoch(0))
    assert [b.indices for b in batches] == [b.indices for b in with_images]
    assert [b.negatives for b in batches] == [b.negatives for b in with_images]


def test_pictures_of_different_sizes_need_a_resize(tmp_path: Path) -> None:
    members = {"a.jpg": jpeg(1), "a.txt": b"x", "b.jpg": jpeg(2, (5, 5)), "b.txt": b"y"}
    source = open_source(write_tar(tmp_path / "t.tar", members))
    with pytest.raises(RunError, match=r"t\.tar:[ab]\.jpg and .* differ in size"):
        next(stream(source, batch_size=2, preprocess=None).epoch(0))
    one = next(stream(source, batch_size=1, preprocess=None).epoch(0))
    assert one.images.dtype == torch.uint8


def test_refusals(tmp_path: Path, shards: Shards) -> None:
    shards(1, 3)
    source = open_source(tmp_path)
    for changes, message in [
        ({"batch_size": 8}, "do not fill one batch of 8"),
        ({"batch_size": 2, "world_size": 2}, "do not fill one batch of 4"),
        ({"batch_size": 0}, "at least 1"),
        ({"batch_size": 1, "rank": 1}, "rank"),
        ({"batch_size": 1, "caption": "some"}, "random, first or all"),
        ({"batch_size": 1, "augment": True, "cache_gib": 1.0}, "freeze"),
    ]:
        with pytest.raises(InputError, match=message):
            stream(source, **changes)


def test_extreme_shapes_are_refused(tmp_path: Path) -> None:
    source = open_source(write_tar(tmp_path / "t.tar", {"a.jpg": jpeg(1, (9000, 1)), "a.txt": b"x"}))
    with pytest.raises(InputError, match="9000 x 1"):
        source[0].image.load()


@pytest.mark.usefixtures("deadline")
def test_a_worker_that_dies_ends_the_run_in_words(tmp_path: Path, shards: Shards) -> None:
    shards(1, 12)
    home = os.getpid()

    def dies(image) -> Tensor:
        if os.getpid() != home:
            os._exit(9)
        return preprocess(image)

    with pytest.raises(RunError, match="Use fewer workers") as caught:
        list(stream(open_source(tmp_path), workers=2, preprocess=dies).epoch(0))
    assert "\n" not in str(caught.value)
