"""Images and labels in Parquet and Arrow files, as the Hugging Face hub and `save_to_disk` lay them out.

Tables are read without their images; an image is decoded when it is asked for, a row group at a time.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
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


class ColumnarTable:
    """Several Parquet or Arrow files as one table of `rows` rows. Raises InputError for a file that cannot be read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        open_part.cache_clear()  # a file may have changed since it was last opened
        _kept.clear()
        self._parts = [open_part(str(path)) for path in paths]
        self.where = str(paths[0].parent)
        self.rows = sum(part.rows for part in self._parts)
        self.columns: list[str] = self._parts[0].columns
        self.features: dict[str, Any] = self._parts[0].features
        for part in self._parts:
            if part.columns != self.columns:
                raise InputError(f"{part.path}: its columns differ from those of {self._parts[0].path}")

    def column(self, *names: str) -> str:
        """The first of `names` that is a column. Raises InputError with the columns there are."""
        for name in names:
            if name in self.columns:
                return name
        raise InputError(f"{self.where}: no column {' or '.join(names)} (its columns: {', '.join(self.columns)})")

    def values(self, name: str) -> list[Any]:
        """A column of light values, as Python objects."""
        return [value for part in self._parts for value in part.values(name)]

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

    def cell(self, name: str, row: int) -> Any:
        """One cell as a Python object; rows are read a row group at a time, so ask in order."""
        for part in self._parts:
            if row < part.rows:
                return part.cell(name, row)
            row -= part.rows
        raise InputError(f"{self.where}: it has only {self.rows} rows")

    def image_columns(self) -> tuple[str, ...]:
        """Columns that hold images: bytes beside a path, or bytes under a name that says so."""
        import pyarrow as pa

        def holds(field: Any) -> bool:
            if pa.types.is_struct(field.type):
                return field.type.get_field_index("bytes") >= 0
            bare = pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
            return bool(bare and any(part in field.name.lower() for part in IMAGE_PARTS))

        return tuple(field.name for field in self._parts[0].schema if holds(field))

    def image_paths(self, name: str) -> list[str | None]:
        """The paths beside the bytes of an image column, None where there is none."""
        return [path for part in self._parts for path in part.image_paths(name)]

    def present(self, name: str) -> list[bool]:
        """Where an image cell holds something."""
        return [there for part in self._parts for there in part.present(name)]

    def batches(self, names: Sequence[str], report: Report) -> Iterator[tuple[int, dict[str, list[Any]]]]:
        """(first row, cells by column) of all rows, some thousands at a time; broken row groups are counted."""
        start = 0
        for part in self._parts:
            for first, cells in part.batches(names, report):
                yield start + first, cells
            start += part.rows

    def place(self, row: int) -> tuple[Path, int]:
        """The file that holds a row, and the row's number in it."""
        for part in self._parts:
            if row < part.rows:
                return part.path, row
            row -= part.rows
        raise InputError(f"{self.where}: it has only {self.rows} rows")

    def pictures(self, name: str, rotate: bool = True) -> list[CellImage | None]:
        """A column of images, None where a cell is empty; nothing is decoded yet."""
        return [
            CellImage(str(part.path), name, row, rotate=rotate) if there else None
            for part in self._parts
            for row, there in enumerate(part.present(name))
        ]


def _features(schema: Any) -> dict[str, Any]:
    metadata = (schema.metadata or {}).get(b"huggingface")
    try:
        return dict(json.loads(metadata)["info"]["features"]) if metadata else {}
    except (ValueError, KeyError, TypeError):
        return {}


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
        """The image in a cell that has been read. Raises InputError where it holds none."""
        data = cell.get("bytes") if isinstance(cell, dict) else cell
        if not isinstance(data, bytes) or not data:
            raise InputError(f"{self.where}: the cell holds no image bytes; export the table with its images inside")
        if len(data) > MAX_IMAGE_BYTES:
            raise InputError(f"{self.where}: {len(data)} bytes is over the limit of {MAX_IMAGE_BYTES}")
        return data


@lru_cache(maxsize=64)
def open_part(path: str) -> _Part:
    """A Parquet or Arrow file."""
    return _Parquet(Path(path)) if path.endswith(".parquet") else _Arrow(Path(path))


