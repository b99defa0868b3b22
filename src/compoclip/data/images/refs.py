"""Where one image lies. A reference is cheap to hold and to send to a worker process; `load` reads and decodes."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoclip.decode import open_image
from compoclip.errors import InputError

MAX_IMAGE_BYTES = 256 * 2**20  # an encoded photo larger than this is a mistake or an attack
MAX_ASPECT = 200  # resizing the short side of a longer image would fill memory
R = TypeVar("R", bound="ImageRef")


@dataclass(frozen=True)
class ImageRef(ABC):
    """One image. `rotate` turns it as its EXIF orientation says: for a user's own photos, not for benchmarks."""

    rotate: bool = field(default=True, kw_only=True)

    @property
    @abstractmethod
    def where(self) -> str:
        """The image's name in messages: a path, or an archive and its member."""

    @property
    def key(self) -> str:
        """Equal keys mean equal pixels, so that such images are encoded once."""
        return self._key + ("|rotated" if self.rotate else "")

    @property
    def _key(self) -> str:
        return self.where

    @property
    def stamp(self) -> str:
        """Changes when the file behind the image does (size and time of change); "" where there is no file."""
        return ""

    @abstractmethod
    def encoded(self) -> bytes:
        """The bytes of its file. Raises InputError where they cannot be had."""

    @property
    def has_file(self) -> bool:
        return True

    def load(self, least: int = 0) -> Image.Image:
        """Decode to RGB; `least` as `open_image` takes it.

        Raises InputError for a missing, broken or absurdly large or long image.
        """
        if self.where.lower().endswith(".npy"):
            return _array_file(self.encoded(), self.where)
        image = open_image(self.encoded(), self.where, self.rotate, least=least)
        if max(image.size) > MAX_ASPECT * min(image.size):
            raise InputError(f"{self.where}: {image.width} x {image.height} is no photo (limit {MAX_ASPECT}:1)")
        return image

    def turned(self: R, rotate: bool) -> R:
        """The same image with another `rotate`."""
        return self if rotate == self.rotate else replace(self, rotate=rotate)

    def crop(self, x: int, y: int, width: int, height: int) -> ImageView:
        """The same image cut to a box in pixels, before any preprocessing."""
        if width <= 0 or height <= 0:
            raise InputError(f"{self.where}: box {x},{y},{width},{height} is empty; width and height must be positive")
        return ImageView(self, (x, y, x + width, y + height), rotate=self.rotate)

    def whole(self, side: int) -> ImageView:
        """The same image pressed to a square of `side` pixels (bicubic), so that a centre crop loses no part of it."""
        return ImageView(self, side=side, rotate=self.rotate)

    def content_hash(self) -> str:
        return "sha256:" + hashlib.sha256(self.encoded()).hexdigest()


@dataclass(frozen=True)
class ImageView(ImageRef):
    """Another image cut to a box (left, top, right, bottom), pressed to a square, or known by the hash of its file."""

    image: ImageRef
    box: tuple[int, int, int, int] | None = None
    side: int | None = None
    content: str = ""

    @property
    def where(self) -> str:
        return self.image.where if self.box is None else f"{self.image.where} box {self.box}"

    @property
    def key(self) -> str:
        inner = self.content + ("|rotated" if self.rotate else "") if self.content else self.image.key
        return inner + (f"|{self.box}" if self.box else "") + (f"|{self.side}x{self.side}" if self.side else "")

    @property
    def stamp(self) -> str:
        return "" if self.content else self.image.stamp

    @property
    def has_file(self) -> bool:
        return self.image.has_file

    def encoded(self) -> bytes:
        return self.image.encoded()

    def load(self, least: int = 0) -> Image.Image:
        image = self.image.load()
        if self.box is not None:
            image = image.crop(self.box)
        return image if self.side is None else image.resize((self.side, self.side), Image.Resampling.BICUBIC)

    def turned(self, rotate: bool) -> ImageView:
        return replace(self, image=self.image.turned(rotate), rotate=rotate)


