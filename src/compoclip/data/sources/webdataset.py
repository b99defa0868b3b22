"""webdataset tars, read by offset: `KEY.jpg` with `KEY.txt` or `KEY.json`, as that package names them.

`KEY.negatives.json` holds the wrong captions of a sample, where there are any.

Random access makes shuffling exact and resumable, and any number of workers can share any number of shards.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from compoclip.data.images import TarImage
from compoclip.data.images.tars import MAX_TEXT_BYTES, Member, tar_members
from compoclip.data.report import Report
from compoclip.data.sources.columns import CAPTION_COLUMNS, caption_list, tidy
from compoclip.data.sources.packed import PackedSource
from compoclip.data.sources.rows import Options
from compoclip.data.sources.table import Grouper, usable_caption
from compoclip.errors import InputError

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp")
NEGATIVES_EXTENSION = "negatives.json"  # what `negatives build --into-tars` adds to a sample
NEGATIVE_KEYS = ("negatives", "neg_captions", "neg_caption")


def split_key(name: str) -> tuple[str, str]:
    """(key, extension): a key ends at the first dot of the base name, as webdataset has it."""
    folder, _, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem), extension.lower()


class TarSample(NamedTuple):
    """One sample of a tar: `where` names its image in messages; `negatives` has one list a caption, or is None."""

    key: str
    where: str
    image: TarImage
    captions: list[str]
    negatives: list[list[str]] | None


def read_webdataset(tars: list[Path], name: str, options: Options) -> PackedSource:
    """A source from tars. Raises InputError where a tar cannot be opened or none holds an image with a caption."""
    report = Report()
    grouper = Grouper(name, None, report)
    for tar in tars:
        for sample in tar_samples(tar, report, options):
            image_id = free_name(sample.key, tar, grouper.groups.__contains__)
            group = grouper.group(image_id, sample.where, sample.image)
            if group is not None:
                group.captions = sample.captions
                group.negatives = sample.negatives
    return grouper.finish()


def of_split(tars: list[Path], options: Options) -> list[Path]:
    """The shards of one split, where their names begin with a split's name (`train-00000.tar`); else all of them."""
    if options.split is None:
        return tars
    chosen = [
        tar for tar in tars if tar.name.startswith((f"{options.split}-", f"{options.split}_", f"{options.split}."))
    ]
    return chosen or tars


def free_name(key: str, tar: Path, taken: Callable[[str], bool]) -> str:
    """The image id of a sample: its key; with the tar's name, and then a number, where an earlier tar has used it."""
    name, repeat = key, 1
    while taken(name):
        name = f"{tar.stem}/{key}" if repeat == 1 else f"{tar.stem}/{key}~{repeat}"
        repeat += 1
    return name


def tar_samples(tar: Path, report: Report, options: Options) -> Iterator[TarSample]:
    """Samples of one tar with at least one caption, in the order of their images; the rest is counted in `report`.

    Raises InputError where the tar cannot be opened.
    """
    if not tar.is_file():
        raise InputError(f"{tar}: no such file")
    with open(tar, "rb") as handle:
        images: dict[str, Member] = {}
        texts: dict[str, dict[str, Member]] = {}
        for member in tar_members(tar, report):
            key, extension = split_key(member.name)
            if extension in IMAGE_EXTENSIONS:
                if key in images:
                    report.skip("second image of the same key", f"{tar}:{member.name}")
                else:
                    images[key] = member
            elif extension in ("txt", "json", NEGATIVES_EXTENSION):
                texts.setdefault(key, {})[extension] = member
        for key, member in images.items():
            report.rows += 1
            where = f"{tar}:{member.name}"
            found = texts.pop(key, {})
            own = found.pop(NEGATIVES_EXTENSION, None)
            if not found:
                report.skip("image without a caption file", where, f"no {key}.txt or {key}.json")
                continue
            if options.split is not None and _split(handle, found, report, tar) not in (None, options.split):
                continue
            captions, negatives = _captions(handle, tar, found, report, options)
            if captions and own is not None:
                negatives = _of_member(handle, tar, own, captions, report) or negatives
            if captions:
                yield TarSample(key, where, TarImage(str(tar), *member), captions, negatives)
        for key in texts:
            report.skip("caption file without an image", f"{tar}:{key}")


def negatives_member(rows: Sequence[tuple[str, Sequence[Mapping[str, object]]]]) -> bytes:
    """What the member `KEY.negatives.json` holds: the captions of a sample, each with its negatives (`text`, ...)."""
    captions = [{"caption": caption, "negatives": list(negatives)} for caption, negatives in rows]
    return json.dumps({"schema": 1, "captions": captions}, ensure_ascii=False).encode("utf-8", "replace")


def _of_member(
    handle: BinaryIO, tar: Path, member: Member, captions: list[str], report: Report
) -> list[list[str]] | None:
    """The negatives in a `KEY.negatives.json`, by the caption's text; None where it is broken (counted)."""
    value = _object(handle, tar, member, report)
    if value is None:
        return None
    known: dict[str, list[str]] = {}
    try:
        for row in value["captions"]:
            texts = [n["text"] if isinstance(n, dict) else n for n in row["negatives"]]
            known[tidy(row["caption"])] = [text for text in texts if isinstance(text, str) and text.strip()]
    except (KeyError, TypeError, AttributeError):
        report.skip("bad list of negatives", f"{tar}:{member.name}", "captions, each with its negatives, expected")
        return None
    return [known.get(caption, []) for caption in captions]


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
    handle: BinaryIO, tar: Path, found: dict[str, Member], report: Report, options: Options
) -> tuple[list[str], list[list[str]] | None]:
    """Captions and, where the JSON has them, their negatives.

    JSON is preferred to text; a JSON without captions falls back on it.
    """
    values: list[object] = []
    negatives: object = None
    where = f"{tar}:{next(iter(found.values())).name}"
    if "json" in found:
        where = f"{tar}:{found['json'].name}"
        value = _object(handle, tar, found["json"], report)
        if value is not None:
            key = options.caption_key or next((k for k in ("captions", *CAPTION_COLUMNS) if value.get(k)), None)
            if key in value:
                values = caption_list(value[key], False)
            negatives = next((value[k] for k in NEGATIVE_KEYS if k in value), None)
    if not values and "txt" in found:
        where = f"{tar}:{found['txt'].name}"
        text = _body(handle, tar, found["txt"], report)
        if text is None:
            return [], None
        values = [line for line in text.splitlines() if line.strip()] or [""]
    if not values:
        report.skip("no caption", where, "no captions or caption in the JSON; name the key with --caption-key")
    kept = [
        (k, text) for k, text in enumerate(usable_caption(value, where, report) for value in values) if text is not None
    ]
    return [text for _, text in kept], _negatives(negatives, [k for k, _ in kept], len(values), where, report)


def _negatives(value: object, kept: list[int], count: int, where: str, report: Report) -> list[list[str]] | None:
    """One list of negatives a caption, for the captions that were kept; a flat list belongs to a single caption."""
    if value is None or not kept:
        return None
    lists = [value] if isinstance(value, list) and count == 1 and not any(isinstance(v, list) for v in value) else value
    if not isinstance(lists, list) or len(lists) != count or not all(isinstance(part, list) for part in lists):
        report.skip("bad list of negatives", where, f"one list for each of {count} captions expected")
        return None
    return [[text for text in lists[k] if isinstance(text, str) and text.strip()] for k in kept]