_kept: dict[tuple[str, str, int], Any] = {}  # row groups of images that were read last, by any reference into a file
_lock = Lock()


class _Part(ABC):
    """One file of a table, in row groups of `sizes` rows."""

    def __init__(self, path: Path, schema: Any, sizes: Sequence[int]) -> None:
        self.path, self.schema, self.sizes, self.rows = path, schema, list(sizes), sum(sizes)
        self.columns, self.features = list(schema.names), _features(schema)

    @abstractmethod
    def table(self, names: Sequence[str], group: int) -> Any:
        """Columns of one row group; `NAME.path` is the path beside an image's bytes. Raises InputError."""

    def full(self, name: str, group: int) -> bool:
        """Whether it is known without reading that no cell of an image column is empty."""
        return False

    def values(self, name: str) -> list[Any]:
        """A column as Python objects."""
        return [value for group in range(len(self.sizes)) for value in _objects(self.table([name], group).column(0))]

    def batches(self, names: Sequence[str], report: Report) -> Iterator[tuple[int, dict[str, list[Any]]]]:
        start = 0
        for group, size in enumerate(self.sizes):
            try:
                batches = self.table(names, group).to_batches(BATCH_ROWS)
            except InputError as error:
                report.skip("broken row group", f"{self.path}: row group {group}", f"{size} rows lost ({error})")
                batches = []
            inside = start
            for batch in batches:
                yield inside, {name: _objects(batch.column(name)) for name in batch.schema.names}
                inside += batch.num_rows
            start += size

    def image_paths(self, name: str) -> list[str | None]:
        """The paths beside the bytes of an image column."""
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = self.schema.field(name).type
        if not pa.types.is_struct(kind) or kind.get_field_index("path") < 0:
            return [None] * self.rows
        columns = [self.table([f"{name}.path"], group).column(0) for group in range(len(self.sizes))]
        return [
            path
            for column in columns
            for path in _objects(pc.struct_field(column, "path") if pa.types.is_struct(column.type) else column)
        ]

    def present(self, name: str) -> list[bool]:
        """Where an image cell holds something."""
        import pyarrow as pa
        import pyarrow.compute as pc

        out: list[bool] = []
        for group, size in enumerate(self.sizes):
            if self.full(name, group):
                out += [True] * size
                continue
            column = self.table([name], group).column(0)
            if pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
                column = pc.struct_field(column, "bytes")
            out += [bool(valid) for valid in column.is_valid().to_pylist()]
        return out

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
                _kept[key] = self.table([name], group).column(0)
            column = _kept[key]
        return _objects(column[inside : inside + 1])[0]


def _objects(column: Any) -> list[Any]:
    """A column as Python objects; a text that is not UTF-8 is None, which costs its own row."""
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        return [None] if len(column) == 1 else [_objects(column[k : k + 1])[0] for k in range(len(column))]


class _Parquet(_Part):
    def __init__(self, path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(path) as file:
                schema, self._meta = file.schema_arrow, file.metadata
                list(schema.names)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]}); fetch it again") from None
        super().__init__(path, schema, [self._meta.row_group(g).num_rows for g in range(self._meta.num_row_groups)])

    def table(self, names: Sequence[str], group: int) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, metadata=self._meta) as file:
                return file.read_row_group(group, columns=list(names))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            why = str(error).splitlines()[0]
            raise InputError(f"{self.path}: column {', '.join(names)} is broken ({why})") from None

    def full(self, name: str, group: int) -> bool:
        columns = self._meta.row_group(group)
        for index in range(columns.num_columns):
            column = columns.column(index)
            if column.path_in_schema in (name, f"{name}.bytes"):
                statistics = column.statistics
                return statistics is not None and statistics.has_null_count and statistics.null_count == 0
        return False


class _Arrow(_Part):
    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        try:
            table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
        except (pa.ArrowException, OSError) as error:
            raise InputError(f"{path}: not an Arrow stream ({str(error).splitlines()[0]}); save it again") from None
        self._batches = table.to_batches()
        super().__init__(path, table.schema, [batch.num_rows for batch in self._batches])

    def table(self, names: Sequence[str], group: int) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        batch = self._batches[group]
        fields = {
            name: batch.column(name)
            if name in self.columns
            else pc.struct_field(batch.column(name.removesuffix(".path")), "path")
            for name in names
        }
        return pa.table(fields)
