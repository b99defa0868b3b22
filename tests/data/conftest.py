"""Tiny photos, tars and tables made for a test."""

from __future__ import annotations

import io
import json
import signal
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from .faulty import server  # noqa: F401


def jpeg(seed: int = 0, size: tuple[int, int] = (24, 16)) -> bytes:
    """A picture that differs by seed, as PNG bytes under whatever name: lossless, so that pixels can be compared."""
    buffer = io.BytesIO()
    colour = ((seed * 37) % 256, (seed * 91 + 5) % 256, (seed * 151 + 9) % 256)
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a.jpg, b.jpg, c.jpg."""
    for k, name in enumerate("abc"):
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(k))
    return tmp_path


@pytest.fixture
def shards(tmp_path: Path) -> Callable[[int, int], list[Path]]:
    """Make `count` webdataset shards of `size` samples with two captions each."""

    def make(count: int, size: int) -> list[Path]:
        made = []
        for shard in range(count):
            members: dict[str, bytes] = {}
            for k in range(size):
                number = shard * size + k
                members[f"{number:05d}.jpg"] = jpeg(number)
                members[f"{number:05d}.json"] = json.dumps(
                    {"captions": [f"picture {number}", f"photo number {number}"]}
                ).encode()
            made.append(write_tar(tmp_path / f"train-{shard:05d}.tar", members))
        return made

    return make


@pytest.fixture
def deadline() -> Iterator[None]:
    """Turns a hang into a failure after a minute, far more than the test needs."""

    def fail(*_: object) -> None:
        raise AssertionError("this hangs")

    previous = signal.signal(signal.SIGALRM, fail)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)
