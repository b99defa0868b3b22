"""Where a benchmark's images lie: a folder, a tar or a zip, read in place; arrays of the built-in world.

An archive's member names are never used as paths on this machine: they are only looked up, and an archive that names
a place outside itself is refused.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from compoclip.decode import IMAGE_SUFFIXES, open_image
from compoclip.errors import InputError


@dataclass(frozen=True)
class Picture:
    """One image to encode. Equal `key` means equal pixels, so it is encoded once; `where` names it in messages.

    `stamp` changes when the file behind it does (size and time of change); the feature cache relies on it. `data` gives
    the bytes of that file, where there is one.
    """

    key: str
    where: str
    read: Callable[[], Image.Image]
    stamp: str = ""
    data: Callable[[], bytes] | None = None

    def crop(self, x: int, y: int, width: int, height: int) -> Picture:
        """The same image cut to a box in pixels, before any preprocessing."""
        if width <= 0 or height <= 0:
            raise InputError(f"{self.where}: box {x},{y},{width},{height} is empty; width and height must be positive")
        read = self.read
        box = (x, y, x + width, y + height)
        return Picture(f"{self.key}|{box}", f"{self.where} box {box}", lambda: read().crop(box), self.stamp, self.data)

    def whole(self, side: int) -> Picture:
        """The same image pressed to a square of `side` pixels (bicubic), so that a centre crop loses no part of it."""
        read = self.read
        return Picture(
            f"{self.key}|{side}x{side}",
            self.where,
            lambda: read().resize((side, side), Image.Resampling.BICUBIC),
            self.stamp,
            self.data,
        )


def from_array(pixels: NDArray[np.uint8], where: str) -> Picture:
    """A picture of an (H, W, 3) uint8 array; its key is the hash of its pixels."""
    digest = hashlib.blake2b(np.ascontiguousarray(pixels).tobytes(), digest_size=16).hexdigest()
    return Picture(f"pixels:{pixels.shape}:{digest}", where, lambda: Image.fromarray(pixels), digest)


class Store(Protocol):
    """A place with images. `names` lists them; `get` finds one by its name, or by a unique last part of it."""

    where: str

    def names(self) -> Sequence[str]: ...

    def get(self, name: str) -> Picture | None: ...

    def read_bytes(self, name: str) -> bytes: ...


def checked_name(name: str, archive: Path) -> str:
    """A member name with forward slashes; InputError where it is absolute or climbs out with '..'."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise InputError(f"{archive}: member {name!r} points outside the archive; refused, repack it with plain names")
    return str(path)


def is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not PurePosixPath(name).name.startswith(".")


def decode(source: Path | bytes, name: str, where: str) -> Image.Image:
    """RGB pixels of an image file, or of a NumPy array of blue-green-red pixels (EqBen's YouCook2 frames)."""
    if not name.lower().endswith(".npy"):
        return open_image(source, where)
    try:
        stored = io.BytesIO(source) if isinstance(source, bytes) else source
        pixels = np.load(stored, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{where}: broken array ({error})") from None
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(f"{where}: an array of (height, width, 3) bytes is needed, not {pixels.shape} {pixels.dtype}")
    return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))


