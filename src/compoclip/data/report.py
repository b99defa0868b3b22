"""What was read and what was left out, by reason: one account for every reader."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from compoclip.errors import InputError

EXAMPLES_KEPT = 5  # per reason
MOST_BAD = 0.5  # share of rows that may be unusable, images that are only missing not counted
JUDGED_FROM = 20  # rows; of a handful, one bad row says nothing
ABSENT = "missing image"


@dataclass
class Report:
    """Counts of a source, with the first few places of what was left out; `notes` are things worth telling."""

    samples: int = 0
    captions: int = 0
    rows: int = 0
    other_splits: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    missing_images: dict[str, None] = field(default_factory=dict)

    def skip(self, reason: str, where: str, detail: str = "") -> None:
        self.skipped[reason] += 1
        kept = self.examples.setdefault(reason, [])
        if len(kept) < EXAMPLES_KEPT:
            kept.append(f"{where}: {detail}" if detail else where)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def check(self, name: str) -> None:
        """Raises InputError where more than `MOST_BAD` of the rows cannot be used."""
        bad = self.total_skipped - self.skipped[ABSENT]
        if self.rows >= JUDGED_FROM and bad > MOST_BAD * self.rows:
            raise InputError(f"{name}: {bad} of {self.rows} rows cannot be used (limit {MOST_BAD:.0%}): {self.why}")

    def refuse(self) -> None:
        """Raises InputError for the first thing that was left out: for files that must be read whole."""
        for reason, places in self.examples.items():
            raise InputError(f"{places[0]} ({reason})")

    @property
    def total_skipped(self) -> int:
        return sum(self.skipped.values())

    @property
    def why(self) -> str:
        return "; ".join(
            f"{count} {reason} (first: {self.examples[reason][0]})" for reason, count in self.skipped.most_common()
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "samples": self.samples,
            "captions": self.captions,
            "rows": self.rows,
            "other_splits": self.other_splits,
            "skipped": dict(self.skipped),
            "examples": {reason: list(places) for reason, places in self.examples.items()},
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        parts = [f"{self.samples} images, {self.captions} captions"]
        parts += [f"skipped {self.why}"] if self.total_skipped else []
        parts += [f"{self.other_splits} of other splits"] if self.other_splits else []
        return "; ".join([*parts, *self.notes])
