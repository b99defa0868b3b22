"""What every source of training data gives: samples, references to images, and a report of what was left out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compoclip.data.images import ImageRef
from compoclip.data.report import Report
from compoclip.errors import InputError

__all__ = ["Sample", "Source"]


@dataclass(frozen=True)
class Sample:
    """One image with its captions.

    `negatives[c]` are the wrong captions that belong to `captions[c]`; None where the source has none.
    `negative_rows[c]` are the rows of the table that hold similar images (NegCLIP's `neg_image`); see
    `Source.place_of_row`.
    """

    image: ImageRef
    captions: tuple[str, ...]
    image_id: str
    negatives: tuple[tuple[str, ...], ...] | None = None
    negative_rows: tuple[tuple[int, ...], ...] | None = None
    named_ids: tuple[str, ...] | None = None

    @property
    def caption_ids(self) -> tuple[str, ...]:
        """Ids of the captions, by which negatives are found: given ones, or the image's id with a running number."""
        return self.named_ids or tuple(f"{self.image_id}#{number}" for number in range(len(self.captions)))


class Source(ABC):
    """A fixed, indexable list of samples. The same files give the same order on every machine."""

    name: str
    report: Report
    fingerprint: str  # sha256 over image ids, captions and negatives, in order; not over the pixels

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def captions(self, index: int) -> tuple[str, ...]:
        """The captions of one sample, without touching its image."""
        return self[index].captions

    def place_of_row(self, row: int) -> tuple[int, int] | None:
        """(sample, caption) that a row of the table went into; None where it is not one of this source's.

        Rows are counted from 0, the header not. Known for tables that name similar images by rows.
        """
        return None


def existing_file(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path
