"""Streams: every sample once a pass, the same order with any number of threads, and resumable at any batch."""

from __future__ import annotations

import io
import tarfile
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from compoclip.data import remote
from compoclip.data.remote import RemoteShard
from compoclip.data.shard_reader import Shards, SourceReader, parse_streams
from compoclip.data.tar_stream import TarStream
from compoclip.errors import InputError, RunError

SIZES = (7, 1, 12, 5)  # samples of each shard


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float()


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Shards of 25 samples in all; sample `s-i` is an image of one shade with its name as its caption."""
    for number, size in enumerate(SIZES):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as tar:
            for i in range(size):
                data = io.BytesIO()
                Image.new("RGB", (8, 8), (number * 40, i * 10, 7)).save(data, "PNG")
                add(tar, f"{i:04d}.png", data.getvalue())
                add(tar, f"{i:04d}.txt", f"caption {number}-{i}".encode())
    return tmp_path


def stream(spec: str, batch: int = 4, **options: Any) -> TarStream:
    options = {"epoch_samples": 24, "buffer": 9, **options}
    return TarStream(spec, batch, 3, pixels, 0, "random", **options)


def captions(found: TarStream, batches: int) -> list[list[str]]:
    out: list[list[str]] = []
    epoch = 0
    while len(out) < batches:
        for batch in found.epoch(epoch):
            assert batch.images.shape == (len(batch.captions), 3, 8, 8)
            for caption, image in zip(batch.captions, batch.images):
                shard, i = caption.removeprefix("caption ").split("-")
                assert image[:2, 0, 0].tolist() == [int(shard) * 40, int(i) * 10]
            out.append(batch.captions)
            if len(out) == batches:
                break
        epoch += 1
    return out


def test_a_pass_shows_every_sample_once_in_another_order(folder: Path) -> None:
    found = captions(stream(f"stream:{folder}/{{0..3}}.tar", batch=5, epoch_samples=25), 10)
    every = sorted(f"caption {s}-{i}" for s, size in enumerate(SIZES) for i in range(size))
    first, second = ([c for batch in found[start : start + 5] for c in batch] for start in (0, 5))
    assert sorted(first) == sorted(second) == every
    assert first != every
    assert first != second


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("ranks", [1, 2, 6])
def test_resuming_anywhere_repeats_and_skips_nothing(folder: Path, ranks: int, workers: int) -> None:
    spec = f"stream:{folder}/*.tar"
    for rank in {0, ranks - 1}:
        options = {"rank": rank, "world_size": ranks, "batch": 2}
        whole = captions(stream(spec, **options), 12)
        for stop in (1, 5, 11):
            first = stream(spec, workers=workers, **options)
            assert captions(first, stop) == whole[:stop]
            again = stream(spec, workers=workers, **options)
            again.place = first.place
            assert captions(again, 12 - stop) == whole[stop:]


@pytest.mark.parametrize("ranks", [2, 4, 6])
def test_the_processes_share_the_samples_of_a_pass(folder: Path, ranks: int) -> None:
    spec = f"stream:{folder}/*.tar"
    seen: list[set[str]] = []
    for rank in range(ranks):
        found = stream(spec, batch=1, rank=rank, world_size=ranks, buffer=4)
        assert len(found) == 24 // ranks
        seen.append({caption for batch in captions(found, 4 if ranks == 6 else 30) for caption in batch})
    assert sum(map(len, seen)) == len(set().union(*seen))  # none is seen by two
    if ranks == 6:  # more than shards: they take samples in turn, others in each pass; a pass has 4 or 5 for each
        assert len(set().union(*seen)) == 24
        return
    assert set().union(*seen) == {f"caption {s}-{i}" for s, size in enumerate(SIZES) for i in range(size)}


def test_weights_decide_how_often_a_source_comes(folder: Path) -> None:
    found = captions(stream(f"{'stream:'}{folder}/2.tar@3::{folder}/0.tar", batch=4, buffer=40), 100)
    share = Counter(caption[8] for batch in found for caption in batch)["2"] / 400
    assert 0.70 < share < 0.80
    assert parse_streams("https://a/{0..1}.tar@2::s3://b@c/d.tar") == [
        Shards(("https://a/0.tar", "https://a/1.tar"), 2.0),
        Shards(("s3://b@c/d.tar",), 1.0),
    ]


class Dropping(BaseHTTPRequestHandler):
    """Serves files, and hangs up after 3000 bytes of every answer."""

    folder: Path
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        path = self.folder / self.path.lstrip("/")
        if not path.exists():
            self.send_error(404)
            return
        data = path.read_bytes()
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start : start + 3000])

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def address(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(remote, "WAIT", 0.001)
    Dropping.folder, Dropping.asked = folder, 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dropping)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_server_that_drops_connections_loses_nothing(folder: Path, address: str) -> None:
    near, far = stream(f"stream:{folder}/{{0..3}}.tar"), stream(f"{address}/{{0..3}}.tar")
    assert captions(far, 20) == captions(near, 20)
    assert Dropping.asked > 40
    with RemoteShard(f"{address}/2.tar", 700) as shard:
        assert shard.read() == (folder / "2.tar").read_bytes()[700:]
    with pytest.raises(InputError, match=r"9\.tar: 404"):
        stream(f"{address}/9.tar")


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
@pytest.mark.parametrize("ranks", [1, 2])
def test_an_epoch_taken_up_in_its_middle_shows_every_sample_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, ranks: int, workers: int
) -> None:
    monkeypatch.setattr(Dropping, "folder", tmp_path / "even")
    Dropping.folder.mkdir()
    for number in range(4):
        with tarfile.open(Dropping.folder / f"{number}.tar", "w") as tar:
            for i in range(6):
                data = io.BytesIO()
                Image.new("RGB", (8, 8), (number * 40, i * 10, 7)).save(data, "PNG")
                add(tar, f"{i:04d}.png", data.getvalue())
                add(tar, f"{i:04d}.txt", f"caption {number}-{i}".encode())
    spec, batches = f"{address}/{{0..3}}.tar", 12 // ranks
    seen: list[str] = []
    for rank in range(ranks):
        options = {"batch": 2, "buffer": 5, "rank": rank, "world_size": ranks, "workers": workers}
        first, again = stream(spec, **options), stream(spec, **options)
        assert len(first) == batches
        started = captions(first, 3)
        again.place = first.place
        rest = [batch.captions for batch in again.epoch(0, 3)]
        assert len(rest) == batches - 3
        seen += [caption for batch in [*started, *rest] for caption in batch]
    assert sorted(seen) == [f"caption {s}-{i}" for s in range(4) for i in range(6)]
    assert Dropping.asked > 8


def test_a_stream_s_fingerprint_follows_its_shards_and_captions_alone(folder: Path) -> None:
    def found(spec: str = f"stream:{folder}/*.tar", **options: Any) -> str:
        return stream(spec, batch=1, **options).source.fingerprint

    before = found()
    assert found(rank=1, world_size=2) == found(rank=2, world_size=6) == found(workers=2, buffer=3) == before
    with tarfile.open(folder / "4.tar", "w") as tar:
        add(tar, "lonely.txt", b"a pattern that matches one shard more")
    assert found() != before
    (folder / "4.tar").unlink()
    assert found() == before
    for path in folder.glob("*.tar"):
        path.write_bytes(path.read_bytes().replace(b"caption ", b"Caption "))
    assert found() != before


def test_a_command_is_a_source_and_its_failure_is_told(folder: Path) -> None:
    near, piped = stream(f"stream:{folder}/2.tar"), stream(f"pipe:cat {folder}/2.tar")
    assert captions(piped, 9) == captions(near, 9)
    with pytest.raises(RunError, match="ended with status 3"):
        stream(f"pipe:head -c 2000 {folder}/2.tar; exit 3")


def test_what_cannot_be_used_is_left_out_or_refused(folder: Path) -> None:
    with tarfile.open(folder / "bad.tar", "w") as tar:
        for i in range(30):
            data = io.BytesIO()
            Image.new("RGB", (8, 8), (200, 10 * i % 250, 7)).save(data, "PNG")
            add(tar, f"{i}.png", b"no image" if i == 4 else data.getvalue())
            add(tar, f"{i}.txt", f"caption 5-{i % 25}".encode())
        add(tar, "lonely.txt", b"a caption without an image")
        add(tar, "mute.png", data.getvalue())
    found = stream(f"stream:{folder}/bad.tar", batch=29, epoch_samples=58)
    (batch,) = [batch.captions for _, batch in zip(range(1), found.epoch(0))]
    assert sorted(batch) == sorted(f"caption 5-{i % 25}" for i in range(30) if i != 4)
    assert len(found.broken) == 1
    assert found.reading.report.skipped["image without a caption file"] >= 1
    (folder / "empty.tar").write_bytes(b"\0" * 10240)
    for spec, error, words in (
        (f"stream:{folder}/empty.tar", RunError, "no usable sample"),
        (f"stream:{folder}/none.tar", InputError, "none.tar"),
        (f"stream:{folder}/0.tar@0", InputError, "weight"),
        ("ftq://host/a.tar", InputError, "cannot be opened"),
    ):
        with pytest.raises(error, match=words):
            stream(spec)
    (folder / "text.tar").write_text("no tar at all" * 99)
    with pytest.raises(InputError, match="not an uncompressed tar"):
        stream(f"stream:{folder}/text.tar")


def test_one_block_is_in_memory_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[weakref.ref[Any]] = []
    alive: list[int] = []
    real = SourceReader.__next__

    def watched(self: SourceReader) -> Any:
        sample = real(self)
        seen.append(weakref.ref(sample))
        alive.append(sum(one() is not None for one in seen))
        return sample

    found = stream(f"{folder}/{{0..3}}.tar", batch=2, buffer=10, epoch_samples=200)
    monkeypatch.setattr(SourceReader, "__next__", watched)
    assert len(captions(found, 30)) == 30
    assert len(seen) >= 60
    assert 10 <= max(alive[1:]) <= 10 + 2 + 2  # a block, and what a batch still holds of the one before
