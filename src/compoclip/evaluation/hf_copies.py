"""Rows of a Hugging Face data set on disk: Parquet files as the hub has them, Arrow files of `save_to_disk`.

(place, row) with an `ImageRef` in image cells, None where such a cell is empty. An image is known by the hash of its
bytes, since such tables repeat a photo in every row that asks about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.data.columnar import CellImage, ColumnarTable, split_files
from compoclip.data.images import ImageView
from compoclip.evaluation.images import ImageRef

Row = tuple[str, dict[str, Any]]
SPLITS = ("test", "validation", "val", "train")


def read_rows(folder: Path) -> list[Row] | None:
    """The rows of a folder's test split (validation where there is no test), or None where it is no such folder.

    A train split counts where it is the only one. Raises InputError for data that is there and broken.
    """
    if not folder.is_dir():
        return None
    for split in SPLITS:
        if files := split_files(folder, split):
            return list(rows_in(files))
    files = sorted(folder.glob("data-*.arrow")) or sorted(folder.glob("*.parquet"))
    return list(rows_in(files)) if files else None


def rows_in(files: Sequence[Path]) -> Iterator[Row]:
    table = ColumnarTable(files)
    held = table.image_columns()
    light = {name: table.values(name) for name in table.columns if name not in held}
    for name, values in light.items():
        names = table.class_names(name)
        if names is not None:  # Hugging Face's ClassLabel
            light[name] = [names[v] if isinstance(v, int) and 0 <= v < len(names) else v for v in values]
    for number in range(table.rows):
        row: dict[str, Any] = {name: values[number] for name, values in light.items()}
        yield f"row {number}", row | {name: _image_ref(table, name, number) for name in held}


def _image_ref(table: ColumnarTable, name: str, number: int) -> ImageRef | None:
    """The image of a cell; None where it is empty. Its bytes are read again when asked."""
    cell = table.cell(name, number)
    if cell is None or (isinstance(cell, dict) and not any(cell.values())):
        return None
    path, row = table.place(number)
    known = isinstance(cell, dict) and isinstance(cell.get("path"), str)  # its name in the benchmark's own files
    image = CellImage(str(path), name, row, name=PurePosixPath(cell["path"]).name if known else "", rotate=False)
    return ImageView(image, content="sha256:" + hashlib.sha256(image.bytes_of(cell)).hexdigest(), rotate=False)
