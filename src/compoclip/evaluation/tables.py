"""Small tables beside benchmark images: TSV, CSV and JSON lines, read row by row with the row named in every error."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from compoclip.errors import InputError

SUFFIXES = (".tsv", ".csv", ".jsonl")


def read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, row) of a TSV or CSV with a header line, or of a JSON-lines file."""
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            text = handle.read()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from None
    if path.suffix == ".jsonl":
        yield from _json_lines(path, text.split("\n"))
        return
    dialect = csv.excel_tab if path.suffix == ".tsv" else csv.excel
    try:
        yield from list(_rows(text, dialect, csv.QUOTE_MINIMAL))
    except csv.Error as error:
        if dialect is csv.excel:
            raise InputError(f"{path}: broken table ({error}); write it with a CSV library or as TSV") from None
        # Tables written by hand have captions that begin with a quote and never close it: there it is only a letter.
        yield from _rows(text, dialect, csv.QUOTE_NONE)


def _rows(text: str, dialect: type[csv.Dialect], quoting: Literal[0, 3]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), dialect=dialect, strict=True, quoting=quoting)
    for row in reader:
        yield reader.line_num, row


def _json_lines(path: Path, handle: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(handle, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: line {number} is not valid JSON ({error.msg})") from None
        if not isinstance(row, dict):
            raise InputError(f"{path}: line {number} must be an object")
        yield number, row


def field(path: Path, number: int, row: dict[str, Any], names: Sequence[str]) -> Any:
    """The first of `names` that the row has. Raises InputError naming the line and the columns it has."""
    for name in names:
        if row.get(name) not in (None, ""):
            return row[name]
    have = ", ".join(str(k) for k in row)
    raise InputError(f"{path}: line {number} has no {' or '.join(names)} (its columns: {have})")


def read_lines(path: Path) -> list[str]:
    """Non-empty lines of a text file, without a comment sign's lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from None
    return [line.rstrip("\r") for line in text.split("\n") if line.strip() and not line.startswith("#")]
