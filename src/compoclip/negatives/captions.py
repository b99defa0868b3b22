"""Caption files in: TSV, CSV, JSONL, Parquet with a caption column found by name, or text with one caption a line."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compoclip.errors import InputError
from compoclip.negatives.engine import caption_key

CAPTION_COLUMNS = ("caption", "title", "text", "captions", "sentence", "raw", "original")
IMAGE_COLUMNS = ("image", "filepath", "image_path", "filename", "file_name", "image_id", "img", "path")
ID_COLUMNS = ("caption_id",)


class Caption(NamedTuple):
    """One caption: `image` is "" where the file names none; `others` are true captions of the same image."""

    caption_id: str
    text: str
    image: str
    others: tuple[str, ...]


def read_captions(
    inputs: str | Path | Sequence[str | Path], caption_key_: str | None = None, split: str | None = None
) -> tuple[list[Caption], dict[str, int]]:
    """Captions of one or more files, and how many rows were left out and why.

    A row whose caption is a list (JSONL, Parquet) counts once a caption. The id is the column `caption_id`, or the
    image with the number of the caption among the image's own, or a hash of the text; ids are unique.
    Raises InputError for a missing file, an unknown form, a file without a caption column, or one without captions.
    """
    paths = [Path(p) for p in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    rows: list[tuple[str, str, str]] = []  # id or "", text, image
    skipped = {"empty caption": 0, "other split": 0}
    for path in paths:
        for caption_id, texts, image, its_split in _rows(path, caption_key_):
            if split is not None and its_split != split:
                skipped["other split"] += 1
                continue
            for text in texts:
                clean = " ".join(str(text).split()) if text is not None else ""
                if not any(c.isalnum() for c in clean):
                    skipped["empty caption"] += 1
                    continue
                rows.append((caption_id if len(texts) == 1 else "", clean, image))
    if not rows:
        why = ", ".join(f"{n} with {reason}" for reason, n in skipped.items() if n) or "the file has no rows"
        raise InputError(f"{', '.join(map(str, paths))}: no captions ({why})")
    return _with_ids(rows), {reason: count for reason, count in skipped.items() if count}


def _with_ids(rows: list[tuple[str, str, str]]) -> list[Caption]:
    by_image: dict[str, list[str]] = {}
    for _, text, image in rows:
        if image:
            by_image.setdefault(image, []).append(text)
    number: dict[str, int] = {}
    used: set[str] = set()
    found = []
    for given, text, image in rows:
        if given:
            key = given
        elif image:
            key = f"{image}#{number.get(image, 0)}"
            number[image] = number.get(image, 0) + 1
        else:
            key = caption_key(text)
        unique, repeat = key, 1
        while unique in used:
            repeat += 1
            unique = f"{key}~{repeat}"
        used.add(unique)
        others = tuple(sorted({other for other in by_image.get(image, ()) if other != text})) if image else ()
        found.append(Caption(unique, text, image, others))
    return found


def content_hash(captions: Iterable[Caption]) -> str:
    """SHA-256 over ids, captions and images: what a build's output may depend on."""
    digest = hashlib.sha256()
    for caption in captions:
        digest.update("\x1f".join([caption.caption_id, caption.text, caption.image, ""]).encode())
    return digest.hexdigest()


def _rows(path: Path, caption_column: str | None) -> Iterator[tuple[str, list[Any], str, str]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file of captions")
    suffix = path.suffix.lower()
    if suffix == ".txt":
        for line in _lines(path):
            yield "", [line], "", ""
        return
    readers = {".tsv": _delimited, ".csv": _delimited, ".jsonl": _jsonl, ".json": _json, ".parquet": _parquet}
    if suffix not in readers:
        raise InputError(f"{path}: captions come as .tsv, .csv, .jsonl, .json, .parquet or .txt (one a line)")
    names: tuple[str, str | None, str | None] | None = None
    for row, record in readers[suffix](path):
        if names is None:
            column = caption_column or _named(record, CAPTION_COLUMNS)
            if column is None or column not in record:
                columns = ", ".join(map(str, record)) or "none"
                wanted = caption_column or "caption"
                raise InputError(f"{path}: no column {wanted!r} (it has {columns}); name it with --caption-key")
            names = column, _named(record, IMAGE_COLUMNS), _named(record, ID_COLUMNS)
        caption_name, image_name, id_name = names
        value = record.get(caption_name)
        texts = list(value) if isinstance(value, (list, tuple)) else [value]
        if any(isinstance(text, (dict, list)) for text in texts):
            raise InputError(
                f"{path} row {row}: column {caption_name!r} holds no text; name another with --caption-key"
            )
        image = record.get(image_name) if image_name else None
        own = record.get(id_name) if id_name else None
        yield (
            "" if own is None else str(own),
            texts,
            "" if image is None else str(image),
            str(record.get("split") or ""),
        )


def _named(record: dict[str, Any], names: Sequence[str]) -> str | None:
    lower = {str(key).lower(): key for key in record}
    return next((lower[name] for name in names if name in lower), None)


def _lines(path: Path) -> Iterator[str]:
    with open(path, encoding="utf-8", newline="") as handle:
        try:
            yield from (line.rstrip("\r\n") for line in handle)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _delimited(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    tab = path.suffix.lower() == ".tsv"
    reader = csv.DictReader(
        (line + "\n" for line in _lines(path)),
        delimiter="\t" if tab else ",",
        quoting=csv.QUOTE_MINIMAL,
    )
    for record in reader:
        record.pop(None, None)
        yield reader.line_num, record


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path} row {number}: not JSON ({error.msg}); one object a line is wanted") from None
        if not isinstance(record, dict):
            raise InputError(f"{path} row {number}: not a JSON object")
        yield number, record


def _json(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    from compoclip.io import read_json

    value = read_json(path)
    records = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: a list of objects is wanted")
    yield from enumerate(records, 1)


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    number = 0
    wanted = {*CAPTION_COLUMNS, *IMAGE_COLUMNS, *ID_COLUMNS, "split"}
    simple = [f.name for f in file.schema_arrow if not pa.types.is_struct(f.type) or f.name.lower() in wanted]
    for batch in file.iter_batches(batch_size=10_000, columns=simple):
        for record in batch.to_pylist():
            number += 1
            yield number, record
