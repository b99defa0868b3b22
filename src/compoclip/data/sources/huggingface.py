"""Hugging Face data sets: a folder written by `save_to_disk`, or an id of the hub. Needs the `datasets` package."""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import dataclass
from importlib import import_module, util
from pathlib import Path
from typing import Any

from compoclip.data.images import ImageRef
from compoclip.data.report import Report
from compoclip.data.sources.base import Sample, Source, log
from compoclip.data.sources.columns import CAPTION_COLUMNS, IMAGE_COLUMNS, caption_list, find_column, tidy
from compoclip.data.sources.rows import Options
from compoclip.errors import InputError


@dataclass(frozen=True)
class HubImage(ImageRef):
    """An image cell of a data set, undecoded: `{bytes, path}`."""

    cell: Any
    name: str

    @property
    def where(self) -> str:
        return self.name

    def encoded(self) -> bytes:
        data = self.cell.get("bytes") if isinstance(self.cell, dict) else None
        if data:
            return bytes(data)
        path = self.cell.get("path") if isinstance(self.cell, dict) else self.cell
        if not isinstance(path, str):
            raise InputError(f"{self.name}: the image cell is empty")
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{self.name}: {path}: cannot be read ({error.strerror})") from None


def is_saved_dataset(path: Path) -> bool:
    return (path / "dataset_dict.json").is_file() or (
        (path / "dataset_info.json").is_file() and (path / "state.json").is_file()
    )


class HuggingFaceSource(Source):
    """A data set read through `datasets`.

    Its Arrow files stay on disk. Captions are read once, images when they are asked for.
    """

    def __init__(self, spec: str, options: Options) -> None:
        self.name, self.report = spec, Report()
        data = _open(spec, options.split)
        columns = list(data.column_names)
        self._image = find_column(columns, options.image_key, IMAGE_COLUMNS, "image", "--image-key", spec)
        others = [column for column in columns if column != self._image]
        caption = find_column(others, options.caption_key, CAPTION_COLUMNS, "caption", "--caption-key", spec)
        feature = data.features.get(self._image)
        if hasattr(feature, "decode"):
            data = data.cast_column(self._image, import_module("datasets").Image(decode=False))
        self._data = data
        self._rows = array("q")
        self._captions: list[tuple[str, ...]] = []
        digest = hashlib.sha256()
        for row, cell in enumerate(data[caption]):
            self.report.rows += 1
            texts = tuple(tidy(text) for text in caption_list(cell, False) if isinstance(text, str) and tidy(text))
            if not texts:
                self.report.skip("empty caption", f"{spec}: row {row}")
                continue
            self._rows.append(row)
            self._captions.append(texts)
            digest.update(json.dumps([row, texts]).encode())
        self.report.samples, self.report.captions = len(self._rows), sum(map(len, self._captions))
        self.fingerprint = digest.hexdigest()
        if not self._rows:
            raise InputError(f"{spec}: no usable sample: {self.report}")
        if self.report.total_skipped:
            log.warning("%s: %s", spec, self.report)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        row = self._rows[index]
        return Sample(
            HubImage(self._data[row][self._image], f"{self.name}: row {row}"), self._captions[index], str(row)
        )

    def captions(self, index: int) -> tuple[str, ...]:
        return self._captions[index]

    def sample_of_row(self, row: int) -> int | None:
        return self._rows.index(row) if row in self._rows else None


def _open(spec: str, split: str | None) -> Any:
    if util.find_spec("datasets") is None:
        raise InputError(f"{spec}: reading a Hugging Face data set needs the datasets package; pip install datasets")
    datasets = import_module("datasets")
    try:
        data = datasets.load_from_disk(spec) if Path(spec).is_dir() else datasets.load_dataset(spec)
    except Exception as error:  # the package raises what its network, its readers and its scripts raise
        raise InputError(
            f"{spec}: datasets could not open it ({type(error).__name__}: {str(error).splitlines()[0]})"
        ) from None
    if hasattr(data, "keys"):
        names = list(data.keys())
        if split is None and len(names) > 1 and "train" not in names:
            raise InputError(f"{spec}: name one of its splits with --split ({', '.join(names)})")
        chosen = split or ("train" if "train" in names else names[0])
        if chosen not in names:
            raise InputError(f"{spec}: no split {chosen!r} (splits there: {', '.join(names)})")
        return data[chosen]
    return data
