"""A folder, or a zip, of images, each with a `.txt` file of the same name; every line of it is a caption."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from compoclip.data.images import FileImage, ImageRef, ZipStore, is_image, is_litter
from compoclip.data.images.names import is_other_picture, walk
from compoclip.data.images.tars import MAX_TEXT_BYTES
from compoclip.data.report import Report
from compoclip.data.sources.columns import SPLIT_NAMES, usable_caption
from compoclip.data.sources.rows import Reading, Record, SplitFilter
from compoclip.errors import InputError

TEXTS = (".txt", ".caption")


def photo_records(root: Path, reading: Reading) -> Iterator[Record]:
    """A record an image below `root`, folders sorted by name; litter of operating systems is passed over.

    A split is the name of a folder at the top. Linked folders are entered, loops are not.
    """
    report, keep = reading.report, SplitFilter(reading)
    store = None if root.is_dir() else ZipStore(root, report=report)
    names = [name for name in (walk(root) if store is None else store.names()) if not is_litter(name)]
    there = set(names)
    if store is not None and not any(name.endswith(TEXTS) for name in names):
        raise InputError(f"{root}: holds no images with .txt files; unpack it, or name the table of its captions")
    for name in names:
        if not (is_image(name) or is_other_picture(name)):
            continue
        where = os.path.join(root, name) if store is None else f"{root}:{name}"
        if not keep(name.partition("/")[0] if "/" in name else None):
            continue
        report.rows += 1
        if not is_image(name):
            report.skip("picture of a format that is not read", where, "save it as JPEG or PNG")
            continue
        stem = name.rpartition(".")[0]
        text = next((stem + suffix for suffix in TEXTS if stem + suffix in there), None)
        if text is None:
            report.skip("image without a caption file", where, f"no {stem.rpartition('/')[2]}.txt")
            continue
        image = FileImage(os.path.join(root, name)) if store is None else store.exact(name)
        file = FileImage(os.path.join(root, text)) if store is None else store.exact(text)
        captions = _captions(file, report) if file is not None else []
        if captions:
            yield Record(name, where, captions, reading.ids(name, len(captions)), image=image)
    if reading.options.split is not None or {name.casefold() for name in keep.seen} <= set(SPLIT_NAMES):
        keep.check(str(root))


def _captions(file: ImageRef, report: Report) -> list[str]:
    try:
        data = file.encoded()
        if len(data) > MAX_TEXT_BYTES:
            report.skip("caption file too large", file.where)
            return []
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        report.skip("not UTF-8", file.where)
        return []
    except InputError as error:
        report.skip("caption file cannot be read", file.where, str(error))
        return []
    found = [usable_caption(line, file.where, report) for line in lines if line.strip()]
    if not found:
        report.skip("empty caption", file.where)
    return [text for text in found if text is not None]
