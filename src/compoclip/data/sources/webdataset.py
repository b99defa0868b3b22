"""webdataset tars, read by offset: `KEY.jpg` with `KEY.txt` or `KEY.json`, as that package names them.

Random access makes shuffling exact and resumable, and any number of workers can share any number of shards.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from compoclip.data.sources.base import Report, TarImage
from compoclip.data.sources.columns import CAPTION_COLUMNS, caption_list
from compoclip.data.sources.packed import PackedSource
from compoclip.data.sources.rows import Options
from compoclip.data.sources.table import Grouper
from compoclip.data.sources.tars import MAX_TEXT_BYTES, Member, tar_members
from compoclip.errors import InputError

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp")
NEGATIVE_KEYS = ("negatives", "neg_captions", "neg_caption")


def split_key(name: str) -> tuple[str, str]:
    """(key, extension): a key ends at the first dot of the base name, as webdataset has it."""
    folder, _, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem), extension.lower()


def read_webdataset(tars: list[Path], name: str, options: Options) -> PackedSource:
    """A source from tars. Raises InputError where a tar cannot be opened or none holds an image with a caption."""
    report = Report()
    grouper = Grouper(name, None, report)
    for tar in tars:
        with open(tar, "rb") if tar.is_file() else _missing(tar) as handle:
            _read_tar(tar, handle, grouper, options)
    return grouper.finish()


def _missing(tar: Path) -> BinaryIO:
    raise InputError(f"{tar}: no such file")


def _read_tar(tar: Path, handle: BinaryIO, grouper: Grouper, options: Options) -> None:
    images: dict[str, Member] = {}
    texts: dict[str, dict[str, Member]] = {}
    for member in tar_members(tar, grouper.report):
        key, extension = split_key(member.name)
        if extension in IMAGE_EXTENSIONS:
            if key in images:
                grouper.report.skip("second image of the same key", f"{tar}:{member.name}")
            else:
                images[key] = member
        elif extension in ("txt", "json"):
            texts.setdefault(key, {})[extension] = member
    for key, member in images.items():
        grouper.report.rows += 1
        where = f"{tar}:{member.name}"
        found = texts.pop(key, {})
        if not found:
            grouper.report.skip("image without a caption file", where, f"no {key}.txt or {key}.json")
            continue
        if options.split is not None and _split(handle, found, grouper.report, tar) not in (None, options.split):
            continue
        captions, negatives = _captions(handle, tar, found, grouper, options)
        if captions:
            image_id = key if key not in grouper.groups else f"{tar.stem}/{key}"
            group = grouper.group(image_id, where, TarImage(str(tar), *member))
            if group is not None:
                group.captions = captions
                group.negatives = negatives
    for key in texts:
        grouper.report.skip("caption file without an image", f"{tar}:{key}")


def _body(handle: BinaryIO, tar: Path, member: Member, report: Report) -> str | None:
    if member.size > MAX_TEXT_BYTES:
        report.skip("caption file too large", f"{tar}:{member.name}", f"{member.size} bytes")
        return None
    handle.seek(member.offset)
    try:
        return handle.read(member.size).decode("utf-8-sig")
    except UnicodeDecodeError:
        report.skip("not UTF-8", f"{tar}:{member.name}")
        return None


def _object(handle: BinaryIO, tar: Path, member: Member, report: Report) -> dict[str, Any] | None:
    text = _body(handle, tar, member, report)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        report.skip("bad JSON", f"{tar}:{member.name}", str(error)[:80])
        return None
    if not isinstance(value, dict):
        report.skip("bad JSON", f"{tar}:{member.name}", "not an object")
        return None
    return value


def _split(handle: BinaryIO, found: dict[str, Member], report: Report, tar: Path) -> str | None:
    value = _object(handle, tar, found["json"], Report()) if "json" in found else None
    split = value.get("split") if value else None
    return split if isinstance(split, str) else None


def _captions(
    handle: BinaryIO, tar: Path, found: dict[str, Member], grouper: Grouper, options: Options
) -> tuple[list[str], list[list[str]] | None]:
    """Captions and, where the JSON has them, their negatives.

    JSON is preferred to text; a JSON without captions falls back on it.
    """
    values: list[object] = []
    negatives: object = None
    where = f"{tar}:{next(iter(found.values())).name}"
    if "json" in found:
        where = f"{tar}:{found['json'].name}"
        value = _object(handle, tar, found["json"], grouper.report)
        if value is not None:
            key = options.caption_key or next((k for k in ("captions", *CAPTION_COLUMNS) if value.get(k)), None)
            if key in value:
                values = caption_list(value[key], False)
            negatives = next((value[k] for k in NEGATIVE_KEYS if k in value), None)
    if not values and "txt" in found:
        where = f"{tar}:{found['txt'].name}"
        text = _body(handle, tar, found["txt"], grouper.report)
        if text is None:
            return [], None
        values = [line for line in text.splitlines() if line.strip()] or [""]
    if not values:
        grouper.report.skip("no caption", where, "no captions or caption in the JSON; name the key with --caption-key")
    kept = [(k, text) for k, text in enumerate(grouper.caption(value, where) for value in values) if text is not None]
    return [text for _, text in kept], _negatives(negatives, [k for k, _ in kept], len(values), where, grouper.report)


def _negatives(value: object, kept: list[int], count: int, where: str, report: Report) -> list[list[str]] | None:
    """One list of negatives a caption, for the captions that were kept; a flat list belongs to a single caption."""
    if value is None or not kept:
        return None
    lists = [value] if isinstance(value, list) and count == 1 and not any(isinstance(v, list) for v in value) else value
    if not isinstance(lists, list) or len(lists) != count or not all(isinstance(part, list) for part in lists):
        report.skip("bad list of negatives", where, f"one list for each of {count} captions expected")
        return None
    return [[text for text in lists[k] if isinstance(text, str) and text.strip()] for k in kept]
