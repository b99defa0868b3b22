"""Photos with texts of the same name: `KEY.jpg` beside `KEY.txt` or `KEY.json`, in a folder, a zip or webdataset tars.

`KEY.negatives.json` contains the wrong captions of a photo, where there are any. Tars are read by offset: random access
makes shuffling exact and resumable, and any number of workers can share any number of shards.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compoclip.data.images import FileImage, ImageRef, TarImage, ZipStore, is_litter
from compoclip.data.images.names import IMAGE_SUFFIXES, OTHER_IMAGES, walk
from compoclip.data.images.tars import MAX_TEXT_BYTES, tar_members
from compoclip.data.report import Report
from compoclip.data.sources.columns import (
    CAPTION_COLUMNS,
    SPLIT_COLUMNS,
    caption_list,
    same_split,
    split_name,
    tidy,
    usable_caption,
)
from compoclip.data.sources.rows import Reading, Record, SplitFilter
from compoclip.errors import InputError

NEGATIVES_EXTENSION = "negatives.json"  # what `negatives build --into-tars` adds to a sample
NEGATIVE_KEYS = ("negatives", "neg_captions", "neg_caption")
PLAIN = ("txt", "caption")
TEXTS = (NEGATIVES_EXTENSION, *PLAIN, "json")
IMAGES = tuple(suffix[1:] for suffix in (*IMAGE_SUFFIXES, *OTHER_IMAGES))

Files = Iterable[tuple[str, ImageRef]]  # names below a root, each with the file behind it


class ImageTextPair(NamedTuple):
    """A photo and its captions; `name` is that of its file, and `negatives` has one list a caption, or is None."""

    key: str
    name: str
    image: ImageRef
    captions: list[str]
    negatives: list[list[str]] | None


def split_key(name: str) -> tuple[str, str]:
    """(key, extension). A key may have dots (`IMG_1.0.png`); what has no extension known here ends at its first dot."""
    lower = name.lower()
    for extension in (*TEXTS, *IMAGES):
        if lower.endswith("." + extension):
            return name[: -len(extension) - 1], extension
    folder, _, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return (f"{folder}/{stem}" if folder else stem), extension.lower()


def tar_records(tars: Sequence[Path], reading: Reading) -> Iterator[Record]:
    """A record a sample. Raises InputError where a tar cannot be opened or none is of the split asked for."""
    keep = SplitFilter(reading, untold_too=True)
    for tar in of_split(tars, reading.options.split):
        for pair in tar_pairs(tar, reading, keep):
            name = free_name(pair.key, tar, reading.known)
            ids = reading.ids(name, len(pair.captions))
            yield Record(name, pair.image.where, pair.captions, ids, image=pair.image, negatives=pair.negatives)
    if reading.options.split is not None:
        keep.check(", ".join(map(str, tars[:3])))


def tar_pairs(tar: Path, reading: Reading, keep: SplitFilter | None = None) -> Iterator[ImageTextPair]:
    """Samples of one tar with at least one caption, in the order of their images; the rest is counted.

    Raises InputError where the tar cannot be opened.
    """
    if not tar.is_file():
        raise InputError(f"{tar}: no such file")
    files = ((member.name, TarImage(str(tar), *member)) for member in tar_members(tar, reading.report))

    def split_of(key: str) -> str:
        folder = key.partition("/")[0] if "/" in key else ""
        return folder if split_name(folder) else told_split(tar)

    return _pairs(files, reading, keep or SplitFilter(reading, untold_too=True), split_of, orphans=True)


def photo_records(root: Path, reading: Reading) -> Iterator[Record]:
    """A record a photo of a folder or zip, folders sorted by name; litter of operating systems is passed over.

    A split is the name of a folder at the top, or what a photo's JSON says. Linked folders are entered, loops are not.
    """
    keep = SplitFilter(reading)
    if root.is_dir():
        files: Files = ((name, FileImage(os.path.join(root, name))) for name in walk(root))
    else:
        files = list(ZipStore(root, report=reading.report).files())
        if not any(name.endswith(TEXTS) for name, _ in files):
            raise InputError(
                f"{root}: contains no images with .txt files; unpack it, or name the table of its captions"
            )
    for pair in _pairs(files, reading, keep, lambda key: key.partition("/")[0] if "/" in key else ""):
        ids = reading.ids(pair.name, len(pair.captions))
        yield Record(pair.name, pair.image.where, pair.captions, ids, image=pair.image, negatives=pair.negatives)
    if reading.options.split is not None or all(split_name(name) for name in keep.seen if name):
        keep.check(str(root))


def of_split(tars: Sequence[Path], split: str | None) -> list[Path]:
    """The shards of one split, where their names or folders tell it (`train-00000.tar`, `train/0.tar`); else all."""
    if split is None:
        return list(tars)
    chosen = [tar for tar in tars if same_split(told_split(tar), split)]
    return chosen or [tar for tar in tars if not told_split(tar)] or list(tars)


def told_split(tar: Path) -> str:
    """The split that the name of a tar, or of its folder, tells; "" for none."""
    word = tar.stem.replace("_", "-").partition("-")[0].rstrip("0123456789")
    return next((name for name in (word, tar.parent.name) if split_name(name)), "")


def free_name(key: str, tar: Path, taken: Callable[[str], bool]) -> str:
    """The image id of a sample: its key; with the tar's name, and then a number, where an earlier tar has used it."""
    name, repeat = key, 1
    while taken(name):
        name = f"{tar.stem}/{key}" if repeat == 1 else f"{tar.stem}/{key}~{repeat}"
        repeat += 1
    return name


