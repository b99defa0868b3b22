"""Batches sent ahead: in order, one ahead, and a stream's place is that of the batch handed out."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from compoclip.config import resolve
from compoclip.models import load
from compoclip.training import prefetch
from compoclip.training.dataset import TrainData
from compoclip.training.prefetch import one_ahead
from training.test_processes import SMALL


def test_each_is_sent_before_the_one_ahead_of_it_is_handed_out() -> None:
    told: list[str] = []

    def send(item: int) -> int:
        told.append(f"sent {item}")
        return 10 * item

    for item in one_ahead(iter([1, 2, 3]), send):
        told.append(f"took {item}")
    assert told == ["sent 1", "sent 2", "took 10", "sent 3", "took 20", "took 30"]
    assert list(one_ahead([], send)) == []


def test_a_stream_goes_on_behind_the_batch_that_was_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number in range(24):
            picture = io.BytesIO()
            Image.fromarray(np.full((8, 8, 3), number, dtype=np.uint8)).save(picture, "PNG")
            for name, data in (
                (f"{number:03d}.png", picture.getvalue()),
                (f"{number:03d}.txt", b"caption %d" % number),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    changes = {"data": f"stream:{tmp_path}/a.tar", "epoch_samples": 24, "shuffle_buffer": 7, "batch_size": 4}
    own = resolve("clip", {**SMALL, **changes, "negatives": None, "captions": "first", "output_dir": str(tmp_path)})
    model = load("tiny")

    def ahead(items: Iterator[Any], device: object) -> Iterator[Any]:
        return one_ahead(items, lambda item: item)

    def names(data: TrainData, start: int) -> Iterator[list[str]]:
        return (batch.captions for batch in data.batches(0, start, 6))

    whole = list(names(TrainData.open(own, model, frozenset()), 0))
    monkeypatch.setattr("compoclip.training.dataset.sent_ahead", ahead)
    assert prefetch.one_ahead is one_ahead
    for stop in range(1, 6):
        first, second = (TrainData.open(own, model, frozenset()) for _ in range(2))
        begun = names(first, 0)
        assert [next(begun) for _ in range(stop)] == whole[:stop]
        second.go_on_from(first.place())
        assert list(names(second, stop)) == whole[stop:]