def _by_last_part(names: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    twice: set[str] = set()
    for name in names:
        last = PurePosixPath(name).name
        if last in found:
            twice.add(last)
        found[last] = name
    return {last: name for last, name in found.items() if last not in twice}


def _stamp(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


class FolderStore:
    """Images below a folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.where = str(path)
        self._names: list[str] | None = None

    def names(self) -> Sequence[str]:
        if self._names is None:
            files = (p for p in self.path.rglob("*") if p.is_file() and is_image(p.name))
            self._names = sorted(p.relative_to(self.path).as_posix() for p in files)
        return self._names

    def _path(self, name: str) -> Path | None:
        relative = PurePosixPath(name.replace("\\", "/"))
        if relative.is_absolute() or ".." in relative.parts:
            raise InputError(f"{self.where}: image name {name!r} points outside the folder; use a relative name")
        for candidate in (self.path / relative, self.path / relative.name):
            if candidate.is_file():
                return candidate
        return None

    def get(self, name: str) -> Picture | None:
        path = self._path(name)
        if path is None:
            return None
        read = partial(decode, path, name, str(path))
        return Picture(f"file:{path.resolve()}", str(path), read, _stamp(path), path.read_bytes)

    def read_bytes(self, name: str) -> bytes:
        path = self._path(name)
        if path is None:
            raise InputError(f"{self.where}: no file {name!r}")
        return path.read_bytes()


class TarStore:
    """Members of an uncompressed tar, read by offset, so any number of threads may read at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.where = str(path)
        self._stamp = _stamp(self.path)
        self._members: dict[str, tuple[int, int]] = {}
        size = self.path.stat().st_size
        try:
            with tarfile.open(self.path, "r:") as archive:
                for member in archive:
                    name = checked_name(member.name, self.path)
                    if not member.isfile():
                        continue
                    if member.offset_data + member.size > size:
                        raise InputError(f"{path}: truncated at member {name!r}; fetch the archive again")
                    self._members[name] = (member.offset_data, member.size)
        except tarfile.TarError as error:
            raise InputError(f"{path}: not a plain tar ({error}); unpack .tar.gz to .tar or to a folder") from None
        self._last = _by_last_part(self._members)

    def names(self) -> Sequence[str]:
        return list(self._members)

    def _find(self, name: str) -> str | None:
        return name if name in self._members else self._last.get(PurePosixPath(name).name)

    def get(self, name: str) -> Picture | None:
        member = self._find(name)
        if member is None:
            return None
        where = f"{self.path}:{member}"
        data = partial(self.read_bytes, member)
        return Picture(f"tar:{where}", where, lambda: decode(data(), member, where), self._stamp, data)

    def read_bytes(self, name: str) -> bytes:
        offset, size = self._members[name]
        with open(self.path, "rb") as handle:
            handle.seek(offset)
            return handle.read(size)


class ZipStore:
    """Members of a zip, read in place."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.where = str(path)
        self._stamp = _stamp(self.path)
        try:
            with zipfile.ZipFile(self.path) as archive:
                infos = [i for i in archive.infolist() if not i.is_dir()]
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{path}: broken or truncated zip ({error}); fetch the archive again") from None
        self._members = {checked_name(i.filename, self.path): i.filename for i in infos}
        self._last = _by_last_part(self._members)

    def names(self) -> Sequence[str]:
        return list(self._members)

    def get(self, name: str) -> Picture | None:
        member = name if name in self._members else self._last.get(PurePosixPath(name).name)
        if member is None:
            return None
        where = f"{self.path}:{member}"
        data = partial(self.read_bytes, member)
        return Picture(f"zip:{where}", where, lambda: decode(data(), member, where), self._stamp, data)

    def read_bytes(self, name: str) -> bytes:
        try:
            with zipfile.ZipFile(self.path) as archive:
                return archive.read(self._members[name])
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise InputError(f"{self.path}: member {name!r} is broken ({error}); fetch the archive again") from None


class Stores:
    """Several places searched in order."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self.stores = list(stores)
        self.where = ", ".join(s.where for s in self.stores)

    def names(self) -> Sequence[str]:
        return [name for store in self.stores for name in store.names()]

    def get(self, name: str) -> Picture | None:
        for store in self.stores:
            picture = store.get(name)
            if picture is not None:
                return picture
        return None

    def read_bytes(self, name: str) -> bytes:
        for store in self.stores:
            if name in store.names():
                return store.read_bytes(name)
        raise InputError(f"{self.where}: no file {name!r}")


def open_store(path: str | Path) -> Store:
    """A folder, a .tar or a .zip as a `Store`. Raises InputError for anything else, and for a broken archive."""
    path = Path(path)
    if path.is_dir():
        return FolderStore(path)
    if not path.exists():
        raise InputError(f"{path}: no such folder or archive")
    if path.suffix == ".tar":
        return TarStore(path)
    if path.suffix == ".zip":
        return ZipStore(path)
    raise InputError(f"{path}: images must lie in a folder, a .tar or a .zip")


def beside(stem: Path) -> Path | None:
    """`stem` as a folder, `stem.tar` or `stem.zip`, whichever is there first."""
    for candidate in (stem, stem.with_name(stem.name + ".tar"), stem.with_name(stem.name + ".zip")):
        if candidate.is_dir() or (candidate.suffix in (".tar", ".zip") and candidate.is_file()):
            return candidate
    return None
