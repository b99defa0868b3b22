"""Images and labels in Parquet and Arrow files, as the Hugging Face hub and `save_to_disk` lay them out.

Tables are read without their images; an image is decoded when it is asked for, a row group at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from compoclip.data.images import ImageRef
from compoclip.data.images.refs import MAX_IMAGE_BYTES, file_stamp
from compoclip.data.report import Report
from compoclip.errors import InputError

IMAGE_PARTS = ("image", "img", "photo", "picture", "jpg", "jpeg", "png", "webp")
BATCH_ROWS = 4096
KEPT = 4  # row groups of images held at once: the loader reads in order, from at most two columns


def split_files(folder: Path, split: str) -> list[Path]:
    """The files of a split, in order; [] where there are none. Raises InputError where two configurations have it."""
    patterns = (
        f"{split}-*.parquet",
        f"{split}.parquet",
        f"data/{split}-*.parquet",
        f"data/{split}.parquet",
        f"{split}/*.parquet",
        f"*/{split}-*.parquet",
        f"*/{split}/*.parquet",
        f"{split}/data-*.arrow",
    )
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            folders = sorted({str(path.parent) for path in found})
            if len(folders) > 1:
                raise InputError(f"{folder}: {', '.join(folders[:3])} all hold a split {split}; keep the one you mean")
            return found
    return []


def _features(schema: Any) -> dict[str, Any]:
    """What Hugging Face notes of the columns."""
    metadata = (schema.metadata or {}).get(b"huggingface")
    try:
        return dict(json.loads(metadata)["info"]["features"]) if metadata else {}
    except (ValueError, KeyError, TypeError):
        return {}


class ColumnarTable:
    """Several Parquet or Arrow files as one table of `rows` rows. Raises InputError for a file that cannot be read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        open_part.cache_clear()  # a file may have changed since it was last opened
        _kept.clear()
        self._parts = [open_part(str(path)) for path in paths]
        self.where = str(paths[0].parent)
        self.rows = sum(part.rows for part in self._parts)
        self.columns: list[str] = list(self._parts[0].schema.names)
        self.features = _features(self._parts[0].schema)
        for part in self._parts:
            if list(part.schema.names) != self.columns:
                raise InputError(f"{part.path}: its columns differ from those of {self._parts[0].path}")

    def column(self, *names: str) -> str:
        """The first of `names` that is a column. Raises InputError with the columns there are."""
        for name in names:
            if name in self.columns:
                return name
        raise InputError(f"{self.where}: no column {' or '.join(names)} (its columns: {', '.join(self.columns)})")

    def class_names(self, name: str) -> list[str] | None:
        """Label names in index order, where the file says them (Hugging Face's ClassLabel, alone or in a list)."""
        feature = self.features.get(name)
        while isinstance(feature, (dict, list)):
            if isinstance(feature, list):
                feature = feature[0] if feature else None
                continue
            names = feature.get("names")
            if isinstance(names, dict):  # {"0": "airplane", ...}, as older exports write them
                names = [names[key] for key in sorted(names, key=int)]
            if isinstance(names, list):
                return [str(n) for n in names]
            feature = feature.get("feature") or feature.get("class_label")
        return None

    def image_columns(self) -> tuple[str, ...]:
        """Columns that hold images: bytes beside a path, or bytes under a name that says so."""
        import pyarrow as pa

        def holds(field: Any) -> bool:
            if pa.types.is_struct(field.type):
                return bool(field.type.get_field_index("bytes") >= 0)
            bare = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
            return bool(bare and any(part in field.name.lower() for part in IMAGE_PARTS))

        return tuple(field.name for field in self._parts[0].schema if holds(field))

    def place(self, row: int) -> tuple[Path, int]:
        """The file that contains a row, and the row's number in it."""
        for part in self._parts:
            if row < part.rows:
                return part.path, row
            row -= part.rows
        raise InputError(f"{self.where}: it has only {self.rows} rows")

    def cell(self, name: str, row: int) -> Any:
        """One cell as a Python object; rows are read a row group at a time, so ask in order."""
        path, inside = self.place(row)
        return open_part(str(path)).cell(name, inside)

    def values(self, name: str) -> list[Any]:
        """A column of light values, as Python objects."""
        return [value for part in self._parts for group in part.groups for value in objects(part.column(name, group))]

    def image_paths(self, name: str) -> list[str | None]:
        """The paths beside the bytes of an image column, None where there is none."""
        kind = self._parts[0].schema.field(name).type
        if not hasattr(kind, "get_field_index") or kind.get_field_index("path") < 0:
            return [None] * self.rows
        return [path if isinstance(path, str) else None for path in self.values(f"{name}.path")]

    def present(self, name: str) -> list[bool]:
        """Where an image cell contains something."""
        kind = self._parts[0].schema.field(name).type
        leaf = f"{name}.bytes" if hasattr(kind, "get_field_index") and kind.get_field_index("bytes") >= 0 else name
        return [
            bool(there)
            for part in self._parts
            for group, size in enumerate(part.sizes)
            for there in ([True] * size if part.full(leaf, group) else part.column(leaf, group).is_valid().to_pylist())
        ]

    def batches(self, names: Sequence[str], report: Report) -> Iterator[tuple[int, dict[str, list[Any]]]]:
        """(first row, cells by column) of all rows, some thousands at a time; broken row groups are counted."""
        start = 0
        for part in self._parts:
            for group, size in enumerate(part.sizes):
                try:
                    columns = {name: part.column(name, group) for name in names}
                except InputError as error:
                    report.skip("broken row group", f"{part.path}: row group {group}", f"{size} rows lost ({error})")
                    columns = {}
                for first in range(0, size if columns else 0, BATCH_ROWS):
                    yield start + first, {name: objects(c[first : first + BATCH_ROWS]) for name, c in columns.items()}
                start += size

    def image_refs(self, name: str, rotate: bool = True) -> list[CellImage | None]:
        """A column of images, None where a cell is empty; nothing is decoded yet."""
        places = map(self.place, range(self.rows))
        return [
            CellImage(str(path), name, row, rotate=rotate) if there else None
            for (path, row), there in zip(places, self.present(name))
        ]


