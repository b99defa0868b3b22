"""Small tables beside benchmark images, in every form that training reads, with the row named in every error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from compoclip.data.report import Report
from compoclip.data.sources.opening import open_table
from compoclip.data.sources.rows import Options
from compoclip.errors import InputError


def read_table(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, row) of a table of a benchmark, in any dialect that training reads.

    Nothing is passed over here: InputError for the first row that cannot be used, naming its line.
    """
    report = Report()
    for row in open_table(path, Options()).rows(report):
        report.refuse()
        yield row.number, row.cells
    report.refuse()


def field(path: Path, number: int, row: dict[str, Any], names: Sequence[str]) -> Any:
    """The first of `names` that the row has. Raises InputError naming the line and the columns it has."""
    for name in names:
        if row.get(name) not in (None, ""):
            return row[name]
    have = ", ".join(str(k) for k in row)
    raise InputError(f"{path}: line {number} has no {' or '.join(names[:4])} (its columns: {have})")


def read_lines(path: Path) -> list[str]:
    """Non-empty lines of a text file, without blanks around them and without a comment sign's lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); save it as UTF-8") from None
    return [line.strip() for line in text.split("\n") if line.strip() and not line.startswith("#")]
