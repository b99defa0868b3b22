"""Caption files in, one caption at a time: tables with a caption column found by name, webdataset tars, plain lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from compoclip.data.report import Report
from compoclip.data.sources.columns import caption_list
from compoclip.data.sources.delimited import open_delimited
from compoclip.data.sources.json_file import open_json
from compoclip.data.sources.rows import Options
from compoclip.data.sources.shards import expand, is_pattern
from compoclip.data.sources.webdataset import free_name, of_split, tar_samples
from compoclip.errors import InputError
from compoclip.negatives.table import Caption, CaptionTable

CAPTION_COLUMNS = ("caption", "title", "text", "captions", "sentence", "raw", "original")
IMAGE_COLUMNS = ("image", "filepath", "image_path", "filename", "file_name", "image_id", "img", "path")
ID_COLUMNS = ("caption_id",)
TABLE_SUFFIXES = (".tsv", ".csv", ".jsonl", ".json", ".parquet")


class _Record(NamedTuple):
    """One row of a file; `split` None where the reader has chosen by it already."""

    caption_id: str
    texts: Sequence[Any]
    image: str
    split: str | None


def read_captions(
    inputs: str | Path | Sequence[str | Path], caption_key: str | None = None, split: str | None = None
) -> tuple[list[Caption], dict[str, int]]:
    """All captions of one or more files, for sets that fit in memory, and how many rows were left out and why.

    Raises what `caption_rows` raises.
    """
    skipped: Counter[str] = Counter()
    with CaptionTable() as table:
        table.fill(caption_rows(inputs, skipped, caption_key, split, table.has_image))
        return table.part(0, len(table)), dict(skipped)


def caption_rows(
    inputs: str | Path | Sequence[str | Path],
    skipped: Counter[str],
    caption_key: str | None = None,
    split: str | None = None,
    taken: Callable[[str], bool] = lambda name: False,
) -> Iterator[tuple[str, str, str]]:
    """(id or "", caption, image or "") of every caption in the files, in order; `skipped` counts what is left out.

    A row whose caption is a list counts once a caption, and its id is not used. taken: which images have come before,
    for tars that use a key again. Files are read as they go, but a JSON file is read whole.
    Raises InputError for a missing file, an unknown form, a file without a caption column, or one without captions.
    """
    paths = input_files(inputs)
    found = False
    for caption_id, texts, image, its_split in _records(paths, skipped, caption_key, split, taken):
        if split is not None and its_split is not None and its_split != split:
            skipped["other split"] += 1
            continue
        for text in texts:
            clean = said(text)
            if not clean:
                skipped["empty caption"] += 1
                continue
            found = True
            yield _plain(caption_id) if len(texts) == 1 else "", clean, _plain(image)
    if not found:
        why = ", ".join(f"{n} with {reason}" for reason, n in skipped.items() if n) or "the file has no rows"
        raise InputError(f"{', '.join(map(str, paths[:5]))}: no captions ({why})")


def input_files(inputs: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files that names, patterns (`{000..009}.tar`, globs) and folders stand for, a folder as training takes it.

    Raises InputError for a missing shard and for a folder without `captions.*` and tars.
    """
    names = [inputs] if isinstance(inputs, (str, Path)) else inputs
    return [path for name in names for path in _named_files(str(name))]


def _named_files(name: str) -> list[Path]:
    if is_pattern(name):
        return expand(name)
    folder = Path(name)
    if not folder.is_dir():
        return [folder]
    tables = [folder / f"captions{suffix}" for suffix in TABLE_SUFFIXES if (folder / f"captions{suffix}").is_file()]
    tars = sorted(folder.glob("*.tar"))
    if len(tables) > 1 or not (tables or tars):
        found = f"{tables[0].name} and {tables[1].name}" if tables else "neither captions.* nor tars"
        raise InputError(f"{folder}: holds {found}; name the file of captions")
    return tables or tars


