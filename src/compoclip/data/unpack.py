"""Unpacking fetched archives. An archive with one unsafe member is refused as a whole, before anything is written."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from compoclip.data.images.names import safe_name
from compoclip.data.images.tars import sound
from compoclip.errors import RunError
from compoclip.locks import exclusive
from compoclip.progress import track

# what the standard library raises on damaged archives; the last four on headers that lie about sizes or go round
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    OSError,
    NotImplementedError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    OverflowError,
    MemoryError,
    RecursionError,
)
MAX_RATIO = 200  # unpacked to packed size; photos do not shrink, and text does by a tenth


class DamagedArchive(RunError):
    """An archive that is broken or ends early."""


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, into: Path) -> int:
    """Unpack a zip or tar below `into`; returns the number of files. Files that are there in the right size are kept.

    Raises RunError for a name that leaves the folder, a link or device, an encrypted member, a bomb, too little space,
    and an archive that is broken or ends early, even between two members. The archive stays where it is.
    """
    busy = (
        f"{archive}: another process is unpacking it into {into}; wait for it"  # what a killed one left is overwritten
    )
    with _members(archive) as members, exclusive(into / f".{archive.name}.lock", busy, remove=True, error=RunError):
        return _write(members, archive, into)


def contents(archive: Path) -> dict[str, int]:
    """Size by name of the files in an archive, as `unpack` writes them. Raises RunError as `unpack` does."""
    with _members(archive) as members:
        return {member.name: member.size for member in members}


@contextmanager
def _members(archive: Path) -> Iterator[list[_Member]]:
    try:
        # by its beginning: a tar whose last member is a zip ends like one
        if _head(archive).startswith((b"PK\x03\x04", b"PK\x05\x06")):
            with zipfile.ZipFile(archive) as opened:
                yield list(_zip_members(archive, opened))
        else:
            with tarfile.open(archive, "r:*") as tar:
                yield list(_tar_members(archive, tar))
    except BROKEN as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise DamagedArchive(f"{archive}: cannot be unpacked ({why}); remove it and fetch it again") from None


def _head(archive: Path) -> bytes:
    with open(archive, "rb") as handle:
        return handle.read(4)


def _refused(archive: Path, name: str, why: str) -> RunError:
    return RunError(f"{archive}: refused to unpack it, because its member {name!r} {why}; nothing was written")


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.filename.endswith("/"):
            continue
        name = safe_name(info.filename)
        if name is None:
            raise _refused(archive, info.filename, "would leave the folder")
        if kind not in (0, stat.S_IFREG):
            raise _refused(archive, info.filename, "is a link or a device")
        if info.flag_bits & 1:
            raise _refused(archive, info.filename, "is encrypted")
        yield _Member(name, info.file_size, lambda info=info: opened.open(info))  # type: ignore[misc]


def _tar_members(archive: Path, tar: tarfile.TarFile) -> Iterator[_Member]:
    for info in sound(tar):
        if info.isdir():
            continue
        name = safe_name(info.name)
        if name is None:
            raise _refused(archive, info.name, "would leave the folder")
        if not info.isreg():
            raise _refused(archive, info.name, "is a link or a device")

        def opener(info: tarfile.TarInfo = info) -> IO[bytes]:
            handle = tar.extractfile(info)
            assert handle is not None
            return handle

        yield _Member(name, info.size, opener)


def _write(members: list[_Member], archive: Path, into: Path) -> int:
    total, packed = sum(member.size for member in members), archive.stat().st_size
    if total > MAX_RATIO * packed:
        raise RunError(f"{archive}: refused to unpack it: {packed} bytes that say they hold {total}, a bomb")
    left = [member for member in members if not _there(into / member.name, member.size)]
    needed, free = sum(member.size for member in left), shutil.disk_usage(into).free
    if needed > free:
        raise RunError(
            f"{into}: {needed / 1e9:.1f} GB are needed to unpack and {free / 1e9:.1f} GB are free; make room"
        )
    root, temporary = into.resolve(), into / f".{archive.name}.part"
    for member in track(left, f"unpacking {archive.name}"):
        target = into / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if root not in (target.parent.resolve(), *target.parent.resolve().parents):
            raise _refused(archive, member.name, "would leave the folder through a link that is there already")
        try:
            with member.open() as source, open(temporary, "wb") as handle:
                _copy(source, handle, member, archive)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    return len(members)


def _there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _copy(source: IO[bytes], handle: IO[bytes], member: _Member, archive: Path) -> None:
    written = 0
    while block := source.read(1 << 20):
        written += len(block)
        if written > member.size:
            raise RunError(f"{archive}: its member {member.name!r} is larger than it says; fetch the archive again")
        handle.write(block)
    if written != member.size:
        raise RunError(f"{archive}: its member {member.name!r} is cut short; fetch the archive again")
