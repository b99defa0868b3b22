"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from compoclip.data.report import Report
from compoclip.data.sources.base import existing_file
from compoclip.data.sources.rows import Row, Table
from compoclip.errors import InputError

PROBED = 100  # lines read to learn the columns


def open_jsonl(path: str | Path) -> Table:
    """Open a JSONL file.

    The columns are the keys of its first objects. Raises InputError where none of them is an object.
    """
    path = existing_file(path)
    columns: dict[str, None] = {}
    for count, row in enumerate(_rows(path, Report())):
        columns.update(dict.fromkeys(row.cells))
        if count + 1 >= PROBED:
            break
    if not columns:
        raise InputError(f"{path}: no JSON object found; a JSONL file has one object a line")
    return Table(path, list(columns), lambda report: _rows(path, report))


def _rows(path: Path, report: Report) -> Iterator[Row]:
    index = 0
    with open(path, "rb") as handle:
        for number, raw in enumerate(handle, start=1):
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if not raw.strip():
                continue
            reason, detail = "", ""
            try:
                value = json.loads(raw.decode("utf-8"))
                if not isinstance(value, dict):
                    reason, detail = "bad JSON", "not an object"
            except UnicodeDecodeError:
                reason = "not UTF-8"
            except (ValueError, RecursionError) as error:
                reason, detail = "bad JSON", str(error)[:80]
            if reason:
                report.rows += 1
                report.skip(reason, f"{path}:{number}", detail)
            else:
                yield Row(number, index, value)
            index += 1
