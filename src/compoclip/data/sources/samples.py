"""Records to samples: records of the same image are one sample with several captions, kept as one run of bytes."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

from compoclip.data.columnar import CellImage
from compoclip.data.images import FileImage, ImageRef, TarImage, ZipImage
from compoclip.data.report import ABSENT, Report
from compoclip.data.sources.base import Sample, Source
from compoclip.data.sources.finding import ImageFinder
from compoclip.data.sources.rows import NoSample, Reading, Record

KINDS: tuple[type[ImageRef], ...] = (FileImage, TarImage, ZipImage, CellImage)


class PackedSource(Source):
    """Samples as one run of JSON bytes, which stays flat in memory and is not copied when worker processes fork.

    Raises InputError where there is none, or too many rows are bad.
    """

    def __init__(self, name: str, records: Iterable[tuple[Record, ImageRef]], report: Report) -> None:
        self.name, self.report = name, report
        self._data, self._ends = bytearray(), array("q")
        self._rows: dict[int, tuple[int, int]] = {}  # of tables that name similar images by their rows
        digest = hashlib.sha256()
        for record, image in records:
            told: list[object] = [record.name, record.captions, record.negatives]
            told += [] if record.negative_rows is None else [record.negative_rows]
            meaning = json.dumps(told, ensure_ascii=True).encode()
            digest.update(len(meaning).to_bytes(8, "little") + meaning)
            ref = [
                KINDS.index(type(image)),
                *(getattr(image, own.name) for own in fields(image) if own.name != "rotate"),
            ]
            numbered = [f"{record.name}#{number}" for number in range(len(record.captions))]
            ids = None if record.ids == numbered else record.ids
            packed = [ref, record.captions, record.name, record.negatives, record.negative_rows, ids]
            self._data += json.dumps(packed, ensure_ascii=True, separators=(",", ":")).encode()
            if record.negative_rows is not None:
                self._rows.update((row, (len(self._ends), first)) for row, first in record.rows.items())
            self._ends.append(len(self._data))
            report.samples += 1
            report.captions += len(record.captions)
        self.fingerprint = digest.hexdigest()
        if not len(self):
            why = f": {report}" if report.total_skipped or report.other_splits else ""
            raise NoSample(f"{name}: no usable sample{why}")
        report.check(name)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Sample:
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name}: sample {index} of {len(self)}")
        start = self._ends[index - 1] if index else 0
        (kind, *rest), captions, name, *lists, ids = json.loads(self._data[start : self._ends[index]])
        negatives, rows = (None if found is None else tuple(map(tuple, found)) for found in lists)
        return Sample(KINDS[kind](*rest), tuple(captions), name, negatives, rows, ids and tuple(ids))

    def place_of_row(self, row: int) -> tuple[int, int] | None:
        return self._rows.get(row)


def gather(name: str, records: Iterable[Record], base: Path, reading: Reading) -> PackedSource:
    """A source of all records whose image is there, in the order in which the images first appear.

    Raises InputError where nothing is usable, or too many rows are bad.
    """
    report = reading.report
    finder: ImageFinder | None = None
    groups: dict[str, Record | None] = {}
    by_image: dict[str, tuple[Record, ImageRef]] = {}
    for record in records:
        if record.name not in groups:
            image = record.image
            if image is None:
                finder = finder or ImageFinder(base, reading.options.image_root, report)
                image = finder.find(record.name, record.where)
            # two spellings of one path are one image: as two samples, their captions would be each other's negatives
            group = by_image.setdefault(image.where, (record, image))[0] if image is not None else None
            groups[record.name] = group
        elif (group := groups[record.name]) is None:
            report.skip(ABSENT, record.where, f"{record.name!r}, as in an earlier row")
        if group is not None and group is not record:
            group.join(record)
    return PackedSource(name, by_image.values(), report)