def _pairs(
    files: Files, reading: Reading, keep: SplitFilter, split_of: Callable[[str], str], orphans: bool = False
) -> Iterator[ImageTextPair]:
    """Photos of the split with at least one caption. orphans: count texts without a photo (a folder has other ones)."""
    report = reading.report
    images: dict[str, tuple[str, ImageRef]] = {}
    texts: dict[str, dict[str, ImageRef]] = {}
    for name, file in files:
        key, extension = split_key(name)
        if is_litter(name):
            continue
        if extension in TEXTS:
            texts.setdefault(key, {})[extension] = file
        elif extension in IMAGES and key in images:
            report.skip("second image of the same key", file.where)
        elif extension in IMAGES:
            images[key] = name, file
    for key, (name, image) in images.items():
        found = texts.pop(key, {})
        if not keep(_told(found) or split_of(key)):
            continue
        report.rows += 1
        if name.lower().endswith(OTHER_IMAGES):
            report.skip("image of a format that is not read", image.where, "save it as JPEG or PNG")
            continue
        captions, negatives = captions_of(key, image.where, found, reading)
        if captions:
            yield ImageTextPair(key, name, image, captions, negatives)
    for found in texts.values() if orphans else ():
        report.skip("caption file without an image", next(iter(found.values())).where)


def _told(texts: Mapping[str, ImageRef]) -> str:
    """The split that a sample's JSON tells."""
    value = (_object(texts["json"], Report()) if "json" in texts else None) or {}
    return next((value[name] for name in SPLIT_COLUMNS if isinstance(value.get(name), str)), "")


