"""Names of images: which are safe, which are litter, and when two spellings mean one file."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from compoclip.decode import IMAGE_SUFFIXES as DECODED

IMAGE_SUFFIXES = (*DECODED, ".jfif", ".jpe")
# endings of images that nothing here decodes: such files are counted, not passed over
OTHER_IMAGES = tuple(
    suffix
    for suffix in (".avif", ".heic", ".heif", ".jxl", ".jp2", ".svg", ".psd", ".tga", ".ico", ".dng", ".cr2", ".nef")
    if suffix not in IMAGE_SUFFIXES
)
LITTER = ("__macosx", "thumbs.db", "@eadir", "$recycle.bin", "lost+found", "system volume information")


def is_litter(name: str) -> bool:
    """Whether a file, or a folder above it, was left there by an operating system or an editor (`._a`, `.git`, ...)."""
    parts = PurePosixPath(name).parts
    return any((part.startswith(".") and part != "..") or part.casefold() in LITTER for part in parts)


def is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not is_litter(name)


def is_other_image(name: str) -> bool:
    return name.lower().endswith(OTHER_IMAGES) and not is_litter(name)


def safe_name(name: str) -> str | None:
    """A relative POSIX path with `.` parts removed; None for an absolute path, a `..` part, or a NUL."""
    text = name.replace("\\", "/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    drive = len(text) > 1 and text[1] == ":"
    if not parts or text.startswith("/") or drive or ".." in parts or "\x00" in text:
        return None
    return "/".join(parts)


def spelling(name: str) -> str:
    """One spelling of letters with accents: file systems and archives of some systems take them apart."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


class ByLastParts:
    """Finds members of an archive by name, or by the parts at the end of it.

    A folder that contradicts the name asked for is never passed over: `train/0.png` is not `val/0.png`. The archive's
    own name counts as a folder above its members.
    """

    def __init__(self, members: Iterable[str], above: str) -> None:
        self.above = above
        self._exact: dict[str, str] = {}
        self._by_base: dict[str, list[str]] = {}
        for member in members:
            self._exact[spelling(member)] = member
            self._by_base.setdefault(spelling(member).rpartition("/")[2], []).append(member)

    def exact(self, name: str) -> str | None:
        return self._exact.get(spelling(name))

    def find(self, name: str) -> str | None:
        """The member of that name; else the one whose path agrees with it furthest, None where two agree as far."""
        if (found := self.exact(name)) is not None:
            return found
        wanted = spelling(name).split("/")
        best: list[str] = []
        most = 0
        for member in self._by_base.get(wanted[-1], ()):
            parts = spelling(member).split("/")
            shared = _shared(wanted, [self.above, *parts])
            if shared < most or not (shared == len(wanted) or shared >= len(parts) or shared >= 2):
                continue
            best = [member] if shared > most else [*best, member]
            most = shared
        return best[0] if len(best) == 1 else None


def _shared(one: list[str], other: list[str]) -> int:
    """How many parts two paths have in common, from the end."""
    count = 0
    for a, b in zip(reversed(one), reversed(other)):
        if a != b:
            break
        count += 1
    return count


def walk(root: str | Path) -> Iterator[str]:
    """Names of all files below a folder, sorted folder by folder. Linked folders are entered, loops are not."""
    return _walk(os.fspath(root), "", frozenset())


def _walk(root: str, folder: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    place = os.path.join(root, folder)
    try:
        status = os.stat(place)
        entries = sorted(os.scandir(place), key=lambda entry: entry.name)
    except OSError:  # a folder that may not be read is as good as empty; a file asked for by name is still looked up
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    folders = []
    for entry in entries:
        name = f"{folder}/{entry.name}" if folder else entry.name
        try:
            if entry.is_dir():
                folders.append(name)
            elif entry.is_file():
                yield name
        except OSError:  # a link in a loop
            continue
    for name in folders:
        yield from _walk(root, name, above | {here})
