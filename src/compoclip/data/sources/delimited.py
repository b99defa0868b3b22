"""TSV and CSV, as programs and people write them. One bad row costs one row: a stray quote swallows no line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from compoclip.data.report import Report
from compoclip.data.sources.base import existing_file
from compoclip.data.sources.rows import Table, TableRow
from compoclip.errors import InputError

MAX_JOINED = 50  # lines that one quoted cell may run over
BLOCK = 1 << 16
SEPARATORS = ("\t", ";", "|")  # beside the comma; looked for in this order where a header has no comma
_SEP_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # Excel's first line
_NAME = re.compile(r'"?(?:[^"]+\.(?:jpe?g|png|webp|bmp|gif|tiff?|avif|ppm)|\d+)"?', re.IGNORECASE)
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")
csv.field_size_limit(2**24)


def open_delimited(path: str | Path) -> Table:
    """Open a TSV or CSV file with a header line; commas, tabs, semicolons or bars separate, any line ends end lines.

    Raises InputError for an empty file, a header that is not UTF-8, or repeated columns.
    """
    path = existing_file(path)
    with _opened(path) as handle:
        lines = _Lines(handle)
        text = _header(path, lines)
        sep = _SEP_LINE.fullmatch(text)
        text = _header(path, lines) if sep else text
    if not text.strip() or "\x00" in text:
        raise InputError(f"{path}:{lines.number}: an empty or binary header; the first line must name the columns")
    delimiter = sep[1] if sep else _delimiter(path, text)
    columns = [cell.strip() for cell in _lenient(text, delimiter)]
    repeated = {column for column in columns if columns.count(column) > 1}
    if repeated:
        raise InputError(f"{path}:{lines.number}: the column {sorted(repeated)[0]!r} is there twice")
    return Table(path, columns, lambda report: _rows(path, columns, delimiter, lines.number, report))


def _opened(path: Path) -> TextIO:
    """The file as text; bytes that are not UTF-8 become half surrogate pairs, which are told line by line."""
    with open(path, "rb") as handle:
        head = handle.read(BLOCK)
    # old Macs, and Excel's "CSV (Macintosh)", end lines by a carriage return alone
    end = "\r" if b"\r" in head and b"\n" not in head else "\n"
    return open(path, encoding="utf-8-sig", errors="surrogateescape", newline=end)


def _is_text(line: str) -> bool:
    return line.isascii() or not _NOT_UTF_8.search(line)


def _header(path: Path, lines: _Lines) -> str:
    text = lines.take() or ""
    if text[:2] in ("\udcff\udcfe", "\udcfe\udcff"):
        raise InputError(f"{path}:1: UTF-16, as Excel's `Unicode text` is; save it as UTF-8 CSV")
    if not _is_text(text):
        raise InputError(f"{path}:1: the header is not UTF-8; convert the file first (iconv -t utf-8)")
    return text.rstrip("\r\n")


def _delimiter(path: Path, header: str) -> str:
    if "\t" in header:
        return "\t"
    if "," not in header:
        for mark in SEPARATORS:
            if mark in header:
                return mark
    return "\t" if path.suffix.lower() in (".tsv", ".tab") and "," not in header else ","


def _rows(path: Path, columns: list[str], delimiter: str, above: int, report: Report) -> Iterator[TableRow]:
    width, index = len(columns), 0
    with _opened(path) as handle:
        lines = _Lines(handle)
        for _ in range(above):
            lines.take()
        while (text := lines.take()) is not None:
            number = lines.number
            if not text.strip("\r\n \t"):
                continue
            cells = _record(text.rstrip("\r\n"), lines, delimiter, width) if _is_text(text) else None
            if cells is not None:
                yield TableRow(number, index, dict(zip(columns, cells)))
            elif _is_text(text):
                detail = f"{width} columns expected; put quotes around a text that contains {delimiter!r}"
                report.skip("ragged row", f"{path}:{number}", detail)
            else:
                report.skip("not UTF-8", f"{path}:{number}")
            report.rows += cells is None
            index += 1  # a broken row still has its place: NegCLIP's tables point at rows by number


class _Lines:
    """Lines of a file with look-ahead, so that a quoted cell can be tried over several lines and given up."""

    def __init__(self, handle: TextIO) -> None:
        self._source = iter(handle)
        self.ahead, self.number = list[str](), 0

    def take(self) -> str | None:
        line = self.ahead.pop(0) if self.ahead else next(self._source, "")
        self.number += 1
        return line or None

    def peek(self, k: int) -> str:
        while len(self.ahead) <= k:
            line = next(self._source, "")
            if not line:
                return ""
            self.ahead.append(line)
        return self.ahead[k]


def _record(text: str, lines: _Lines, delimiter: str, width: int) -> list[str] | None:
    """The cells of the record that starts with `text`, or None."""
    plain = text.split(delimiter)
    if '"' in text:
        cells, unclosed = _strict(text, delimiter)
        if cells is not None and len(cells) == width:
            return cells
        if unclosed:
            joined = _join(text, lines, delimiter, width, plain)
            if joined is not None:
                return joined
        elif cells is None and delimiter == ",":
            plain = _lenient(text, delimiter)  # `"so" he said, ...`
    return plain if len(plain) == width else None


def _lenient(text: str, delimiter: str) -> list[str]:
    """Parse cells as `csv` does by default; where it cannot (a bare CR, a cell over its limit), cut at the mark."""
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return text.split(delimiter)


def _strict(text: str, delimiter: str) -> tuple[list[str] | None, bool]:
    """Parse quoted cells strictly: (cells, False), or (None, whether a quote is still open at the end)."""
    try:
        return next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)), False
    except (csv.Error, StopIteration) as error:
        return None, "end of data" in str(error)


def _join(text: str, lines: _Lines, delimiter: str, width: int, opening: list[str]) -> list[str] | None:
    """The record whose quoted cell goes on over the next lines; None where the quote is a stray one.

    A line that is a row of its own, like the one that `opening` begins, is never part of a cell.
    """
    for k in range(MAX_JOINED):
        ahead = lines.peek(k)
        line = ahead.rstrip("\r\n")
        if not ahead or not _is_text(ahead) or _is_row(line.split(delimiter), width, opening, delimiter):
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


def _is_row(cells: list[str], width: int, opening: list[str], delimiter: str) -> bool:
    """Whether cells look like those of `opening`: a file's name or a number where it has one.

    Where it has neither, a single word before its quote must meet a single word; TSVs, whose makers seldom quote, need
    the right number of cells alone.
    """
    if len(cells) != width:
        return False
    names = [k for k, cell in enumerate(opening[:width]) if _NAME.fullmatch(cell.strip())]
    if names:
        return all(_NAME.fullmatch(cells[k].strip()) for k in names)
    if delimiter == "\t":
        return len(opening) == width
    quoted = next((k for k, cell in enumerate(opening) if '"' in cell), 0)
    words = [k for k in range(min(quoted, width)) if opening[k].strip() and " " not in opening[k].strip()]
    return bool(words) and all(cells[k].strip() and " " not in cells[k].strip() for k in words)
