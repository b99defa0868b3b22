"""Where benchmarks and their images are looked for below a data root, with one message that tells every place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.hf_copies import rows_in
from compoclip.evaluation.images import ImageRef, Store, Stores, beside, open_store
from compoclip.evaluation.tables import read_table
from compoclip.evaluation.task import DataMissing
from compoclip.io import read_json


def find_files(task: str, root: Path, folders: Sequence[str], names: Iterable[str]) -> dict[str, Path]:
    """The files of the first folder that has any of `names`. Raises DataMissing with every place looked at."""
    names = list(names)
    for folder in folders:
        found = {name: root / folder / name for name in names if (root / folder / name).is_file()}
        if found:
            return found
    looked = ", ".join(str(root / folder) for folder in folders)
    raise DataMissing(
        f"{task}: none of {', '.join(names[:4])}{' …' if len(names) > 4 else ''} found; looked in {looked}"
    )


def find_images(task: str, root: Path, stems: Sequence[str], wanted: Sequence[str]) -> Store:
    """The places that hold any of the wanted images, together, searched in order.

    A place is a folder, .tar or .zip at a stem; folders that a stem with `*` matches count as one place.
    Raises DataMissing with every place looked at.
    """
    places = [store for stem in stems if (store := _store(root, stem)) is not None]
    found = [store for store in places if any(store.get(name) for name in wanted)]
    if found:
        return found[0] if len(found) == 1 else Stores(found)
    looked = ", ".join(str(root / stem) for stem in stems)
    example = wanted[0] if wanted else "(none named)"
    raise DataMissing(f"{task}: no image such as {example} found; looked for a folder, .tar or .zip at {looked}")


def _store(root: Path, stem: str) -> Store | None:
    if "*" in stem:
        folders = [p for p in sorted(root.glob(stem)) if p.is_dir()]
        return Stores([open_store(p) for p in folders]) if folders else None
    place = beside(root / stem)
    return None if place is None else open_store(place)


_absent: ContextVar[dict[str, None] | None] = ContextVar("absent", default=None)


@contextmanager
def noting_absent() -> Iterator[dict[str, None]]:
    """Collects the names of images that readers look for and do not find, in order (for `data check`)."""
    names: dict[str, None] = {}
    token = _absent.set(names)
    try:
        yield names
    finally:
        _absent.reset(token)


def note_absent(name: str) -> None:
    noted = _absent.get()
    if noted is not None:
        noted[name] = None


def renamed(name: str, instead: Mapping[str, str] | None) -> str:
    """`name` with another suffix, where `instead` has one for its own (`{".png": ".jpg"}`)."""
    path = PurePosixPath(name)
    return str(path.with_suffix(instead.get(path.suffix, path.suffix))) if instead else name


class Finder:
    """Looks images up once each, and notes those that are not there. `instead` names suffixes that stand for others."""

    def __init__(self, store: Store, instead: Mapping[str, str] | None = None) -> None:
        self.store = store
        self.instead = instead
        self._known: dict[str, ImageRef | None] = {}

    def __call__(self, name: str) -> ImageRef | None:
        if name not in self._known:
            self._known[name] = self.store.get(name) or self.store.get(renamed(name, self.instead))
            if self._known[name] is None:
                note_absent(name)
        return self._known[name]


def rows_of(path: Path, listed: Sequence[str] = ()) -> list[tuple[str, dict[str, Any]]]:
    """(place, row) of a JSON list or object of objects, JSON lines, CSV, TSV, Parquet; the place names the file.

    `listed` names the columns where a row of a JSON list is a list itself. Raises InputError naming a bad row.
    """
    if path.suffix in (".jsonl", ".csv", ".tsv"):
        return [(f"{path}: line {number}", row) for number, row in read_table(path)]
    if path.suffix == ".parquet":
        return [(f"{path}: {where}", row) for where, row in rows_in([path])]
    table = read_json(path)
    if not isinstance(table, (dict, list)):
        raise InputError(f"{path}: must be a list of rows, or an object of rows by id")
    pairs = table.items() if isinstance(table, dict) else enumerate(table)
    rows = []
    for key, row in pairs:
        if listed and isinstance(row, list) and len(row) == len(listed):
            row = dict(zip(listed, row))
        if not isinstance(row, dict):
            what = "an object" + (f", or a list of {', '.join(listed)}" if listed else "")
            raise InputError(f"{path}: row {key} must be {what}")
        rows.append((f"{path}: row {key}", row))
    return rows


def texts(where: str, row: Mapping[str, Any], *names: str) -> list[str]:
    """Fields of a row that must be texts. Raises InputError naming the row and the fields it needs."""
    values = [row.get(name) for name in names]
    if not all(isinstance(v, str) and v for v in values):
        raise InputError(f"{where} needs the texts {', '.join(names)} (it has {', '.join(map(str, row))})")
    return [str(v) for v in values]


def box(where: str, row: Mapping[str, Any], *names: str) -> tuple[int, int, int, int]:
    """Four whole numbers of a row. Raises InputError naming the row."""
    try:
        x, y, width, height = (int(float(row[name])) for name in names)
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{where} needs the numbers {', '.join(names)}") from None
    return x, y, width, height
