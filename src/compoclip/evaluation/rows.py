"""Rows with their images, from what people have on disk, for any task: (where, row) with a `Picture` in image cells.

- a Hugging Face data set: Parquet files as the hub has them, or Arrow files as `save_to_disk` writes them;
- webdataset tars (CLIP_benchmark, UniBench): `SPLIT/0.tar …`; what follows a key is a column (`0.webp`, `npy`, `txt`);
- `examples.jsonl` with `images.zip`, an `images` folder or tar beside it, the image's name in the row.

An image is known by the hash of its bytes, since such files repeat a photo in every row that asks about it.
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from compoclip.data.columnar import CellImage, ColumnarTable, split_files
from compoclip.data.images import View
from compoclip.errors import InputError
from compoclip.evaluation.pictures import Picture, Store, beside, is_image, open_store

Row = tuple[str, dict[str, Any]]
SPLITS = ("test", "validation", "val")
IMAGE_NAMES = ("image", "image_file_name", "image_path", "filename", "file_name")
IMAGE_PARTS = ("image", "img", "photo", "picture", "jpg", "jpeg", "png", "webp")
MOST_TEXT = 1 << 20  # bytes of a member that holds text


def read_rows(folder: Path) -> list[Row] | None:
    """The rows of a folder's test split (validation where there is no test), or None where it is no such folder.

    A train split counts where it is the only one. Raises InputError for data that is there and broken.
    """
    if not folder.is_dir():
        return None
    for split in (*SPLITS, "train"):
        if shards := _shards(folder / split):
            return list(_tar_rows(shards))
        if files := split_files(folder, split):
            return list(_table_rows(files))
    if files := sorted(folder.glob("data-*.arrow")) or sorted(folder.glob("*.parquet")):
        return list(_table_rows(files))
    if (folder / "examples.jsonl").is_file():
        return list(_line_rows(folder / "examples.jsonl"))
    shards = _shards(folder)
    return list(_tar_rows(shards)) if shards and beside(folder / "images") is None else None


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tar"), key=lambda p: (len(p.name), p.name))


def _table_rows(files: Sequence[Path]) -> Iterator[Row]:
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


def _tar_rows(shards: Sequence[Path]) -> Iterator[Row]:
    for shard in shards:
        store = open_store(shard)
        samples: dict[str, dict[str, str]] = {}
        for name in store.names():
            folder, _, base = name.rpartition("/")
            stem, _, column = base.partition(".")  # a key ends at the first dot, as webdataset has it
            samples.setdefault(f"{folder}/{stem}", {})[column.lower()] = name
        for key, members in samples.items():
            row: dict[str, Any] = {"__key__": key.removeprefix("/")}
            for column, name in members.items():
                row |= _member(store, column, name)
            yield f"{shard.name}: {row['__key__']}", row


def _member(store: Store, column: str, name: str) -> dict[str, Any]:
    where, last = f"{store.where}:{name}", column.rsplit(".", 1)[-1]
    if is_image(f"x.{last}"):
        picture = store.get(name)
        return {column: None if picture is None else picture.by_content()}
    if last not in ("txt", "json", "npy", "cls"):
        return {}
    data = store.read_bytes(name)
    if len(data) > MOST_TEXT:
        raise InputError(f"{where}: {len(data)} bytes are too many for a row's text")
    try:
        if last == "npy":
            return {column: np.load(io.BytesIO(data), allow_pickle=False).tolist()}
        text = data.decode("utf-8")
        if last == "json":
            found = json.loads(text)
            return found if isinstance(found, dict) and column == "json" else {column: found}
        return {column: int(text) if last == "cls" else text}
    except (ValueError, EOFError, OSError, RecursionError, AttributeError) as error:  # an .npz has no `tolist`
        raise InputError(f"{where}: broken ({str(error).splitlines()[0]})") from None


def _line_rows(path: Path) -> Iterator[Row]:
    place = beside(path.parent / "images")
    store = open_store(path.parent if place is None else place)
    known: dict[str, Picture | None] = {}
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        if not line.strip():
            continue
        row = _line(path, number, line)
        name = next((row[n] for n in IMAGE_NAMES if isinstance(row.get(n), str) and is_image(row[n])), None)
        if name is not None:
            name = PurePosixPath(name).name if PurePosixPath(name).is_absolute() else name
            if name not in known:
                found = store.get(name)
                known[name] = None if found is None else found.by_content()
            row["image"] = known[name]
        yield f"line {number}", row


def _line(path: Path, number: int, line: str) -> dict[str, Any]:
    """A row of JSON; or of Python text, which some publish under that name (parsed as data alone)."""
    try:
        row = json.loads(line)
    except ValueError:
        try:
            row = ast.literal_eval(line.strip()) if len(line) <= MOST_TEXT else None
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            row = None
    if not isinstance(row, dict):
        raise InputError(f"{path}: line {number} is not a valid JSON object")
    return row
