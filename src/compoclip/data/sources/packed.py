"""The source that every file format but Hugging Face's ends in: samples packed into one run of bytes."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from compoclip.data.columnar import CellImage
from compoclip.data.images import FileImage, ImageRef, TarImage, ZipImage
from compoclip.data.report import Report
from compoclip.data.sources.base import Sample, Source
from compoclip.data.sources.rows import NoSample


class PackedSource(Source):
    """Samples kept as one run of JSON bytes, which stays flat in memory and is not copied when worker processes
    fork.
    """

    def __init__(self, name: str, report: Report) -> None:
        self.name, self.report = name, report
        self.fingerprint = ""
        self._data = bytearray()
        self._ends = array("q")
        self._digest = hashlib.sha256()
        self._rows: dict[int, int] = {}

    def add(
        self,
        image: ImageRef,
        image_id: str,
        captions: Sequence[str],
        negatives: Sequence[Sequence[str]] | None = None,
        negative_rows: Sequence[Sequence[int]] | None = None,
        rows: Sequence[int] = (),
        caption_ids: Sequence[str] | None = None,
    ) -> None:
        """Append one sample.

        rows: the table rows it came from. caption_ids: None for the image's id with a running number.
        """
        meaning = json.dumps([image_id, list(captions), negatives], ensure_ascii=True).encode()
        self._digest.update(len(meaning).to_bytes(8, "little") + meaning)
        record = [_pack_ref(image), image_id, list(captions), negatives, negative_rows, caption_ids]
        self._data += json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode()
        self._ends.append(len(self._data))
        self._rows.update(dict.fromkeys(rows, len(self._ends) - 1))
        self.report.samples += 1
        self.report.captions += len(captions)

    def finish(self) -> PackedSource:
        """Close the source. Raises InputError where it holds no usable sample."""
        self.fingerprint = self._digest.hexdigest()
        del self._digest
        if not len(self):
            why = f": {self.report}" if self.report.total_skipped or self.report.other_splits else ""
            raise NoSample(f"{self.name}: no usable sample{why}")
        self.report.check(self.name)
        return self

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Sample:
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name}: sample {index} of {len(self)}")
        start = self._ends[index - 1] if index else 0
        ref, image_id, captions, negatives, rows, ids = json.loads(self._data[start : self._ends[index]])
        return Sample(
            _unpack_ref(ref),
            tuple(captions),
            image_id,
            None if negatives is None else tuple(map(tuple, negatives)),
            None if rows is None else tuple(map(tuple, rows)),
            None if ids is None else tuple(ids),
        )

    def sample_of_row(self, row: int) -> int | None:
        return self._rows.get(row)


_KINDS: tuple[type[ImageRef], ...] = (FileImage, TarImage, ZipImage, CellImage)


def _pack_ref(ref: ImageRef) -> list[Any]:
    return [_KINDS.index(type(ref)), *(getattr(ref, field.name) for field in fields(ref) if field.name != "rotate")]


def _unpack_ref(packed: list[Any]) -> ImageRef:
    kind, *rest = packed
    return _KINDS[kind](*rest)
