"""Tars read in place: an index of (name, offset, size) built in one pass, so that any member can be read at random."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from compoclip.data.images.names import safe_name
from compoclip.data.report import Report
from compoclip.errors import InputError

# what the standard library raises on headers that lie
DAMAGED = (tarfile.TarError, ValueError, EOFError, OverflowError, IndexError)
MAX_TEXT_BYTES = 2**20  # a caption file larger than this is not a caption file


class Member(NamedTuple):
    name: str  # safe, relative, POSIX
    offset: int
    size: int


def tar_members(path: str | Path, report: Report) -> Iterator[Member]:
    """The regular members of an uncompressed tar, in order.

    Links, devices, sparse files and unsafe names are counted in `report` and never followed. A tar that ends early
    gives what it contains and is counted. Raises InputError for a missing file, a compressed tar, or no tar at all.
    """
    path = Path(path)
    _refuse_compressed(path)
    length = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as tar:
            for info in walk(tar, path, report):
                where = f"{path}:{info.name}"
                if info.isdir():
                    continue
                name = safe_name(info.name)
                if name is None:
                    report.skip("unsafe name in a tar", where)
                elif not info.isreg() or info.issparse():
                    report.skip("not a regular file in a tar", where, "links and devices are not followed")
                elif info.offset_data + info.size > length:
                    report.skip("truncated tar", where, "the file ends inside this member")
                else:
                    yield Member(name, info.offset_data, info.size)
    except DAMAGED as error:
        raise InputError(f"{path}: not a plain tar ({error}); unpack .tar.gz to .tar or to a folder") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


def walk(tar: tarfile.TarFile, path: Path, report: Report) -> Iterator[tarfile.TarInfo]:
    """The headers of a tar, until something is wrong with it, which is counted."""
    try:
        yield from sound(tar)
    except DAMAGED as error:
        cut = isinstance(error, TruncatedTar) or not isinstance(error, DamagedTar)
        report.skip("truncated tar" if cut else "damaged tar", str(path), str(error))


class DamagedTar(tarfile.ReadError):
    """A tar with what no tar has."""


class TruncatedTar(DamagedTar):
    """A tar whose end is missing."""


def sound(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The headers of a tar. Raises DamagedTar for what tarfile passes over in silence.

    That is: headers that point backwards, a damaged header in place of the end, no end, a second tar glued on behind.
    """
    keeper: Any = tar
    reached = -1
    while (info := tar.next()) is not None:
        if info.offset <= reached or info.size < 0:
            raise DamagedTar(f"a header at byte {info.offset} points backwards")
        reached = info.offset
        yield info
        keeper.members.clear()  # tarfile keeps every header it has read; a large tar would fill memory
    keeper.fileobj.seek(keeper.offset)
    mark = keeper.fileobj.read(tarfile.BLOCKSIZE)
    if len(mark) < tarfile.BLOCKSIZE:
        raise TruncatedTar("the end mark is missing")
    if mark.strip(b"\0"):
        raise DamagedTar(f"a damaged header at byte {keeper.offset}; what follows was not read")
    while block := keeper.fileobj.read(1 << 20):  # to the end: a compressed tar proves its checksum there
        if block.strip(b"\0"):
            raise DamagedTar(f"more data behind the end mark at byte {keeper.offset}; what follows was not read")


def _refuse_compressed(path: Path) -> None:
    try:
        with open(path, "rb") as handle:
            head = handle.read(6)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if head[:2] == b"\x1f\x8b" or head[:4] == b"\x28\xb5\x2f\xfd" or head[:3] == b"BZh" or head == b"\xfd7zXZ\x00":
        raise InputError(
            f"{path}: a compressed tar cannot be read at random; decompress it first (gunzip, unzstd, ...)"
        )
