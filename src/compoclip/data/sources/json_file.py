"""JSON lines, and JSON files: a list of objects, COCO's caption annotations, and Karpathy's split files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from compoclip.data.report import Report
from compoclip.data.sources.base import existing_file
from compoclip.data.sources.rows import Table, TableRow
from compoclip.errors import InputError
from compoclip.io import parse_json, read_json

PROBED = 100  # lines read to learn the columns


def open_jsonl(path: str | Path) -> Table:
    """Open a JSONL file. The columns are the keys of its first objects. Raises InputError where none is an object."""
    path = existing_file(path)
    columns = _columns(row.cells for row in islice(_lines(path, Report()), PROBED))
    if not columns:
        raise InputError(f"{path}: no JSON object found; a JSONL file has one object a line")
    return Table(path, columns, lambda report: _lines(path, report))


def open_json(path: str | Path) -> Table:
    """Open a JSON file as a table.

    A `.json` file that contains JSON lines is read as such. Raises InputError for other shapes.
    """
    path = existing_file(path)
    with open(path, "rb") as handle:
        start = handle.read(4096).lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"{") and b"}\n{" in start.replace(b"\r", b""):
        return open_jsonl(path)
    rows = value = read_json(path)
    if isinstance(value, dict):
        rows = _coco(value)
        if rows is None and value and all(isinstance(row, dict) for row in value.values()):
            rows = list(value.values())  # an object of rows by their number, as SugarCrepe's
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: neither a list of objects nor COCO's or Karpathy's captions")
    if not (columns := _columns(rows)):
        raise InputError(f"{path}: the list contains no objects")
    return Table(path, columns, lambda report: _objects(path, enumerate(rows, 1), report))


def _columns(rows: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row))


def _objects(path: Path, rows: Iterable[tuple[int, Any]], report: Report) -> Iterator[TableRow]:
    """Rows of numbered values; a value that is no object, or an error in place of one, is counted."""
    for index, (number, value) in enumerate(rows):
        if isinstance(value, dict):
            yield TableRow(number, index, value)
            continue
        report.rows += 1
        if isinstance(value, UnicodeDecodeError):
            report.skip("not UTF-8", f"{path}:{number}")
        else:
            why = str(value)[:80] if isinstance(value, ValueError) else "not an object"
            report.skip("bad JSON", f"{path}:{number}", why)


def _lines(path: Path, report: Report) -> Iterator[TableRow]:
    def values() -> Iterator[tuple[int, Any]]:
        with open(path, "rb") as handle:
            for number, raw in enumerate(handle, start=1):
                try:
                    if raw.strip():
                        yield number, parse_json(raw.decode("utf-8-sig" if number == 1 else "utf-8"))
                except ValueError as error:  # of UTF-8 too
                    yield number, error

    return _objects(path, values(), report)


def _coco(value: dict[str, Any]) -> list[Any] | None:
    """COCO `{images, annotations}` or Karpathy `{images: [{filename, split, sentences}]}` as rows; None for others."""
    images, annotations = value.get("images"), value.get("annotations")
    if not isinstance(images, list):
        return None
    if isinstance(annotations, list):
        names = {_id(entry.get("id")): entry.get("file_name") for entry in images if isinstance(entry, dict)}
        return [
            {"file_name": names.get(_id(entry.get("image_id"))), "caption": entry.get("caption")}
            for entry in annotations
            if isinstance(entry, dict)
        ]
    return [_karpathy(entry) if isinstance(entry, dict) else entry for entry in images]


def _id(value: Any) -> str | int | None:
    """An image's id; None for what is none, so that its captions are counted as without image."""
    return value if isinstance(value, (str, int)) else None


def _karpathy(entry: dict[str, Any]) -> dict[str, Any]:
    name, folder = entry.get("filename") or entry.get("file_name"), entry.get("filepath")
    path = f"{folder}/{name}" if isinstance(folder, str) and folder and isinstance(name, str) else name
    split = "train" if entry.get("split") == "restval" else entry.get("split")  # the usual training set is both
    return {"image": path, "captions": entry.get("sentences") or entry.get("captions"), "split": split}
