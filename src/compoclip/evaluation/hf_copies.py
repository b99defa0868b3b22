"""Rows of a Hugging Face data set on disk: Parquet files as the hub has them, Arrow files of `save_to_disk`.

(place, row) with a `Picture` in image cells, None where such a cell is empty. An image is known by the hash of its
bytes, since such tables repeat a photo in every row that asks about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.data.columnar import CellImage, ColumnarTable, split_files
from compoclip.data.images import View
from compoclip.evaluation.pictures import Picture

Row = tuple[str, dict[str, Any]]
SPLITS = ("test", "validation", "val", "train")
IMAGE_PARTS = ("image", "img", "photo", "picture", "jpg", "jpeg", "png", "webp")


def read_rows(folder: Path) -> list[Row] | None:
    """The rows of a folder's test split (validation where there is no test), or None where it is no such folder.

    A train split counts where it is the only one. Raises InputError for data that is there and broken.
    """
    if not folder.is_dir():
        return None
    for split in SPLITS:
        if files := split_files(folder, split):
            return list(_rows(files))
    files = sorted(folder.glob("data-*.arrow")) or sorted(folder.glob("*.parquet"))
    return list(_rows(files)) if files else None


def _rows(files: Sequence[Path]) -> Iterator[Row]:
    table = ColumnarTable(files)
    kinds = _image_columns(files[0])
    light = {name: table.values(name) for name in table.columns if name not in kinds}
    for name, values in light.items():
        names = table.class_names(name)
        if names is not None:  # Hugging Face's ClassLabel
            light[name] = [names[v] if isinstance(v, int) and 0 <= v < len(names) else v for v in values]
    for number in range(table.rows):
        row: dict[str, Any] = {name: values[number] for name, values in light.items()}
        for name, several in kinds.items():
            cell = table.cell(name, number)
            if several:
                row[name] = [_picture(table, name, number, k, part) for k, part in enumerate(cell or ())]
            else:
                row[name] = _picture(table, name, number, -1, cell)
        yield f"row {number}", row


def _image_columns(path: Path) -> dict[str, bool]:
    """Columns that hold images, and whether a cell holds a list of them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        schema = pq.read_schema(path)
    else:
        with pa.memory_map(str(path)) as source:
            schema = pa.ipc.open_stream(source).schema

    def holds(name: str, kind: Any) -> bool:
        if pa.types.is_struct(kind):
            return kind.get_field_index("bytes") >= 0
        bare = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
        return bool(bare and any(part in name.lower() for part in IMAGE_PARTS))  # other bytes may be anything

    out = {}
    for field in schema:
        several = pa.types.is_list(field.type) or pa.types.is_large_list(field.type)
        if holds(field.name, field.type.value_type if several else field.type):
            out[field.name] = several
    return out


def _picture(table: ColumnarTable, name: str, number: int, item: int, cell: Any) -> Picture | None:
    """The picture of a cell, or of one item in a list; None where it is empty. Its bytes are read again when asked."""
    if cell is None or (isinstance(cell, dict) and not any(cell.values())):
        return None
    path, row = table.place(number)
    known = isinstance(cell, dict) and isinstance(cell.get("path"), str)  # its name in the benchmark's own files
    image = CellImage(str(path), name, row, item, PurePosixPath(cell["path"]).name if known else "", rotate=False)
    return View(image, content="sha256:" + hashlib.sha256(image.bytes_of(cell)).hexdigest(), rotate=False)
