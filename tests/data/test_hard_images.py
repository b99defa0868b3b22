"""Hard images and groups of neighbours: what a batch holds, against double loops that say it slowly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from compoclip.data.collate import Batch
from compoclip.data.grouping import Groups
from compoclip.data.hard_images import HardImages, NamedRows, NearestImages, named_rows_account
from compoclip.data.loader import BatchStream
from compoclip.data.order import permutation
from compoclip.data.sources import Source, open_source
from compoclip.errors import InputError
from compoclip.training.heldout import SourceSubset

from .conftest import jpeg
from .test_loader import key

PHOTOS, ROWS = 9, 18  # two rows a photo: row r is of photo r % 9


def named(row: int) -> list[int]:
    """What row r names: its own photo under its other row, two others, a row beyond the table, and one below it."""
    return [(row + 9) % ROWS, (row + 1) % ROWS, (row + 5) % ROWS, 99, -1] if row else []


@pytest.fixture
def table(tmp_path: Path) -> Source:
    lines = ["\ttitle\tfilepath\tneg_caption\tneg_image"]
    for row in range(ROWS):
        lines.append(f"{row}\tcaption {row}\t{row % 9}.jpg\t['wrong {row} a', 'wrong {row} b']\t{named(row)}")
    (tmp_path / "t.tsv").write_text("\n".join(lines) + "\n")
    for photo in range(PHOTOS):
        (tmp_path / f"{photo}.jpg").write_bytes(jpeg(photo))
    return open_source(tmp_path / "t.tsv")


def stream(source: Source, count: int = 1, **changes: object) -> BatchStream:
    options = {"batch_size": 4, "seed": 3, "negatives_per_caption": 1, "caption": "all", **changes}
    made = BatchStream(source, **options)  # type: ignore[arg-type]
    made.collator.hard = HardImages(source, NamedRows(source), count, 3)
    return made


def row_of(caption: str) -> int:
    return int(caption.split()[-1])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_behind_every_caption_come_its_own_hard_images(table: Source, count: int) -> None:
    plain = BatchStream(table, 4, 3, None, 1, caption="all")
    seen = Counter[tuple[int, int]]()
    for epoch in range(12):
        for batch, alone in zip(stream(table, count).epoch(epoch), plain.epoch(epoch), strict=True):
            assert len(batch.images) == len(batch.captions) == 4 * (1 + count)
            assert batch.captions[:: 1 + count] == alone.captions  # in their places as without hard images
            assert batch.negatives[:: 1 + count] == alone.negatives
            for place, caption in enumerate(batch.captions):
                own = row_of(caption)
                assert batch.negatives[place] in ([f"wrong {own} a"], [f"wrong {own} b"])
                assert batch.image_ids[place] == f"{own % 9}.jpg"
                assert (batch.images[place] == batch.images[batch.image_ids.index(batch.image_ids[place])]).all()
            for place in range(0, len(batch.captions), 1 + count):
                first, *hard = map(row_of, batch.captions[place : place + 1 + count])
                photos = [row % 9 for row in (first, *hard)]
                usable = {row for row in named(first) if 0 <= row < ROWS and row % 9 != first % 9}
                assert len(usable) == (2 if first else 0)
                assert first % 9 not in photos[1:]
                drawn = hard[: min(count, len(usable))]
                assert set(drawn) <= usable
                assert len(set(drawn)) == len(drawn)
                seen.update((first, row) for row in drawn)
    assert len(seen) == 2 * (ROWS - 1)  # each that a row names comes up


@pytest.mark.parametrize("captions", [2, 3])
def test_each_hard_image_brings_its_further_captions(table: Source, captions: int) -> None:
    """Two images of two captions each: both captions of both come, and with three one of them comes again."""
    made = stream(table)
    made.collator.hard = HardImages(table, NamedRows(table), 2, 3, captions)
    size = 1 + 2 * captions
    for batch in (batch for epoch in range(3) for batch in made.epoch(epoch)):
        assert len(batch.captions) == 4 * size
        for place in range(0, len(batch.captions), size):
            first, *hard = map(row_of, batch.captions[place : place + size])
            photos = {row % 9 for row in hard}
            assert first % 9 not in photos
            assert {row for row in range(ROWS) if row % 9 in photos} == set(hard)
            if first:  # row 0 names none: both of its images are drawn from all, and may be the same
                assert photos == {row % 9 for row in named(first) if 0 <= row < ROWS} - {first % 9}
                assert set(hard[:2]) <= set(named(first))
                assert Counter(row % 9 for row in hard) == dict.fromkeys(photos, captions)


def test_any_place_workers_and_ranks_give_the_same_rows(table: Source) -> None:
    whole = [key(batch) for batch in stream(table, 2).epoch(5)]
    assert [key(batch) for batch in stream(table, 2).epoch(5, 2)] == whole[2:]
    assert [key(batch) for batch in stream(table, 2, workers=2).epoch(5)] == whole
    ranks = [stream(table, 2, batch_size=2, rank=rank, world_size=2).epoch(5) for rank in range(2)]
    for one, first, second in zip(whole, *ranks, strict=True):
        parts = [key(batch) for batch in (first, second)]
        assert one[1:] == tuple(a + b for a, b in zip(parts[0][1:], parts[1][1:]))


def test_needed_images_are_those_of_the_batches(table: Source) -> None:
    made = stream(table, 2, load_images=False)
    for batches in (1, 2):
        assert made.needed(batches) == sorted({i for b in made.epoch(0, 0, batches) for i in b.indices})


def test_rows_that_are_not_trained_on_are_never_drawn_and_told(table: Source) -> None:
    part = SourceSubset(table, [i for i in range(PHOTOS) if i != 4], "training")
    told = named_rows_account(part, table)
    names = [row for row in range(1, ROWS) if row % 9 != 4]
    held = sum(other % 9 == 4 for row in names for other in named(row) if 0 <= other < ROWS)
    assert told is not None
    assert told.startswith(f"hard images: {5 * len(names)} rows named by the table for 16 captions")
    assert f"{2 * len(names)} not in the table, or unusable, {held} held out, {len(names)} of the caption's own" in told
    assert "1 captions have none, and images at random in their place" in told
    for epoch in range(6):
        for batch in stream(part, 3).epoch(epoch):
            assert "4.jpg" not in batch.image_ids


def test_a_column_of_nothing_and_none_at_all(tmp_path: Path, table: Source) -> None:
    text = (tmp_path / "t.tsv").read_text()
    (tmp_path / "empty.tsv").write_text("\n".join(line.rsplit("\t", 1)[0] + "\t[77]" for line in text.splitlines()))
    lines = (tmp_path / "empty.tsv").read_text().replace("\t[77]", "\tneg_image", 1)
    (tmp_path / "empty.tsv").write_text(lines)
    empty = open_source(tmp_path / "empty.tsv")
    with pytest.raises(InputError, match=r"names none to train on \(18 not in the table"):
        named_rows_account(empty, empty)
    plain = open_source(tmp_path / "t.tsv", caption_key="title")
    assert named_rows_account(plain, plain) is None
    with pytest.raises(InputError, match="at least two images"):
        HardImages(SourceSubset(table, [0], "one"), NamedRows(table), 1, 0)
    assert empty.fingerprint != table.fingerprint  # other hard images are other data


def grouped_slowly(drawn: list[int], image_of: list[int], near: np.ndarray, size: int, batch: int) -> list[int]:
    """Search the drawn order anew for every sample that is wanted."""
    left, out = list(drawn), []
    while left:
        first = left.pop(0)
        group = [first]
        room = batch - len(out) % batch
        for other in near[image_of[first]]:
            sample = next((s for s in left if image_of[s] == other), None)
            if sample is not None and len(group) < min(size, room):
                left.remove(sample)
                group.append(sample)
        out += group
    return out


@pytest.mark.parametrize(("size", "batch", "captions"), [(2, 6, 1), (4, 6, 1), (3, 5, 2), (9, 4, 3), (1, 4, 1)])
def test_groups_are_those_of_the_slow_search(size: int, batch: int, captions: int) -> None:
    random = np.random.default_rng(size)
    count = 23
    near = np.stack([random.permutation([j for j in range(count) if j != i])[:6] for i in range(count)])
    near[random.random(near.shape) < 0.1] = -1
    near = np.stack([np.concatenate([row[row >= 0], row[row < 0]]) for row in near])  # what is absent comes last
    each = random.integers(1, captions + 1, count)
    ends, image_of = np.cumsum(each), np.repeat(np.arange(count), each).tolist()
    for epoch in range(5):
        drawn = permutation(len(image_of), 7, epoch)
        found = Groups(near, size).order(drawn, ends, batch).tolist()
        assert sorted(found) == list(range(len(image_of)))
        assert found == grouped_slowly(drawn.tolist(), image_of, near, size, batch)


def test_a_batch_of_groups_holds_the_nearest_over_any_ranks_and_from_any_place(table: Source) -> None:
    near = np.array([[(i + 3) % 9, (i + 6) % 9] for i in range(9)])  # three threes

    def batches(**changes: object) -> list[Batch]:
        made = BatchStream(table, **{"batch_size": 3, "seed": 1, **changes})  # type: ignore[arg-type]
        made.groups = Groups(near, 3)
        start = int(changes.get("batch_size", 3) == 3)
        return list(made.epoch(4, start if "world_size" not in changes else 0))

    whole = batches()
    assert len(whole) == 2  # entered at the second
    for batch in whole:
        assert len({index % 3 for index in batch.indices}) == 1
    shared = [batches(batch_size=1, rank=rank, world_size=3) for rank in range(3)]
    assert [[b.indices[0] for b in three] for three in zip(*shared)][1:] == [b.indices for b in whole]


def test_nearest_images_are_a_caption_s_own_choice() -> None:
    similar = NearestImages(np.array([[2, 1, -1], [0, -1, -1], [-1, -1, -1]]))
    assert similar(0, None, 0) == [(2, -1), (1, -1)]  # type: ignore[arg-type]
    assert similar(2, None, 0) == []  # type: ignore[arg-type]
