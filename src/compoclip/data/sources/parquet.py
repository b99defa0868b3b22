"""Parquet tables, with image paths or with the images inside (the `{bytes, path}` structs of Hugging Face exports)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compoclip.data.columnar import CellImage
from compoclip.data.images import ImageRef
from compoclip.data.report import Report
from compoclip.data.sources.base import existing_file
from compoclip.data.sources.columns import CAPTION_COLUMNS, IMAGE_COLUMNS, SPLIT_COLUMNS
from compoclip.data.sources.rows import Options, Row, Table
from compoclip.errors import InputError

BATCH_ROWS = 4096


def open_parquet(path: str | Path, options: Options) -> Table:
    """Open a Parquet file. Raises InputError where pyarrow cannot read it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = existing_file(path)
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    held = {field.name for field in schema if _holds_bytes(field.type)}
    usual = {*IMAGE_COLUMNS, *CAPTION_COLUMNS, *SPLIT_COLUMNS}
    named = {options.image_key, options.caption_key}
    wanted = [name for name in schema.names if (name.strip().lower() in usual or name in named) and name not in held]

    def image_at(row: Row, column: str) -> ImageRef:
        return CellImage(str(path), column, row.index)

    image = options.image_key or next((name for name in schema.names if name.strip().lower() in IMAGE_COLUMNS), None)
    inside = image in held
    return Table(path, list(schema.names), lambda report: _rows(path, wanted, report), image_at if inside else None)


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    binary = (pa.types.is_binary, pa.types.is_large_binary)
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and any(test(field.type) for test in binary) for field in kind)
    return any(test(kind) for test in binary)


def _rows(path: Path, wanted: list[str], report: Report) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    index = 0
    with pq.ParquetFile(path) as file:
        for group in range(file.num_row_groups):
            inside = 0
            try:
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted):
                    cells = batch.to_pydict()
                    for k in range(batch.num_rows):
                        row = {name: values[k] for name, values in cells.items()}
                        yield Row(index + 1, index, row)
                        index, inside = index + 1, inside + 1
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                lost = file.metadata.row_group(group).num_rows - inside
                report.skip(
                    "broken row group", f"{path}: row group {group}", f"{lost} rows lost ({str(error).splitlines()[0]})"
                )
                index += lost