@dataclass(frozen=True)
class CellImage(ImageRef):
    """An image inside a table: a cell of bytes, of `{bytes, path}`, or (`item` 0, 1, ...) of a list of these."""

    path: str
    column: str
    row: int
    item: int = -1
    name: str = ""

    @property
    def where(self) -> str:
        item = "" if self.item < 0 else f" {self.item}"
        return f"{self.path}: row {self.row}, {self.column}{item}" + (f"/{self.name}" if self.name else "")

    @property
    def _key(self) -> str:
        return f"cell:{Path(self.path).resolve()}:{self.column}:{self.row}:{self.item}"

    @property
    def stamp(self) -> str:
        return file_stamp(self.path)

    def encoded(self) -> bytes:
        cell = open_part(self.path).cell(self.column, self.row)
        return self.bytes_of(cell if self.item < 0 else cell[self.item])

    def bytes_of(self, cell: Any) -> bytes:
        """The image in a cell that has been read. Raises InputError where it contains none."""
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(data, bytes) or not data:
            raise InputError(f"{self.where}: the cell contains no image bytes; export the table with its images inside")
        if len(data) > MAX_IMAGE_BYTES:
            raise InputError(f"{self.where}: {len(data)} bytes is over the limit of {MAX_IMAGE_BYTES}")
        return data


@lru_cache(maxsize=64)
def open_part(path: str) -> TableFile:
    """A Parquet or Arrow file."""
    return _parquet(Path(path)) if path.endswith(".parquet") else _arrow(Path(path))


_kept: dict[tuple[str, str, int], Any] = {}  # row groups of images that were read last, by any reference into a file
_lock = Lock()


@dataclass(frozen=True)
class TableFile:
    """One file of a table, in row groups of `sizes` rows. `full`: is it known without reading that none is empty?"""

    path: Path
    schema: Any
    sizes: list[int]
    read: Callable[[str, int], Any]  # a table of one column, or of one field (`image.path`) of it, of one row group
    full: Callable[[str, int], bool] = lambda name, group: False

    @property
    def rows(self) -> int:
        return sum(self.sizes)

    @property
    def groups(self) -> range:
        return range(len(self.sizes))

    def column(self, name: str, group: int) -> Any:
        """A column of one row group, or a field of it (`NAME.path`). Raises InputError where it is broken."""
        import pyarrow as pa
        import pyarrow.compute as pc

        try:
            column = self.read(name, group).column(0)
            if len(column) != self.sizes[group]:
                raise pa.ArrowInvalid(f"{len(column)} rows in place of {self.sizes[group]}")
            leaf = "" if name in self.schema.names else name.rpartition(".")[2]
            return pc.struct_field(column, leaf) if leaf and pa.types.is_struct(column.type) else column
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            why = str(error).splitlines()[0]
            raise InputError(f"{self.path}: column {name} is broken ({why})") from None

    def cell(self, name: str, row: int) -> Any:
        """One cell as a Python object."""
        group, inside = 0, row
        while inside >= self.sizes[group]:
            inside -= self.sizes[group]
            group += 1
        key = (str(self.path), name, group)
        with _lock:  # several threads read images; each row group is read once
            if key not in _kept:
                while len(_kept) >= KEPT:
                    _kept.pop(next(iter(_kept)))
                _kept[key] = self.column(name, group)
            column = _kept[key]
        return objects(column[inside : inside + 1])[0]


def objects(column: Any) -> list[Any]:
    """A column as Python objects; a text that is not UTF-8 is None, which costs its own row."""
    try:
        found: list[Any] = column.to_pylist()
        return found
    except UnicodeDecodeError:
        return [None] if len(column) == 1 else [objects(column[k : k + 1])[0] for k in range(len(column))]


def _parquet(path: Path) -> TableFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema, meta = file.schema_arrow, file.metadata
            list(schema.names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]}); fetch it again") from None

    def read(name: str, group: int) -> Any:
        with pq.ParquetFile(path, metadata=meta) as file:
            return file.read_row_group(group, columns=[name])

    def full(name: str, group: int) -> bool:
        row_group = meta.row_group(group)
        chunks = (row_group.column(index) for index in range(row_group.num_columns))
        try:
            found = next((chunk.statistics for chunk in chunks if chunk.path_in_schema == name), None)
        except UnicodeDecodeError:  # another column's name is damaged: the cells will tell
            return False
        return found is not None and found.has_null_count and found.null_count == 0

    return TableFile(path, schema, [meta.row_group(group).num_rows for group in range(meta.num_row_groups)], read, full)


def _arrow(path: Path) -> TableFile:
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not an Arrow stream ({str(error).splitlines()[0]}); save it again") from None
    batches = table.to_batches()

    def read(name: str, group: int) -> Any:
        root = name if name in table.schema.names else name.rpartition(".")[0]
        return pa.table({root: batches[group].column(root)})

    return TableFile(path, table.schema, [batch.num_rows for batch in batches], read)
