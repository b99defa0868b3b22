"""Negatives in any form to any other: our own Parquet, and those of other people in `foreign`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.io import read_json
from compoclip.negatives.foreign import (
    CE_CLIP_KEYS,
    DEGLA_LEAST,
    image_of,
    read_ce_clip,
    read_degla,
    read_negclip,
    read_sugarcrepe,
    write_ce_clip,
    write_degla,
    write_negclip,
    write_sugarcrepe,
)
from compoclip.negatives.store import Row, iterate, read_shard, write_shard

READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "negclip": read_negclip,
    "degla": read_degla,
    "ce-clip": read_ce_clip,
    "sugarcrepe": read_sugarcrepe,
    "parquet": read_shard,
}
WRITERS: dict[str, Callable[..., Any]] = {
    "negclip": write_negclip,
    "degla": write_degla,
    "ce-clip": write_ce_clip,
    "sugarcrepe": write_sugarcrepe,
    "parquet": write_shard,
}


def iterate_format(path: str | Path, form: str | None = None) -> Iterator[Row]:
    """Rows of a file in one of the forms, recognised by its columns or keys where `form` is not given.

    A folder is read as a build of ours. Raises InputError for an unknown form, or a broken file or row, which it names.
    """
    path = Path(path)
    if path.is_dir():
        return iterate(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    form = form or _recognised(path)
    if form not in READERS:
        raise InputError(f"{path}: no form is called {form!r}; there are {', '.join(READERS)}")
    return READERS[form](path)


def read_format(path: str | Path, form: str | None = None) -> list[Row]:
    """What `iterate_format` gives, as a list."""
    return list(iterate_format(path, form))


def write_format(path: str | Path, rows: Iterable[Row], form: str) -> None:
    """Write rows (`store.iterate(folder)`, `read_format(path)`) in one of the forms."""
    if form not in WRITERS:
        raise InputError(f"no form is called {form!r}; there are {', '.join(WRITERS)}")
    WRITERS[form](Path(path), rows)


def convert(source: str | Path, out: str | Path, to: str, form: str | None = None) -> dict[str, int]:
    """Write what `source` holds into the file `out` in the form `to`; how much was read, and how much that form keeps.

    NegCLIP's and SugarCrepe's forms have no place for a caption without negatives, DeGLA's none for one with fewer
    than four. Raises InputError for bad input, and where `out` is a folder or `source` itself.
    """
    out = Path(out)
    if to not in WRITERS:
        raise InputError(f"no form is called {to!r}; there are {', '.join(WRITERS)}")
    if out.is_dir() or (out.exists() and out.samefile(source)):
        raise InputError(f"{out}: --out names a new file")
    read: Counter[str] = Counter()

    def counted() -> Iterator[Row]:
        for row in iterate_format(source, form):
            read["captions"] += 1
            read["negatives"] += len(row[2])
            kept = len(row[2]) >= {"degla": DEGLA_LEAST, "negclip": 1, "sugarcrepe": 1}.get(to, 0)
            read["captions_written"] += kept
            read["negatives_written"] += len(row[2]) * kept
            yield row

    write_format(out, counted(), to)
    return dict(read)


def _recognised(path: Path) -> str:
    if path.suffix in (".tsv", ".csv"):
        return "negclip"
    if path.suffix == ".npy":
        return "ce-clip"
    if path.suffix == ".parquet":
        return "parquet"
    value = read_json(path)
    rows = list(value.values()) if isinstance(value, dict) else value
    first: Any = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
    for key, form in (("enhanced", "degla"), ("negative_caption", "sugarcrepe"), ("negatives", "ce-clip")):
        if key in first:
            return form
    if any(key in first for key in CE_CLIP_KEYS):
        return "ce-clip"
    raise InputError(f"{path}: none of the known forms ({', '.join(READERS)}); name it with --from")


__all__ = ["READERS", "WRITERS", "convert", "image_of", "iterate_format", "read_format", "write_degla", "write_format"]
