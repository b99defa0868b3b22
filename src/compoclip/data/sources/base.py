"""What every source of training data gives: samples, references to images, and a report of what was left out."""

from __future__ import annotations

import logging
import os
import stat
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from compoclip.decode import open_image
from compoclip.errors import InputError

MAX_IMAGE_BYTES = 256 * 2**20  # an encoded photo larger than this is a mistake or an attack
MAX_ASPECT = 200
EXAMPLES_KEPT = 5  # per reason, in a report

log = logging.getLogger("compoclip.data")


class ImageRef(ABC):
    """Where an image lies. Cheap to hold and to send to a worker process; nothing is read before `load`."""

    @property
    @abstractmethod
    def where(self) -> str:
        """The image's name in messages: a path, or a tar and its member."""

    @abstractmethod
    def read(self) -> bytes:
        """The encoded bytes. Raises InputError where they cannot be had."""

    def load(self) -> Image.Image:
        """Decode to RGB. Raises InputError for a missing, broken or absurdly large or long image."""
        image = open_image(self.read(), where=self.where)
        if max(image.size) > MAX_ASPECT * min(image.size):  # resizing its short side would fill memory
            raise InputError(f"{self.where}: {image.width} x {image.height} is no photo (limit {MAX_ASPECT}:1)")
        return image


@dataclass(frozen=True)
class FileImage(ImageRef):
    path: str

    @property
    def where(self) -> str:
        return self.path

    def read(self) -> bytes:
        try:
            # O_NONBLOCK: opening a pipe somebody left in an image folder must not wait for its writer
            descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with open(descriptor, "rb") as handle:
                info = os.fstat(handle.fileno())
                if not stat.S_ISREG(info.st_mode):
                    raise InputError(f"{self.path}: not a regular file")
                if info.st_size > MAX_IMAGE_BYTES:
                    raise InputError(f"{self.path}: {info.st_size} bytes is over the limit of {MAX_IMAGE_BYTES}")
                return handle.read()
        except FileNotFoundError:
            raise InputError(f"{self.path}: no such image file") from None
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from None


@dataclass(frozen=True)
class TarImage(ImageRef):
    """A member of an uncompressed tar, read in place by its offset; nothing is ever unpacked."""

    tar: str
    member: str
    offset: int
    size: int

    @property
    def where(self) -> str:
        return f"{self.tar}:{self.member}"

    def read(self) -> bytes:
        if self.size > MAX_IMAGE_BYTES:
            raise InputError(f"{self.where}: {self.size} bytes is over the limit of {MAX_IMAGE_BYTES}")
        try:
            with open(self.tar, "rb") as handle:
                handle.seek(self.offset)
                data = handle.read(self.size)
        except OSError as error:
            raise InputError(f"{self.where}: cannot be read ({error.strerror})") from None
        if len(data) != self.size:
            raise InputError(f"{self.where}: the tar ends inside this member; fetch it again")
        return data


@dataclass(frozen=True)
class Sample:
    """One image with its captions.

    `negatives[c]` are the wrong captions that belong to `captions[c]`; None where the source has none.
    `negative_rows[c]` are the rows of the table that hold similar images (NegCLIP's `neg_image`); see
    `Source.sample_of_row`.
    """

    image: ImageRef
    captions: tuple[str, ...]
    image_id: str
    negatives: tuple[tuple[str, ...], ...] | None = None
    negative_rows: tuple[tuple[int, ...], ...] | None = None


@dataclass
class Report:
    """What a source holds and what was left out of it, by reason, with the first few places of each."""

    samples: int = 0
    captions: int = 0
    rows: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, reason: str, where: str, detail: str = "") -> None:
        self.skipped[reason] += 1
        kept = self.examples.setdefault(reason, [])
        if len(kept) < EXAMPLES_KEPT:
            kept.append(f"{where}: {detail}" if detail else where)

    @property
    def total_skipped(self) -> int:
        return sum(self.skipped.values())

    def as_dict(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "captions": self.captions,
            "rows": self.rows,
            "skipped": dict(self.skipped),
            "examples": {reason: list(places) for reason, places in self.examples.items()},
        }

    def __str__(self) -> str:
        text = f"{self.samples} images, {self.captions} captions"
        parts = [
            f"{count} {reason} (first: {self.examples[reason][0]})" for reason, count in self.skipped.most_common()
        ]
        return text + ("; skipped " + "; ".join(parts) if parts else "")


class Source(ABC):
    """A fixed, indexable list of samples. The same files give the same order on every machine."""

    name: str
    report: Report
    fingerprint: str  # sha256 over image ids, captions and negatives, in order; not over the pixels

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def captions(self, index: int) -> tuple[str, ...]:
        """The captions of one sample, without touching its image."""
        return self[index].captions

    def sample_of_row(self, row: int) -> int | None:
        """The index of the sample that a row of the table went into (rows counted from 0, header not counted)."""
        return None


def safe_name(name: str) -> str | None:
    """A relative POSIX path with `.` parts removed; None for an absolute path, a `..` part, or a NUL."""
    text = name.replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    drive = len(text) > 1 and text[1] == ":"
    if not parts or text.startswith("/") or drive or ".." in parts or "\x00" in text:
        return None
    return "/".join(parts)


def existing_file(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path
