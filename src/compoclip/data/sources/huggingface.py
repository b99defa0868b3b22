"""Parquet and Arrow tables: single files, folders of the Hugging Face hub and of `save_to_disk`, and ids of the hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module, util
from pathlib import Path
from typing import Any

from compoclip.data.columnar import CellImage, ColumnarTable, split_files
from compoclip.data.images import ImageRef
from compoclip.data.report import Report
from compoclip.data.sources.columns import NAMES, SPLIT_NAMES, same_split
from compoclip.data.sources.rows import NoSplit, Options, Table, TableRow
from compoclip.data.sources.table import LAYOUTS, image_name
from compoclip.errors import InputError
from compoclip.io import read_json


def open_columnar(paths: Sequence[Path], where: Path, options: Options) -> Table:
    """Parquet or Arrow files as one table. Raises InputError where pyarrow cannot read one."""
    table = ColumnarTable(paths)
    held = table.image_columns()
    published = (column for own in LAYOUTS.values() for column in (*own.needed, *own.texts, own.flags, own.rows))
    usual = {*(name for names in NAMES["columns"].values() for name in names), *published}
    named = {options.image_key, options.caption_key}
    light = [name for name in table.columns if (name.strip().lower() in usual or name in named) and name not in held]
    names: dict[str, _CellNames] = {}

    def image_at(row: TableRow, column: str, id_column: str | None) -> tuple[ImageRef | None, str | None]:
        if column not in names:
            names[column] = _CellNames(table, column)
        known = image_name(row.cells.get(id_column)) if id_column and id_column not in held else None
        return names[column].at(row.index, known)

    return Table(where, table.columns, lambda report: _rows(table, light, report), held, image_at)


def _rows(table: ColumnarTable, light: list[str], report: Report) -> Iterator[TableRow]:
    for index, cells in table.batches(light, report):
        size = len(next(iter(cells.values()))) if cells else 0
        for k in range(size):
            yield TableRow(index + k + 1, index + k, {name: values[k] for name, values in cells.items()})


class _CellNames:
    """Names of the photos inside a table, so that rows of one photo are known as such.

    A photo's name is its id in another column, else the path beside its bytes, else the hash of its bytes. Photos that
    share a path are distinguished by their bytes.
    """

    def __init__(self, table: ColumnarTable, column: str) -> None:
        self.table, self.column = table, column
        self.paths, self.there = table.image_paths(column), table.present(column)
        self.often = {path for path, count in Counter(filter(None, self.paths)).items() if count > 1}
        self.first: dict[str, str] = {}

    def at(self, row: int, known: str | None) -> tuple[ImageRef | None, str | None]:
        path = self.paths[row]
        if not self.there[row]:
            return None, path  # the path alone: a file to be looked for
        file, inside = self.table.place(row)
        image = CellImage(str(file), self.column, inside)
        if known:
            return image, known
        if path and path not in self.often:
            return image, path
        digest = image.content_hash().removeprefix("sha256:")[:32]
        if not path:
            return image, digest
        return image, path if self.first.setdefault(path, digest) == digest else f"{path}~{digest[:12]}"


def is_saved_dataset(path: Path) -> bool:
    """Whether `datasets.save_to_disk` wrote this folder."""
    return (path / "dataset_dict.json").is_file() or (path / "state.json").is_file()


def saved_files(path: Path, options: Options) -> list[Path]:
    """The Arrow files of a folder that `save_to_disk` wrote. Raises InputError where one is missing."""
    if (path / "dataset_dict.json").is_file():
        value = read_json(path / "dataset_dict.json")
        names = value.get("splits") if isinstance(value, dict) else None
        names = names if isinstance(names, list) else [child.name for child in path.iterdir() if child.is_dir()]
        path = path / _chosen(path, sorted(map(str, names)), options)
    state = read_json(path / "state.json")
    listed = state.get("_data_files") if isinstance(state, dict) else None
    files = [path / Path(str(item.get("filename"))).name for item in listed or () if isinstance(item, dict)]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: is named in state.json and not there; save the data set again")
    if not files:
        raise InputError(f"{path / 'state.json'}: names no data files")
    return files


def hub_files(folder: Path, options: Options) -> list[Path]:
    """The Parquet files of a folder laid out as on the hub (`data/train-00000-of-00002.parquet`); [] for another."""
    wanted = (*SPLIT_NAMES, *([options.split] if options.split else []))
    splits = {name: files for name in dict.fromkeys(wanted) if (files := split_files(folder, name))}
    return splits[_chosen(folder, list(splits), options)] if splits else []


def download(spec: str, options: Options) -> list[Path]:
    """Fetch a data set of the hub through `datasets`, and give the Arrow files of its split."""
    if util.find_spec("datasets") is None:
        raise InputError(f"{spec}: fetching a Hugging Face data set needs the datasets package; pip install datasets")
    datasets = import_module("datasets")
    try:
        data: Any = datasets.load_dataset(spec)
    except Exception as error:  # the package raises what its network, its readers and its scripts raise
        why = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise InputError(f"{spec}: datasets could not open it ({why})") from None
    if hasattr(data, "keys"):
        data = data[_chosen(Path(spec), list(data.keys()), options)]
    files = [Path(item["filename"]) for item in getattr(data, "cache_files", ())]
    if not files:
        raise InputError(f"{spec}: datasets keeps no file of it; save it with save_to_disk and give that folder")
    return files


def _chosen(where: Path, names: list[str], options: Options) -> str:
    """The split to read: the one asked for, else train, else the only one."""
    if options.split is not None:
        asked = options.split.strip().casefold()
        found = next((name for name in names if name.casefold() == asked), None)
        found = found or next((name for name in names if same_split(name, asked)), None)
        if found is None:
            raise NoSplit(f"{where}: no split {options.split!r} (splits there: {', '.join(names)})")
        return found
    if len(names) > 1 and "train" not in names:
        raise InputError(f"{where}: name one of its splits with --split ({', '.join(names)})")
    if not names:
        raise InputError(f"{where}: contains no split")
    return "train" if "train" in names else names[0]
