"""What every form of question shares: encoded rows in, an outcome out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compoclip.evaluation import statistics
from compoclip.evaluation.images import ImageRef
from compoclip.evaluation.scoring.comparisons import Array

Values = NDArray[np.float64]
_ARCHIVE = re.compile(r"\.(?:tar|zip):")


class Encoded:
    """Features of one call, looked up by what they are of: `images` (U, D) and `texts` (V, D), fp32, of unit length."""

    def __init__(self, image_refs: Sequence[ImageRef], images: Array, captions: Sequence[str], texts: Array) -> None:
        self._image_keys, self.images = {p.key: i for i, p in enumerate(image_refs)}, images
        self._text_keys, self.texts = {t: i for i, t in enumerate(captions)}, texts

    def image_index(self, image_refs: Sequence[ImageRef]) -> NDArray[np.int64]:
        return np.array([self._image_keys[p.key] for p in image_refs], dtype=np.int64)

    def text_index(self, captions: Sequence[str]) -> NDArray[np.int64]:
        return np.array([self._text_keys[c] for c in captions], dtype=np.int64)

    def image(self, image_refs: Sequence[ImageRef]) -> Array:
        """(N, D) in the order asked."""
        return self.images[self.image_index(image_refs)]

    def text(self, captions: Sequence[str]) -> Array:
        """(N, D) in the order asked."""
        return self.texts[self.text_index(captions)]


@dataclass
class Outcome:
    """`metrics` goes to results.json; `hits` (N,) in [0, 1] are the rows behind `accuracy`; `rows` the per-row log.

    `identity` is a hash of what the rows ask, so that two results are compared only on equal rows. `parts` are the rows
    behind other entries of `metrics`, for averages over those (`Average.metric`).
    """

    metrics: dict[str, Any]
    hits: Values
    rows: list[dict[str, Any]]
    identity: str = ""
    parts: dict[str, Values] = field(default_factory=dict)


class Subset(Protocol):
    """Rows of one form: `name`, `part` (composition, zeroshot or retrieval) and `missing` rows without their image."""

    name: str
    part: str
    missing: int

    def image_refs(self) -> Sequence[ImageRef]: ...

    def captions(self) -> Sequence[str]: ...

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]: ...


def identity(parts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def image_name(image_ref: ImageRef) -> str:
    """The image's own name, without the place it lies in on this machine: folder, or archive."""
    return PurePosixPath(_ARCHIVE.split(image_ref.where)[-1]).name


def percent(values: NDArray[Any]) -> float | None:
    return 100.0 * float(np.mean(values)) if len(values) else None


def basic(
    hits: Values, tied: NDArray[np.bool_], missing: int, chance: float | None, seed: int, groups: Any = None
) -> dict[str, Any]:
    """The entries every subset has; accuracy and interval are null where no row could be measured."""
    return {
        "accuracy": percent(hits),
        "ci95": list(statistics.mean_interval(hits, seed, groups)[1:]) if len(hits) else None,
        "n": len(hits),
        "missing": missing,
        "ties": int(tied.sum()),
        "chance": chance,
    }
