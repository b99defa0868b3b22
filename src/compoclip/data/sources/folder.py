"""A folder of images, each with a `.txt` file of the same name; every line of it is a caption."""

from __future__ import annotations

import os
from pathlib import Path

from compoclip.data.images import FileImage
from compoclip.data.images.names import IMAGE_SUFFIXES
from compoclip.data.images.tars import MAX_TEXT_BYTES
from compoclip.data.report import Report
from compoclip.data.sources.packed import PackedSource
from compoclip.data.sources.table import Grouper

MAX_DEPTH = 8


def read_folder(root: Path) -> PackedSource:
    """A source from all images below `root` (folders sorted by name).

    Links to folders are not entered, so a loop cannot hang.
    """
    report = Report()
    grouper = Grouper(str(root), None, report)
    for folder, folders, files in os.walk(root, followlinks=False):
        folders.sort()
        if Path(folder).relative_to(root).parts[MAX_DEPTH:]:
            folders.clear()
        names = set(files)
        for name in sorted(files):
            path = Path(folder, name)
            if path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            report.rows += 1
            text = path.with_suffix(".txt")
            if text.name not in names:
                report.skip("image without a caption file", str(path), f"no {text.name}")
                continue
            captions = _captions(text, grouper)
            group = (
                grouper.group(path.relative_to(root).as_posix(), str(path), FileImage(str(path))) if captions else None
            )
            if group is not None:
                group.captions = captions
    return grouper.finish()


def _captions(path: Path, grouper: Grouper) -> list[str]:
    if not path.is_file():
        grouper.report.skip("image without a caption file", str(path), "not a regular file")
        return []
    if path.stat().st_size > MAX_TEXT_BYTES:
        grouper.report.skip("caption file too large", str(path))
        return []
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        grouper.report.skip("not UTF-8", str(path))
        return []
    except OSError as error:
        grouper.report.skip("caption file cannot be read", str(path), str(error.strerror))
        return []
    found = [grouper.caption(line, str(path)) for line in lines if line.strip()]
    if not found:
        grouper.report.skip("empty caption", str(path))
    return [text for text in found if text is not None]
