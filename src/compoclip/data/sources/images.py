"""From an image's name in a table to the image: in a folder, its `images/` subfolder, or tars that lie there."""

from __future__ import annotations

import os
from pathlib import Path

from compoclip.data.sources.base import FileImage, ImageRef, Report, safe_name
from compoclip.data.sources.shards import expand, is_pattern
from compoclip.data.sources.tars import TarImages
from compoclip.decode import IMAGE_SUFFIXES
from compoclip.errors import InputError


class Folder:
    """Asks whether files exist, through one directory listing each, which is far cheaper than a stat for every row."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._listings: dict[str, frozenset[str]] = {}

    def has(self, name: str) -> bool:
        folder, _, base = name.rpartition("/")
        if folder not in self._listings:
            try:
                with os.scandir(os.path.join(self.root, folder)) as entries:
                    self._listings[folder] = frozenset(entry.name for entry in entries if not entry.is_dir())
            except OSError:
                self._listings[folder] = frozenset()
        return base in self._listings[folder]

    def find(self, name: str) -> FileImage | None:
        parts = name.split("/")
        for k in range(len(parts)):  # tables often carry a folder or two above the one the user has
            short = "/".join(parts[k:])
            if self.has(short):
                return FileImage(os.path.join(self.root, short))
        return None


class ImageFinder:
    """Resolves the names of one table.

    `image_root` is a folder, a tar, or a pattern of tars; without it the table's own folder is searched. In a folder
    the order is: the folder, its `images/`, its `images.tar`, then all its other tars.
    """

    def __init__(self, base: Path, image_root: str | Path | None, report: Report) -> None:
        self.report = report
        self.root = Path(image_root) if image_root is not None else base
        self._found: dict[str, str] = {}
        self.places: list[Folder | TarImages] = []
        if image_root is not None and (is_pattern(str(image_root)) or self.root.suffix == ".tar"):
            self.places = [TarImages(expand(str(image_root)), report)]
            return
        if not self.root.is_dir():
            raise InputError(
                f"{self.root}: no such image folder; name the folder or tar that holds the images with --image-root"
            )
        self.places = [Folder(self.root)]
        if (self.root / "images").is_dir():
            self.places.append(Folder(self.root / "images"))
        tars = sorted(self.root.glob("*.tar"), key=lambda path: (path.name != "images.tar", path.name))
        if tars:
            first = 1 if tars[0].name == "images.tar" else len(tars)
            self.places += [TarImages(part, report) for part in (tars[:first], tars[first:]) if part]

    def find(self, name: str, where: str) -> ImageRef | None:
        """The image of that name, or None after counting why not.

        Raises InputError where two names meet in one file.
        """
        if "://" in name:
            self.report.skip("image is a web address", where, f"{name!r}; download the images first")
            return None
        clean = self._relative(name)
        if clean is None:
            self.report.skip("outside the image folder", where, f"{name!r} is not below {self.root}; see --image-root")
            return None
        names = [clean]
        if not clean.lower().endswith(IMAGE_SUFFIXES):
            names += [clean + suffix for suffix in IMAGE_SUFFIXES]
        for candidate in names:
            for place in self.places:
                image = place.find(candidate)
                if image is not None:
                    owner = self._found.setdefault(image.where, candidate)
                    if not ("/" + owner).endswith("/" + candidate) and not ("/" + candidate).endswith("/" + owner):
                        both = f"{candidate!r} and {owner!r} both lead to {image.where}"
                        raise InputError(f"{where}: {both}; give the folder above both with --image-root")
                    return image
        self.report.skip("missing image", where, f"{name!r} is not in {self.root}")
        return None

    def _relative(self, name: str) -> str | None:
        """`name` below the root, as safe relative path.

        An absolute name is allowed only where it lies below the root.
        """
        if not name.startswith("/"):
            return safe_name(name)
        if ".." in name.split("/"):
            return None
        root = os.path.abspath(self.root)
        prefix = root if root.endswith("/") else root + "/"
        return safe_name(name[len(prefix) :]) if name.startswith(prefix) else None
