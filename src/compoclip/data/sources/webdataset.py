"""webdataset tars, read by offset: `KEY.jpg` with `KEY.txt` or `KEY.json`, as that package names them.

`KEY.negatives.json` holds the wrong captions of a sample, where there are any.

Random access makes shuffling exact and resumable, and any number of workers can share any number of shards.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from compoclip.data.images import TarImage, is_litter
from compoclip.data.images.names import IMAGE_SUFFIXES, OTHER_PICTURES
from compoclip.data.images.tars import MAX_TEXT_BYTES, Member, tar_members
from compoclip.data.report import Report
from compoclip.data.sources.columns import (
    CAPTION_COLUMNS,
    SPLIT_COLUMNS,
    SPLIT_NAMES,
    caption_list,
    tidy,
    usable_caption,
)
from compoclip.data.sources.rows import Reading, Record, SplitFilter
from compoclip.errors import InputError

NEGATIVES_EXTENSION = "negatives.json"  # what `negatives build --into-tars` adds to a sample
NEGATIVE_KEYS = ("negatives", "neg_captions", "neg_caption")
EXTENSIONS = (NEGATIVES_EXTENSION, "txt", "json", *(suffix[1:] for suffix in (*IMAGE_SUFFIXES, *OTHER_PICTURES)))


def split_key(name: str) -> tuple[str, str]:
    """(key, extension). A key may hold dots (`IMG_1.0.png`); what has no extension known here ends at its first dot."""
    lower = name.lower()
    for extension in EXTENSIONS:
        if lower.endswith("." + extension):
            return name[: -len(extension) - 1], extension
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


def tar_records(tars: Sequence[Path], reading: Reading) -> Iterator[Record]:
    """A record a sample. Raises InputError where a tar cannot be opened or none is of the split asked for."""
    keep = SplitFilter(reading, untold_too=True)
    for tar in of_split(tars, reading.options.split):
        for sample in tar_samples(tar, reading, keep):
            name = free_name(sample.key, tar, reading.known)
            ids = reading.ids(name, len(sample.captions))
            yield Record(name, sample.where, sample.captions, ids, image=sample.image, negatives=sample.negatives)
    if reading.options.split is not None:
        keep.check(", ".join(map(str, tars[:3])))


def of_split(tars: Sequence[Path], split: str | None) -> list[Path]:
    """The shards of one split, where their names or folders tell it (`train-00000.tar`, `train/0.tar`); else all."""
    chosen = [tar for tar in tars if split is not None and told_split(tar) == split.strip().casefold()]
    return chosen or [tar for tar in tars if split is None or not told_split(tar)] or list(tars)


def told_split(tar: Path) -> str:
    """The split that the name of a tar, or of its folder, tells; "" for none."""
    word = tar.stem.casefold().replace("_", "-").partition("-")[0].rstrip("0123456789")
    folder = tar.parent.name.casefold()
    return word if word in SPLIT_NAMES else folder if folder in SPLIT_NAMES else ""


def free_name(key: str, tar: Path, taken: Callable[[str], bool]) -> str:
    """The image id of a sample: its key; with the tar's name, and then a number, where an earlier tar has used it."""
    name, repeat = key, 1
    while taken(name):
        name = f"{tar.stem}/{key}" if repeat == 1 else f"{tar.stem}/{key}~{repeat}"
        repeat += 1
    return name


def tar_samples(tar: Path, reading: Reading, keep: SplitFilter | None = None) -> Iterator[TarSample]:
    """Samples of one tar with at least one caption, in the order of their images; the rest is counted.

    Raises InputError where the tar cannot be opened.
    """
    report = reading.report
    keep = SplitFilter(reading, untold_too=True) if keep is None else keep
    if not tar.is_file():
        raise InputError(f"{tar}: no such file")
    with open(tar, "rb") as handle:
        images: dict[str, Member] = {}
        texts: dict[str, dict[str, Member]] = {}
        for member in tar_members(tar, report):
            key, extension = split_key(member.name)
            if is_litter(member.name):
                continue
            if extension in ("txt", "json", NEGATIVES_EXTENSION):
                texts.setdefault(key, {})[extension] = member
            elif "." + extension in OTHER_PICTURES:
                report.rows += 1
                report.skip("picture of a format that is not read", f"{tar}:{member.name}", "save it as JPEG or PNG")
                texts[key] = {}
            elif "." + extension in IMAGE_SUFFIXES:
                if key in images:
                    report.skip("second image of the same key", f"{tar}:{member.name}")
                else:
                    images[key] = member
        for key, member in images.items():
            where = f"{tar}:{member.name}"
            found = texts.pop(key, {})
            own = found.pop(NEGATIVES_EXTENSION, None)
            if not keep(_split(handle, found, tar, key)):
                continue
            report.rows += 1
            if not found:
                report.skip("image without a caption file", where, f"no {key}.txt or {key}.json")
                continue
            captions, negatives = _captions(handle, tar, found, reading)
            if captions and own is not None:
                negatives = _of_member(handle, tar, own, captions, report) or negatives
            if captions:
                yield TarSample(key, where, TarImage(str(tar), *member), captions, negatives)
        for key, found in texts.items():
            if found:
                report.skip("caption file without an image", f"{tar}:{key}")


def captions_in(
    bodies: Mapping[str, bytes], shard: str, key: str, reading: Reading
) -> tuple[list[str], list[list[str]] | None]:
    """Captions and negatives of a sample whose text members, by extension, are in memory; none where it has none."""
    report, where = reading.report, Path(shard)
    found: dict[str, Member] = {}
    handle = io.BytesIO(b"".join(bodies.values()))
    offset = 0
    for extension, body in bodies.items():
        found[extension] = Member(f"{key}.{extension}", offset, len(body))
        offset += len(body)
    own = found.pop(NEGATIVES_EXTENSION, None)
    if not found:
        report.skip("image without a caption file", f"{shard}:{key}", f"no {key}.txt or {key}.json")
        return [], None
    captions, negatives = _captions(handle, where, found, reading)
    if captions and own is not None:
        negatives = _of_member(handle, where, own, captions, report) or negatives
    return captions, negatives


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


def _split(handle: BinaryIO, found: dict[str, Member], tar: Path, key: str) -> str | None:
    """The split that a sample's JSON, its folder in the tar, or the tar's name tells."""
    value = _object(handle, tar, found["json"], Report()) if "json" in found else None
    told = next((value[name] for name in SPLIT_COLUMNS if isinstance(value.get(name), str)), None) if value else None
    folder = key.partition("/")[0] if "/" in key else ""
    return told or (folder if folder.casefold() in SPLIT_NAMES else "") or told_split(tar)


def _captions(
    handle: BinaryIO, tar: Path, found: dict[str, Member], reading: Reading
) -> tuple[list[str], list[list[str]] | None]:
    """Captions and, where the JSON has them, their negatives.

    `caption` and `captions` of the JSON come first, then the text file, then other keys that may hold captions.
    """
    values: list[object] = []
    negatives: object = None
    report = reading.report
    where = f"{tar}:{next(iter(found.values())).name}"
    if "json" in found:
        where = f"{tar}:{found['json'].name}"
        value = _object(handle, tar, found["json"], report)
        if value is not None:
            sure = (reading.options.caption_key,) if reading.options.caption_key else ("captions", "caption")
            keys = sure if "txt" in found or reading.options.caption_key else (*sure, *CAPTION_COLUMNS)
            key = next((name for name in keys if value.get(name)), None)
            try:
                values = caption_list(value[key]) if key is not None else []
            except ValueError as error:
                report.skip("bad list of captions", where, str(error))
                return [], None
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
