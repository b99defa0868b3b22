"""Copies of webdataset tars in which every sample has its negatives as one more member, `KEY.negatives.json`.

The old members are copied byte for byte, headers included, in their order; the new one follows the last member of its
sample, because readers that go through a tar from end to end take neighbours for one sample.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from compoclip.data.images.names import safe_name
from compoclip.data.images.tars import tar_members, walk
from compoclip.data.report import Report
from compoclip.data.sources.paired import NEGATIVES_EXTENSION, negatives_member, of_split, split_key, tar_pairs
from compoclip.data.sources.rows import Options, Reading
from compoclip.errors import InputError, RunError
from compoclip.io import atomic_path
from compoclip.negatives.captions import tars_of
from compoclip.negatives.store import Row, as_dict, iterate
from compoclip.progress import track

BLOCK = 1 << 20  # bytes copied at a time


class _SampleSpan(NamedTuple):
    """A member of a tar with everything that stands before it since the last one: bytes start to end of the file."""

    start: int
    end: int
    key: str
    stem: str  # the key as the tar spells it ("./000" where the key is "000")


class TarsOut:
    """Writes the copies.

    Raises InputError, before anything is built, where an input is no sound tar, has links, devices, names that would
    leave a folder, or negatives already; where two tars have one name; or where a copy would overwrite something.
    """

    def __init__(
        self,
        inputs: str | Path | Sequence[str | Path],
        folder: Path,
        split: str | None,
        caption_key: str | None,
        resume: bool,
    ) -> None:
        paths = tars_of(inputs)
        self.options = Options(caption_key=caption_key, split=split)
        self.paths, self.folder = of_split(paths, split), folder
        names = [path.name for path in self.paths]
        for path in self.paths:
            if names.count(path.name) > 1:
                raise InputError(f"{path}: another input has this name too; write them with two calls")
            if not path.is_file():
                raise InputError(f"{path}: no such file")
            if path.resolve().parent == folder.resolve():
                raise InputError(f"{folder}: --into-tars must be another folder than that of {path.name}")
            if (folder / path.name).exists() and not resume:
                raise InputError(f"{folder / path.name}: is there already; add --resume to write it again")
            _spans(path)

    def write(self, build: Path) -> None:
        """Make the copies from the rows of the finished build, which are in the order of the tars' captions."""
        rows = iterate(build)
        for path in track(self.paths, "tars"):
            members = dict(self._members(path, rows))
            with atomic_path(self.folder / path.name) as temporary, open(temporary, "wb") as out:
                _copy(path, members, out)
        if next(rows, None) is not None:
            raise RunError(f"{build}: contains more captions than the tars; have they changed since?")

    def _members(self, path: Path, rows: Iterator[Row]) -> Iterator[tuple[str, bytes]]:
        """(key, content) of every new member of a tar."""
        for sample in tar_pairs(path, Reading(self.options)):
            found = []
            for caption in sample.captions:
                _, text, negatives = next(rows, ("", "", []))
                if text != caption:
                    raise RunError(
                        f"{sample.image.where}: the build has {text!r} in place of {caption!r}; build it anew"
                    )
                found.append((text, [as_dict(negative) for negative in negatives]))
            if found:
                yield sample.key, negatives_member(found)


def _copy(path: Path, members: dict[str, bytes], out: BinaryIO) -> None:
    spans = _spans(path)
    last = {span.key: at for at, span in enumerate(spans)}
    with open(path, "rb") as tar:
        for at, span in enumerate(spans):
            _copy_bytes(tar, out, span.end - span.start)
            if last[span.key] == at and span.key in members:
                data = members[span.key]
                info = tarfile.TarInfo(f"{span.stem}.{NEGATIVES_EXTENSION}")
                info.size = len(data)
                out.write(info.tobuf(errors="surrogateescape"))
                out.write(data + b"\0" * (-len(data) % tarfile.BLOCKSIZE))
        end = path.stat().st_size - (spans[-1].end if spans else 0)
        _copy_bytes(tar, out, end)


def _copy_bytes(source: BinaryIO, out: BinaryIO, count: int) -> None:
    while count:
        block = source.read(min(count, BLOCK))
        if not block:
            raise RunError(f"{source.name}: ends early; has it changed while it was read?")
        out.write(block)
        count -= len(block)


def _spans(path: Path) -> list[_SampleSpan]:
    """Every member's place. Raises InputError for what a tar of samples does not hold, naming the member."""
    report = Report()
    for _ in tar_members(path, report):  # counts links, devices, unsafe names and damage
        pass
    for reason, places in report.examples.items():
        raise InputError(f"{places[0]}: {reason}; a copy with negatives is made of sound tars only")
    found, start = [], 0
    with tarfile.open(path, "r:") as tar:
        for info in walk(tar, path, report):
            end = info.offset_data + -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            key, extension = split_key(safe_name(info.name) or "")
            if extension == NEGATIVES_EXTENSION:
                raise InputError(f"{path}:{info.name}: this tar contains negatives already; start from the one without")
            found.append(_SampleSpan(start, end, key, split_key(info.name)[0]))
            start = end
    return found
