"""Places that hold images: a folder, a tar, a zip, or several of them, read in place and asked by name.

An archive's member names are never used as paths on this machine: they are only looked up.
"""

from __future__ import annotations

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

from compoclip.data.images.names import ByLastParts, is_image, is_litter, safe_name, spelling, walk
from compoclip.data.images.refs import FileImage, ImageRef, TarImage, ZipImage
from compoclip.data.images.tars import tar_members
from compoclip.data.report import Report
from compoclip.errors import InputError

__all__ = ["FolderStore", "Store", "Stores", "TarStore", "ZipStore", "beside", "is_image", "is_litter", "open_store"]

ARCHIVES = (".tar", ".zip")
UNSAFE = "unsafe name in a tar"
WRONG = {
    "truncated tar": "truncated; fetch the archive again",
    "damaged tar": "the tar is damaged; fetch the archive again",
    UNSAFE: "points outside the archive; refused, repack it with plain names",
}


class Store(ABC):
    """A place with images. `names` lists its files; `get` finds an image by name, or by the end of its path."""

    where: str

    @abstractmethod
    def names(self) -> Sequence[str]: ...

    @abstractmethod
    def exact(self, name: str) -> ImageRef | None: ...

    @abstractmethod
    def get(self, name: str) -> ImageRef | None: ...

    def read_bytes(self, name: str) -> bytes:
        """The content of a file. Raises InputError where it is not there."""
        if (found := self.exact(name)) is None:
            raise InputError(f"{self.where}: no file {name!r}")
        return found.encoded()


class FolderStore(Store):
    """Images below a folder. A name may carry folders that lie above it (`coco/val2017/1.jpg` in `val2017/`)."""

    def __init__(self, path: str | Path, rotate: bool = True) -> None:
        self.path, self.where, self.rotate = Path(path), str(path), rotate
        self._names: list[str] | None = None
        self._listings: dict[str, dict[str, str]] = {}

    def names(self) -> Sequence[str]:
        """Names of the images, sorted."""
        if self._names is None:
            self._names = sorted(name for name in walk(self.path) if is_image(name))
        return self._names

    def _file(self, name: str) -> str | None:
        """Asks through one listing a folder, which is far cheaper than a stat for every name."""
        folder, _, base = name.rpartition("/")
        if folder not in self._listings:
            try:
                with os.scandir(self.path / folder) as entries:
                    files = [entry.name for entry in entries if not _is_folder(entry)]
            except OSError:
                files = []
            self._listings[folder] = {spelling(file): file for file in files}
        found = self._listings[folder].get(spelling(base))
        return None if found is None else os.path.join(self.where, folder, found)

    def exact(self, name: str) -> FileImage | None:
        path = self._file(_inside(name, self.where))
        return None if path is None else FileImage(path, rotate=self.rotate)

    def get(self, name: str) -> FileImage | None:
        parts = _inside(name, self.where).split("/")
        found = (self._file("/".join(parts[k:])) for k in range(len(parts)))
        path = next((path for path in found if path is not None), None)
        return None if path is None else FileImage(path, rotate=self.rotate)


class _Archive(Store):
    """Members by name; `refs` are made when the archive is opened, from its own directory."""

    def __init__(self, path: str | Path, refs: dict[str, ImageRef]) -> None:
        self.path, self.where = Path(path), str(path)
        self._refs = refs
        self._index = ByLastParts(refs, self.path.stem)

    def names(self) -> Sequence[str]:
        return list(self._refs)

    def files(self) -> Iterable[tuple[str, ImageRef]]:
        return self._refs.items()

    def exact(self, name: str) -> ImageRef | None:
        found = self._index.exact(_inside(name, self.where))
        return None if found is None else self._refs[found]

    def get(self, name: str) -> ImageRef | None:
        found = self._index.find(_inside(name, self.where))
        return None if found is None else self._refs[found]


class TarStore(_Archive):
    """Members of an uncompressed tar. What is wrong with it is counted in `report`; without one, it is refused."""

    def __init__(self, path: str | Path, rotate: bool = True, report: Report | None = None) -> None:
        found = Report() if report is None else report
        refs: dict[str, ImageRef] = {
            member.name: TarImage(str(path), *member, rotate=rotate) for member in tar_members(path, found)
        }
        if report is None:
            for reason in WRONG:
                if places := found.examples.get(reason):
                    raise InputError(f"{places[0].partition(': the file ends')[0]}: {WRONG[reason]}")
        super().__init__(path, refs)


class ZipStore(_Archive):
    """Members of a zip; encrypted ones are refused when they are read."""

    def __init__(self, path: str | Path, rotate: bool = True, report: Report | None = None) -> None:
        try:
            with zipfile.ZipFile(path) as archive:
                infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
        except FileNotFoundError:
            raise InputError(f"{path}: no such file") from None
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise InputError(f"{path}: broken or truncated zip ({error}); fetch the archive again") from None
        refs: dict[str, ImageRef] = {}
        for info in infos:
            name = safe_name(info.filename)
            if name is None:
                if report is None:
                    raise InputError(f"{path}: member {info.filename!r} {WRONG[UNSAFE]}")
                report.skip("unsafe name in a zip", f"{path}:{info.filename}")
                continue
            method = -1 if info.flag_bits & 1 else info.compress_type
            place = info.header_offset, info.file_size, info.compress_size
            refs[name] = ZipImage(str(path), name, *place, method, info.CRC, rotate=rotate)
        super().__init__(path, refs)


class Stores(Store):
    """Several places searched in order; a full name counts more than the end of one."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self.stores = list(stores)
        self.where = ", ".join(s.where for s in self.stores)

    def names(self) -> Sequence[str]:
        return [name for store in self.stores for name in store.names()]

    def exact(self, name: str) -> ImageRef | None:
        return next((found for store in self.stores if (found := store.exact(name)) is not None), None)

    def get(self, name: str) -> ImageRef | None:
        exact = self.exact(name)
        return exact or next((found for store in self.stores if (found := store.get(name)) is not None), None)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """False too for a link in a loop, which the system refuses to follow: opening it says what is wrong with it."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _inside(name: str, where: str) -> str:
    clean = safe_name(name)
    if clean is None:
        raise InputError(f"{where}: image name {name!r} points outside the folder; use a relative name")
    return clean


def open_store(path: str | Path, rotate: bool = True, report: Report | None = None) -> Store:
    """A folder, a .tar or a .zip as a `Store`. Raises InputError for anything else, and for a broken archive.

    rotate: turn images as their EXIF orientation says. report: counts what cannot be used in a tar or zip, which is
    otherwise refused.
    """
    path = Path(path)
    if path.is_dir():
        return FolderStore(path, rotate)
    if not path.exists():
        raise InputError(f"{path}: no such folder or archive")
    if path.suffix.lower() == ".tar":
        return TarStore(path, rotate, report)
    if path.suffix.lower() == ".zip":
        return ZipStore(path, rotate, report)
    raise InputError(f"{path}: images must lie in a folder, a .tar or a .zip")


def beside(stem: Path) -> Path | None:
    """`stem` as a folder, `stem.tar` or `stem.zip`, whichever is there first."""
    for candidate in (stem, stem.with_name(stem.name + ".tar"), stem.with_name(stem.name + ".zip")):
        if candidate.is_dir() or (candidate.suffix in ARCHIVES and candidate.is_file()):
            return candidate
    return None
