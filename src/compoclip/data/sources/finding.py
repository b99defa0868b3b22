"""From an image's name in a table to the image: in a folder, its `images/`, or tars and zips that lie there."""

from __future__ import annotations

import os
from pathlib import Path

from compoclip.data.images import FolderStore, ImageRef, Store, Stores, open_store
from compoclip.data.images.names import IMAGE_SUFFIXES, safe_name
from compoclip.data.images.stores import ARCHIVES
from compoclip.data.report import ABSENT, Report
from compoclip.data.sources.shards import expand, is_pattern
from compoclip.errors import InputError


class ImageFinder:
    """Resolves the names of one table.

    `image_root` is a folder, a tar, a zip, or a pattern of such archives; without it the table's own folder is
    searched. In a folder the order is: the folder, its `images/`, its `images.tar` or `.zip`, all its other archives.
    """

    def __init__(self, base: Path, image_root: str | Path | None, report: Report) -> None:
        self.report = report
        self.root = Path(image_root).expanduser() if image_root is not None else base
        self._found: dict[str, str] = {}
        self._later: list[list[Path]] = []  # archives are indexed when the places before them lack a name
        self.places: list[Store] = []
        if image_root is not None and (is_pattern(str(image_root)) or self.root.suffix.lower() in ARCHIVES):
            self._later = [expand(str(image_root))]
            return
        if not self.root.is_dir():
            raise InputError(
                f"{self.root}: no such image folder; name the folder or archive of the images with --image-root"
            )
        self.places = [FolderStore(self.root)]
        if (self.root / "images").is_dir():
            self.places.append(FolderStore(self.root / "images"))
        archives = sorted(path for path in self.root.iterdir() if path.suffix.lower() in ARCHIVES and path.is_file())
        first = [path for path in archives if path.stem == "images"]
        self._later = [part for part in (first, [path for path in archives if path not in first]) if part]

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
        found = self._in(self.places, names)
        while found is None and self._later:
            self.places.append(Stores([open_store(path, report=self.report) for path in self._later.pop(0)]))
            found = self._in(self.places[-1:], names)
        if found is None:
            self.report.skip(ABSENT, where, f"{name!r} is not in {self.root}")
            self.report.missing_images[name] = None
            return None
        candidate, image = found
        owner = self._found.setdefault(image.where, candidate)
        if not ("/" + owner).endswith("/" + candidate) and not ("/" + candidate).endswith("/" + owner):
            both = f"{candidate!r} and {owner!r} both lead to {image.where}"
            raise InputError(f"{where}: {both}; give the folder above both with --image-root")
        return image

    @staticmethod
    def _in(places: list[Store], names: list[str]) -> tuple[str, ImageRef] | None:
        for candidate in names:
            for place in places:
                if (image := place.get(candidate)) is not None:
                    return candidate, image
        return None

    def _relative(self, name: str) -> str | None:
        """`name` below the root, as safe relative path.

        An absolute name is allowed only where it lies below the root, by its name or by what it links to.
        """
        if not name.startswith("/"):
            return safe_name(name)
        if ".." in name.split("/"):
            return None
        for root in dict.fromkeys((os.path.abspath(self.root), os.path.realpath(self.root))):
            prefix = root if root.endswith("/") else root + "/"
            if name.startswith(prefix):
                return safe_name(name[len(prefix) :])
        return None
