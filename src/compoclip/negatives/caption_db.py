"""Captions of any number, with their ids and the other captions of their image, in memory of a fixed size.

A million captions as Python objects take half a gigabyte, most of it for knowing which captions share an image and
which ids are taken. Here both are asked of an SQLite file, which keeps a cache of 8 MiB in memory and is thrown away
after the build.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from compoclip.errors import RunError
from compoclip.negatives.store import caption_hash, caption_key, captions_hash

CACHE_KIB = 8192
ENOUGH_CAPTIONS = 300  # from here on, replacements come from the caption set's own words
_TABLES = """
CREATE TABLE captions (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT NOT NULL, image INTEGER);
CREATE INDEX by_image ON captions (image);
CREATE TABLE images (image INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, numbered INTEGER NOT NULL);
CREATE TABLE repeats (id TEXT PRIMARY KEY, last INTEGER NOT NULL);
"""


class Caption(NamedTuple):
    """One caption: `image` is "" where the file names none; `others` are true captions of the same image."""

    caption_id: str
    text: str
    image: str
    others: tuple[str, ...]


class CaptionDB:
    """The captions of a build, in input order; filled once, then read in parts.

    `sha256` is over ids, captions and images, which is what a build's output may depend on.
    `path` None keeps the table in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path, self._count = path, 0
        self._digest = hashlib.sha256()
        self._captions = 0
        self._image: tuple[str, int] = ("", -1)  # of the row before: captions of an image mostly follow each other
        self._base = sqlite3.connect(
            ":memory:" if path is None else str(path), isolation_level=None, check_same_thread=False
        )  # read from one thread at a time
        # the file is made anew by every run, so nothing need survive a crash
        for setting in (f"cache_size = -{CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
            self._base.execute(f"PRAGMA {setting}")
        self._base.executescript(_TABLES)

    def __enter__(self) -> CaptionDB:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._base.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return self._count

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def captions_hash(self) -> str:
        """Over ids and texts in any order, so that training can compare it with its own captions."""
        return captions_hash(self._captions)

    @property
    def images(self) -> int:
        """How many images the captions are of."""
        return self._value("SELECT COUNT(*) FROM images") or 0

    def fill(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Take (id or "", caption, image or "") rows.

        The id is the given one, or the image with the number of the caption among the image's own, or a hash of the
        text; one that is taken gets "~2", "~3", ... Raises RunError where the disk is full.
        """
        try:
            self._base.execute("BEGIN")
            for given, text, image in rows:
                self._add(given, text, image)
            self._base.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise RunError(f"{self.path}: the table of captions cannot be written ({error}); free some space") from None

    def _add(self, given: str, text: str, image: str) -> None:
        number = self._image_number(image) if image else None
        if given:
            wanted = given
        elif number is not None:
            numbered = self._value("SELECT numbered FROM images WHERE image = ?", number)
            self._base.execute("UPDATE images SET numbered = numbered + 1 WHERE image = ?", (number,))
            wanted = f"{image}#{numbered}"
        else:
            wanted = caption_key(text)
        own = wanted
        while not self._inserted(own, text, number):
            repeat = (self._value("SELECT last FROM repeats WHERE id = ?", wanted) or 1) + 1
            self._base.execute("INSERT OR REPLACE INTO repeats VALUES (?, ?)", (wanted, repeat))
            own = f"{wanted}~{repeat}"
        self._count += 1
        self._digest.update("\x1f".join([own, text, image, ""]).encode())
        self._captions += caption_hash(own, text)

    def _inserted(self, caption_id: str, text: str, image: int | None) -> bool:
        row = (self._count, caption_id, text, image)
        return self._base.execute("INSERT OR IGNORE INTO captions VALUES (?, ?, ?, ?)", row).rowcount == 1

    def _image_number(self, name: str) -> int:
        if self._image[0] != name:
            found = self._value("SELECT image FROM images WHERE name = ?", name)
            if found is None:
                made = self._base.execute("INSERT INTO images (name, numbered) VALUES (?, 0)", (name,))
                found = made.lastrowid
            self._image = (name, found or 0)
        return self._image[1]

    def _value(self, query: str, *values: object) -> int | None:
        found = self._base.execute(query, values).fetchone()
        return None if found is None else int(found[0])

    def part(self, start: int, stop: int) -> list[Caption]:
        """Captions start to stop (stop not in)."""
        query = (
            "SELECT id, text, captions.image, images.name FROM captions "
            "LEFT JOIN images ON images.image = captions.image WHERE n >= ? AND n < ? ORDER BY n"
        )
        truths: dict[int, list[str]] = {}
        found = []
        for caption_id, text, image, name in self._base.execute(query, (start, stop)).fetchall():
            if image is None:
                found.append(Caption(caption_id, text, "", ()))
                continue
            if image not in truths:
                of_image = self._base.execute("SELECT DISTINCT text FROM captions WHERE image = ?", (image,))
                truths[image] = sorted(other for (other,) in of_image)
            found.append(Caption(caption_id, text, name, tuple(other for other in truths[image] if other != text)))
        return found

    def texts(self) -> Iterator[str]:
        """Every caption's text, in order."""
        for (text,) in self._base.execute("SELECT text FROM captions ORDER BY n"):
            yield text
