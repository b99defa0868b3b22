"""Records to samples: records of the same image are one sample with several captions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from compoclip.data.images import ImageRef
from compoclip.data.report import ABSENT
from compoclip.data.sources.images import ImageFinder
from compoclip.data.sources.packed import PackedSource
from compoclip.data.sources.rows import Reading, Record


@dataclass
class _Group:
    image: ImageRef
    name: str
    captions: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    negatives: list[list[str]] | None = None
    negative_rows: list[list[int]] | None = None
    rows: list[int] = field(default_factory=list)

    def add(self, record: Record) -> None:
        """Take a record in; captions of records without negatives have none where others bring some."""
        before = len(self.captions)
        self.captions += record.captions
        self.ids += record.ids
        self.rows += [record.row] if record.row >= 0 else []
        for name in ("negatives", "negative_rows"):
            new, own = getattr(record, name), getattr(self, name)
            if new is not None or own is not None:
                own = [[] for _ in range(before)] if own is None else own
                setattr(self, name, own + (new if new is not None else [[] for _ in record.captions]))


def gather(name: str, records: Iterable[Record], base: Path, reading: Reading) -> PackedSource:
    """A source of all records whose image is there, in the order in which the images first appear.

    Raises InputError where nothing is usable, or too many rows are bad.
    """
    report = reading.report
    finder: ImageFinder | None = None
    groups: dict[str, _Group | None] = {}
    by_image: dict[str, _Group] = {}
    for record in records:
        image = record.image
        if record.name in groups:
            group = groups[record.name]
            if group is None:
                report.skip(ABSENT, record.where, f"{record.name!r}, as in an earlier row")
                continue
        else:
            if image is None:
                finder = finder or ImageFinder(base, reading.options.image_root, report)
                image = finder.find(record.name, record.where)
            # two spellings of one path are one image: as two samples, their captions would be each other's negatives
            group = by_image.setdefault(image.where, _Group(image, record.name)) if image is not None else None
            groups[record.name] = group
            if group is None:
                continue
        group.add(record)
    source = PackedSource(name, report)
    for group in by_image.values():
        default = [f"{group.name}#{number}" for number in range(len(group.captions))]
        ids = None if group.ids == default else group.ids
        source.add(group.image, group.name, group.captions, group.negatives, group.negative_rows, group.rows, ids)
    return source.finish()
