"""JSON files: a list of objects, COCO's caption annotations, and Karpathy's split files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compoclip.data.report import Report
from compoclip.data.sources.base import existing_file
from compoclip.data.sources.jsonl import open_jsonl
from compoclip.data.sources.rows import Row, Table
from compoclip.errors import InputError
from compoclip.io import read_json


def open_json(path: str | Path) -> Table:
    """Open a JSON file as a table.

    A `.json` file that holds JSON lines is read as such. Raises InputError for other shapes.
    """
    path = existing_file(path)
    with open(path, "rb") as handle:
        start = handle.read(4096).lstrip(b"\xef\xbb\xbf \r\n\t")
    if start.startswith(b"{") and b"}\n{" in start.replace(b"\r", b""):
        return open_jsonl(path)
    value = read_json(path)
    rows = value
    if isinstance(value, dict):
        rows = _coco(value)
        if rows is None and value and all(isinstance(row, dict) for row in value.values()):
            rows = list(value.values())  # an object of rows by their number, as SugarCrepe's
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: neither a list of objects nor COCO's or Karpathy's captions")
    columns: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict):
            columns.update(dict.fromkeys(row))
    if not columns:
        raise InputError(f"{path}: the list holds no objects")
    return Table(path, list(columns), lambda report: _rows(path, rows, report))


def _rows(path: Path, rows: list[Any], report: Report) -> Iterator[Row]:
    for index, row in enumerate(rows):
        if isinstance(row, dict):
            yield Row(index + 1, index, row)
        else:
            report.rows += 1
            report.skip("bad JSON", f"{path}:{index + 1}", "not an object")


def _coco(value: dict[str, Any]) -> list[Any] | None:
    """COCO `{images, annotations}` or Karpathy `{images.

    [{filename, split, sentences}]}` as rows; None where it is neither.
    """
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
