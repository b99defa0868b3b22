"""What became of an archive of a named set: how many of its files lie in each folder, and how many should.

An archive that has been unpacked leaves `ARCHIVE.unpacked` beside it: its checksum, then a line `COUNT FOLDER` for each
folder it filled. Without one, an archive that is still there was unpacked in part, or not at all, and is asked itself.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.data.catalog import Download
from compoclip.data.unpack import contents
from compoclip.errors import RunError
from compoclip.io import write_text


def record_path(download: Download, root: Path) -> Path:
    """Stands for an archive that has been unpacked, so that it is not fetched twice."""
    return root / f"{download.to}.unpacked"


def record(download: Download, root: Path, sha256: str) -> None:
    """Note that the archive has been unpacked, and what it held."""
    names = contents(root / download.to)
    folders = Counter(PurePosixPath(name).parent.as_posix() for name in names)
    lines = [f"{sha256}  {PurePosixPath(download.to).name}", *(f"{n} {folder}" for folder, n in folders.items())]
    write_text(record_path(download, root), "\n".join(lines) + "\n")


def unfinished(download: Download, root: Path) -> dict[str, Any] | None:
    """{path, found, wanted} where files of the archive are not in place, else None.

    None too where neither archive nor record is there (the files are somebody's own copy), and where nothing of an
    archive was unpacked (photos are read from it in place).
    """
    if download.unpack is None:
        return None
    into, archive, note = root / download.unpack, root / download.to, record_path(download, root)
    if note.is_file():
        rows = [line.split(" ", 1) for line in note.read_text("utf-8").splitlines()[1:] if line[:1].isdigit()]
        counts = [(int(count), _files(into / folder)) for count, folder in rows]
        wanted, found = sum(n for n, _ in counts), sum(min(n, have) for n, have in counts)
    elif archive.is_file():
        try:
            sizes = contents(archive)
        except RunError:
            sizes = {}
        found, wanted = sum(_size(into / name) == size for name, size in sizes.items()), len(sizes)
        if not found:
            return None
    else:
        return None
    if found == wanted:
        return None
    return {"path": f"{download.to} -> {download.unpack}", "found": found, "wanted": wanted}


def _files(folder: Path) -> int:
    """Files in a folder; as many as one likes where an archive stands for it."""
    if not folder.exists() and any(folder.with_name(folder.name + end).is_file() for end in (".tar", ".zip")):
        return sys.maxsize
    try:
        with os.scandir(folder) as entries:
            return sum(entry.is_file() for entry in entries)
    except OSError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