@dataclass(frozen=True)
class FileImage(ImageRef):
    """A file of its own; references into archives add where in the file the image lies."""

    path: str

    @property
    def where(self) -> str:
        return self.path

    @property
    def _key(self) -> str:
        return f"file:{os.path.realpath(self.path)}"

    @property
    def stamp(self) -> str:
        return file_stamp(self.path)

    def encoded(self) -> bytes:
        try:
            return self._read()
        except FileNotFoundError:
            raise InputError(f"{self.where}: no such image file") from None
        except (OSError, zlib.error, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{self.where}: cannot be read ({getattr(error, 'strerror', None) or error})") from None

    def _read(self, offset: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `offset` on, or the whole file."""
        # O_NONBLOCK: opening a pipe somebody left in an image folder must not wait for its writer
        with open(os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as handle:
            info = os.fstat(handle.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise InputError(f"{self.path}: not a regular file")
            wanted = info.st_size if size is None else size
            if wanted > MAX_IMAGE_BYTES:
                raise InputError(f"{self.where}: {wanted} bytes is over the limit of {MAX_IMAGE_BYTES}")
            handle.seek(offset)
            data = handle.read() if size is None else handle.read(size)
        if size is not None and len(data) != size:
            raise InputError(f"{self.where}: the archive ends inside this member; fetch it again")
        return data


@dataclass(frozen=True)
class TarImage(FileImage):
    """A member of an uncompressed tar (or, below, a zip), read in place by its offset; nothing is ever unpacked."""

    member: str
    offset: int
    size: int

    @property
    def where(self) -> str:
        return f"{self.path}:{self.member}"

    @property
    def _key(self) -> str:
        return f"tar:{self.where}"

    def _read(self, offset: int = 0, size: int | None = None) -> bytes:
        return super()._read(self.offset, self.size)


@dataclass(frozen=True)
class ZipImage(TarImage):
    """A member of a zip: `offset` is that of its local header, `method` 0 (stored) or 8 (deflate)."""

    packed: int
    method: int
    crc: int

    @property
    def _key(self) -> str:
        return f"zip:{self.where}"

    def _read(self, offset: int = 0, size: int | None = None) -> bytes:
        if self.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{self.where}: packed by a method that is not read here; pack the zip again with deflate")
        if self.size > MAX_IMAGE_BYTES:
            raise InputError(f"{self.where}: {self.size} bytes is over the limit of {MAX_IMAGE_BYTES}")
        header = FileImage._read(self, self.offset, 30)
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        data = FileImage._read(self, self.offset + 30 + names, self.packed)
        if self.method == zipfile.ZIP_DEFLATED:
            data = zlib.decompressobj(-15).decompress(data, self.size + 1)  # never more than the directory states
        if len(data) != self.size or zlib.crc32(data) != self.crc:
            raise InputError(f"{self.where}: the member is broken (checksum); fetch the archive again")
        return data


@dataclass(frozen=True, eq=False)
class PixelImage(ImageRef):
    """An image that is already pixels: (H, W, 3) uint8. Known by their hash, or by `known_as`."""

    pixels: NDArray[np.uint8]
    name: str
    known_as: str = ""

    @property
    def where(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        return self.known_as or f"pixels:{self.pixels.shape}:{self.stamp}"

    @property
    def stamp(self) -> str:
        return hashlib.blake2b(np.ascontiguousarray(self.pixels).tobytes(), digest_size=16).hexdigest()

    @property
    def has_file(self) -> bool:
        return False

    def encoded(self) -> bytes:
        return self.pixels.tobytes()

    def load(self, least: int = 0) -> Image.Image:
        return Image.fromarray(self.pixels)


def file_stamp(path: str | Path) -> str:
    """Size and time of change of a file. Raises InputError where it is gone."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    return f"{status.st_size}:{status.st_mtime_ns}"


def _array_file(data: bytes, where: str) -> Image.Image:
    """RGB pixels of a NumPy array of blue-green-red pixels (EqBen's YouCook2 frames)."""
    try:
        pixels: Any = np.load(io.BytesIO(data), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{where}: broken array ({error})") from None
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(f"{where}: an array of (height, width, 3) bytes is needed, not {pixels.shape} {pixels.dtype}")
    return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