def captions_of(
    key: str, where: str, texts: Mapping[str, ImageRef], reading: Reading
) -> tuple[list[str], list[list[str]] | None]:
    """Captions of a photo and their negatives, from its text files by extension; what cannot be used is counted.

    `caption` and `captions` of the JSON come first, then the text file, then other keys that may contain captions.
    """
    report, given = reading.report, reading.options.caption_key
    plain = next((texts[extension] for extension in PLAIN if extension in texts), None)
    if plain is None and "json" not in texts:
        report.skip("image without a caption file", where, f"no {key}.txt or {key}.json")
        return [], None
    values: list[object] = []
    negatives: object = None
    if "json" in texts and (value := _object(texts["json"], report)) is not None:
        where = texts["json"].where
        sure = (given,) if given else ("captions", "caption")
        keys = sure if plain or given else (*sure, *CAPTION_COLUMNS)
        try:
            values = next((caption_list(value[name]) for name in keys if value.get(name)), [])
        except ValueError as error:
            report.skip("bad list of captions", where, str(error))
            return [], None
        negatives = next((value[name] for name in NEGATIVE_KEYS if name in value), None)
    if not values and plain is not None:
        where = plain.where
        if (text := _body(plain, report)) is None:
            return [], None
        values = [line for line in text.splitlines() if line.strip()] or [""]
    if not values:
        report.skip("no caption", where, "no captions or caption in the JSON; name the key with --caption-key")
    usable = [usable_caption(value, where, report) for value in values]
    captions = [text for text in usable if text is not None]
    lists = _lists(negatives, len(values), where, report) if captions else None
    found = lists and [own for own, text in zip(lists, usable) if text is not None]
    if captions and NEGATIVES_EXTENSION in texts:
        found = _of_member(texts[NEGATIVES_EXTENSION], captions, report) or found
    return captions, found


def negatives_member(rows: Sequence[tuple[str, Sequence[Mapping[str, object]]]]) -> bytes:
    """What the member `KEY.negatives.json` has: the captions of a sample, each with its negatives (`text`, ...)."""
    captions = [{"caption": caption, "negatives": list(negatives)} for caption, negatives in rows]
    return json.dumps({"schema": 1, "captions": captions}, ensure_ascii=False).encode("utf-8", "replace")


def _of_member(member: ImageRef, captions: list[str], report: Report) -> list[list[str]] | None:
    """The negatives in a `KEY.negatives.json`, by the caption's text; None where it is broken (counted)."""
    value = _object(member, report)
    if value is None:
        return None
    try:
        known = {
            tidy(row["caption"]): _texts(n["text"] if isinstance(n, dict) else n for n in row["negatives"])
            for row in value["captions"]
        }
    except (KeyError, TypeError, AttributeError):
        report.skip("bad list of negatives", member.where, "captions, each with its negatives, expected")
        return None
    return [known.get(caption, []) for caption in captions]


def _lists(value: object, count: int, where: str, report: Report) -> list[list[str]] | None:
    """One list of negatives a caption; a flat list belongs to a single caption."""
    if value is None:
        return None
    lists = [value] if isinstance(value, list) and count == 1 and not any(isinstance(v, list) for v in value) else value
    if not isinstance(lists, list) or len(lists) != count or not all(isinstance(part, list) for part in lists):
        report.skip("bad list of negatives", where, f"one list for each of {count} captions expected")
        return None
    return [_texts(part) for part in lists]


def _texts(values: Iterable[object]) -> list[str]:
    return [text for text in values if isinstance(text, str) and text.strip()]


def _body(file: ImageRef, report: Report) -> str | None:
    try:
        size = getattr(file, "size", 0)  # an archive tells it without reading
        data = file.encoded() if size <= MAX_TEXT_BYTES else b""
        if max(size, len(data)) <= MAX_TEXT_BYTES:
            return data.decode("utf-8-sig")
        report.skip("caption file too large", file.where, f"over {MAX_TEXT_BYTES} bytes")
    except UnicodeDecodeError:
        report.skip("not UTF-8", file.where)
    except InputError as error:
        report.skip("caption file cannot be read", file.where, str(error))
    return None


def _object(file: ImageRef, report: Report) -> dict[str, Any] | None:
    text = _body(file, report)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        report.skip("bad JSON", file.where, str(error)[:80])
        return None
    if not isinstance(value, dict):
        report.skip("bad JSON", file.where, "not an object")
        return None
    return value
