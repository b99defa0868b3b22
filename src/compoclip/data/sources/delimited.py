"""TSV and CSV. One bad row costs one row: a stray quote never swallows the lines after it."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from compoclip.data.report import Report
from compoclip.data.sources.base import existing_file
from compoclip.data.sources.rows import Row, Table
from compoclip.errors import InputError

MAX_JOINED = 50  # lines that one quoted cell may run over
csv.field_size_limit(2**24)


def open_delimited(path: str | Path) -> Table:
    """Open a TSV or CSV file with a header line.

    Raises InputError for an empty file, a header that is not UTF-8, or repeated columns.
    """
    path = existing_file(path)
    with open(path, "rb") as handle:
        header = handle.readline()
    try:
        text = header.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InputError(f"{path}:1: the header is not UTF-8; convert the file first (iconv -t utf-8)") from None
    if not text.strip() or "\x00" in text:
        raise InputError(f"{path}:1: an empty or binary header; the first line must name the columns")
    delimiter = _delimiter(path, text)
    columns = [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter))]
    repeated = {column for column in columns if columns.count(column) > 1}
    if repeated:
        raise InputError(f"{path}:1: the column {sorted(repeated)[0]!r} is there twice")
    return Table(path, columns, lambda report: _rows(path, columns, delimiter, report))


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab") or "\t" in header:
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _rows(path: Path, columns: list[str], delimiter: str, report: Report) -> Iterator[Row]:
    width, index = len(columns), 0
    with open(path, "rb") as handle:
        lines = _Lines(handle)
        lines.take()
        while (raw := lines.take()) is not None:
            number = lines.number
            if not raw.strip(b"\r\n \t"):
                continue
            cells, reason = _record(raw, lines, delimiter, width)
            if cells is None:
                report.rows += 1
                report.skip(reason, f"{path}:{number}", "" if reason == "not UTF-8" else f"{width} columns expected")
            else:
                yield Row(number, index, dict(zip(columns, cells)))
            index += 1  # a broken row still has its place: NegCLIP's tables point at rows by number


class _Lines:
    """Lines of a file with look-ahead, so that a quoted cell can be tried over several lines and given up."""

    def __init__(self, handle: BinaryIO) -> None:
        self.handle, self.ahead, self.number = handle, list[bytes](), 0

    def take(self) -> bytes | None:
        line = self.ahead.pop(0) if self.ahead else self.handle.readline()
        self.number += 1
        return line or None

    def peek(self, k: int) -> bytes:
        while len(self.ahead) <= k:
            line = self.handle.readline()
            if not line:
                return b""
            self.ahead.append(line)
        return self.ahead[k]


def _record(raw: bytes, lines: _Lines, delimiter: str, width: int) -> tuple[list[str] | None, str]:
    """The cells of the record that starts with `raw`, or (None, reason)."""
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return None, "not UTF-8"
    if '"' not in text:
        cells = text.split(delimiter)
        return (cells, "") if len(cells) == width else (None, "ragged row")
    cells_or_none, unclosed = _strict(text, delimiter)
    if cells_or_none is not None and len(cells_or_none) == width:
        return cells_or_none, ""
    plain = text.split(delimiter)
    if unclosed:
        joined = _join(text, lines, delimiter, width, len(plain) == width)
        if joined is not None:
            return joined, ""
    elif cells_or_none is None and delimiter == ",":
        plain = next(csv.reader([text], delimiter=delimiter))  # `"so" he said, ...`: the lenient reading
    return (plain, "") if len(plain) == width else (None, "ragged row")


def _strict(text: str, delimiter: str) -> tuple[list[str] | None, bool]:
    """Parse quoted cells strictly: (cells, False), or (None, whether a quote is still open at the end)."""
    try:
        return next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)), False
    except (csv.Error, StopIteration) as error:
        return None, "end of data" in str(error)


def _join(text: str, lines: _Lines, delimiter: str, width: int, alone: bool) -> list[str] | None:
    """The record whose quoted cell goes on over the next lines; None where the quote is a stray one.

    In a TSV, whose makers seldom quote, a line that could stand `alone` is joined only with lines that could not.
    """
    for k in range(MAX_JOINED):
        raw = lines.peek(k)
        try:
            line = raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            return None
        if not raw or (alone and delimiter == "\t" and len(line.split(delimiter)) == width):
            return None
        text += "\n" + line
        if '"' not in line:
            continue
        cells, unclosed = _strict(text, delimiter)
        if cells is not None and len(cells) == width:
            for _ in range(k + 1):
                lines.take()
            return cells
        if not unclosed:
            return None
    return None