def tars_among(paths: Sequence[Path]) -> bool:
    """Are the inputs webdataset tars? Raises InputError where some are and some are not."""
    others = [path for path in paths if path.suffix.lower() != ".tar"]
    if others and len(others) < len(paths):
        raise InputError(f"{others[0]}: tars and other files do not go together; build them into two folders")
    return not others


def said(text: object) -> str:
    """A caption as it is kept, on one line; "" for one that says nothing."""
    clean = _plain(" ".join(str(text).split())) if text is not None else ""
    return clean if any(c.isalnum() for c in clean) else ""


def _plain(text: str) -> str:
    """Half a surrogate pair, which JSON can spell and no file can hold, becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _records(
    paths: list[Path], skipped: Counter[str], caption_key: str | None, split: str | None, taken: Callable[[str], bool]
) -> Iterator[_Record]:
    if not tars_among(paths):
        for path in paths:
            yield from _rows(path, caption_key, skipped)
        return
    options = Options(caption_key=caption_key, split=split)
    for path in of_split(paths, options):
        report = Report()
        for sample in tar_samples(path, report, options):
            yield _Record("", sample.captions, free_name(sample.key, path, taken), None)
        skipped.update(report.skipped)


def _rows(path: Path, caption_column: str | None, skipped: Counter[str]) -> Iterator[_Record]:
    if not path.is_file():
        raise InputError(f"{path}: no such file of captions")
    suffix = path.suffix.lower()
    if suffix == ".txt":
        for line in _lines(path):
            yield _Record("", [line], "", "")
        return
    if suffix not in TABLE_SUFFIXES:
        raise InputError(f"{path}: captions come as .tsv, .csv, .jsonl, .json, .parquet, .tar or .txt (one a line)")
    names: tuple[str, str | None, str | None] | None = None
    report = Report()
    readers = {".jsonl": _jsonl, ".json": _json, ".parquet": _parquet}
    for row, record in readers[suffix](path) if suffix in readers else _delimited(path, report):
        if names is None:
            column = caption_column or _named(record, CAPTION_COLUMNS)
            if column is None or column not in record:
                columns = ", ".join(map(str, record)) or "none"
                wanted = caption_column or "caption"
                raise InputError(f"{path}: no column {wanted!r} (it has {columns}); name it with --caption-key")
            names = column, _named(record, IMAGE_COLUMNS), _named(record, ID_COLUMNS)
        caption_name, image_name, id_name = names
        value = record.get(caption_name)
        texts = caption_list(value, False)
        if any(isinstance(text, (dict, list)) for text in texts):
            raise InputError(
                f"{path} row {row}: column {caption_name!r} holds no text; name another with --caption-key"
            )
        image = record.get(image_name) if image_name else None
        own = record.get(id_name) if id_name else None
        yield _Record(
            "" if own is None else str(own),
            texts,
            "" if image is None else str(image),
            str(record.get("split") or ""),
        )
    skipped.update(report.skipped)


def _named(record: dict[str, Any], names: Sequence[str]) -> str | None:
    lower = {str(key).lower(): key for key in record}
    return next((lower[name] for name in names if name in lower), None)


def _lines(path: Path) -> Iterator[str]:
    with open(path, encoding="utf-8-sig", newline="") as handle:
        try:
            yield from (line.rstrip("\r\n") for line in handle)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _delimited(path: Path, report: Report) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in open_delimited(path).rows(report):
        yield row.number, row.cells


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
    if isinstance(value, dict) and isinstance(value.get("images"), list):  # COCO's and Karpathy's files
        yield from ((row.number, row.cells) for row in open_json(path).rows(Report()))
        return
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
    # photos inside the file (binary, or a struct of bytes and path) are not read along
    columns = [
        field.name
        for field in file.schema_arrow
        if not (
            pa.types.is_struct(field.type) or pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
        )
    ]
    for batch in file.iter_batches(batch_size=4096, columns=columns):
        for record in batch.to_pylist():
            number += 1
            yield number, record
