"""Negatives of a build, joined to the data by the ids of captions; and how many of its captions have any."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from compoclip.data.extras import Unit, Wanted, Weighed
from compoclip.data.sources import Sample, Source
from compoclip.data.tokens import context_length, same_tokens
from compoclip.errors import InputError
from compoclip.io import read_json
from compoclip.negatives.store import MANIFEST, caption_hash, caption_key, captions_hash
from compoclip.progress import say

T = TypeVar("T")
NATS = 4.0  # less plausible by so much, a negative is drawn 1/e as often
LEAST = 0.5  # share of captions with negatives below which a run is warned of it


class JoinedNegatives:
    """Negatives by caption id. A caption whose text has changed since the build has none.

    Ids of files without images are hashes of the text. Where the build and the data have no id in common (a table built
    from, tars trained on), they are joined by text instead: `by_text`.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, tuple[int, list[str]]] = {}
        self.texts: dict[str, list[str]] = {}
        self.by_text = False
        self.units_by_id: dict[str, tuple[int, tuple[Unit, ...]]] = {}
        self.units_of_text: dict[str, tuple[Unit, ...]] = {}
        self.equal = 0  # negatives left out because they equal their caption where the tower cuts it

    def add(self, caption_id: str, caption: str, negatives: Sequence[str], tokenizer: Any) -> None:
        if tokenizer is not None and len(caption.encode()) > context_length(tokenizer) - 2:
            same = same_tokens(tokenizer, caption, negatives)
            self.equal += sum(same)
            negatives = [text for text, equal in zip(negatives, same) if not equal]
        if negatives:
            self.by_id[caption_id] = (caption_hash("", caption), list(negatives))
            self.texts.setdefault(caption, self.by_id[caption_id][1])

    def add_units(self, caption_id: str, caption: str, units: tuple[Unit, ...]) -> None:
        if units:
            self.units_by_id[caption_id] = (caption_hash("", caption), units)
            self.units_of_text.setdefault(caption, units)

    def units(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> list[tuple[Unit, ...]]:
        """The units of each sample's caption of that number; () where it has none."""
        return [self._units(sample, number) for sample, number in zip(samples, numbers)]

    def _units(self, sample: Sample, number: int) -> tuple[Unit, ...]:
        return self._joined(self.units_by_id, self.units_of_text, sample, number) or ()

    def of(self, sample: Sample, number: int) -> list[str]:
        """The negatives of one caption; [] where it has none."""
        return self._joined(self.by_id, self.texts, sample, number) or []

    def _joined(
        self, by_id: Mapping[str, tuple[int, T]], of_text: Mapping[str, T], sample: Sample, number: int
    ) -> T | None:
        caption = sample.captions[number]
        if self.by_text:
            return of_text.get(caption)
        found = by_id.get(sample.caption_ids[number]) or by_id.get(caption_key(caption))
        return found[1] if found is not None and found[0] == caption_hash("", caption) else None

    def changed(self, sample: Sample, number: int) -> bool:
        """Has the build another text under this caption's id?"""
        found = self.by_id.get(sample.caption_ids[number])
        return found is not None and found[0] != caption_hash("", sample.captions[number])

    def make(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> list[list[str]]:
        return [self.of(sample, number) for sample, number in zip(samples, numbers)]


@dataclass
class Coverage:
    """Captions of a source, how many of them have negatives, and how many have changed since these were built."""

    captions: int = 0
    covered: int = 0
    changed: int = 0
    total: int = 0  # sum of their hashes


def cover(source: Source, joined: JoinedNegatives | None) -> Coverage:
    """Count the captions that have negatives, from a build or the data's own."""
    found = Coverage()
    for sample in source:
        for number, (caption_id, caption) in enumerate(zip(sample.caption_ids, sample.captions)):
            own = bool(sample.negatives is not None and sample.negatives[number])
            found.captions += 1
            found.covered += own or bool(joined is not None and joined.of(sample, number))
            found.changed += joined is not None and joined.changed(sample, number)
            found.total += caption_hash(caption_id, caption)
    return found


def check_coverage(whole: Source, joined: JoinedNegatives | None, folder: Path | None) -> None:
    """Say how many captions of the data have negatives, and compare the build's manifest with the data.

    Raises InputError where none has any. Sets `joined.by_text` where no id is in common.
    """
    found = cover(whole, joined)
    if joined is not None and not found.covered and not found.changed and joined.texts:
        joined.by_text = True
        found = cover(whole, joined)
        if found.covered:
            say("negatives: no caption id in common with the data; joined by the captions' texts")
    if joined is not None and not joined.by_text:
        joined.texts.clear()
    if not found.covered:
        raise InputError(_none(whole, joined, folder))
    say(f"captions with negatives: {found.covered} of {found.captions}")
    if found.covered < LEAST * found.captions:
        say(f"warning: fewer than {LEAST:.0%} of the captions have negatives; the others are trained on without")
    if joined is not None and folder is not None:
        if joined.equal:
            say(f"negatives: {joined.equal} equal their caption where the text tower cuts it, and are left out")
        _compare(read_json(folder / MANIFEST), found, folder, joined.by_text)


def check_units(whole: Source, joined: JoinedNegatives, wanted: Wanted, folder: Path) -> None:
    """Say how many captions of the data have units. Raises InputError where none has any that the objective reads."""
    here = [(sample, number) for sample in whole for number in range(len(sample.captions))]
    if joined.units_by_id and not any(joined._units(*place) for place in here):
        joined.by_text = True
    found = [joined._units(*place) for place in here]
    covered = sum(any(unit.foils if wanted.units else unit.kind == "entity" for unit in units) for units in found)
    if not covered:
        raise InputError(f"{folder}: captions with units: 0 of {len(here)}; build them from {whole.name}")
    say(f"captions with units: {covered} of {len(here)}")


def _none(whole: Source, joined: JoinedNegatives | None, folder: Path | None) -> str:
    if joined is None or folder is None:
        return (
            "this objective needs hard negatives: build them (compoclip negatives build) and give --negatives DIR, "
            "or give --negatives generate"
        )
    there = next(iter(joined.by_id), "none")
    here = next(itertools.chain.from_iterable(sample.caption_ids for sample in whole), "none")
    return (
        f"{folder}: captions with negatives: 0 of {whole.report.captions}; these are of other captions (ids such as "
        f"{there!r} there, {here!r} in the data), build them from {whole.name}"
    )


def _compare(manifest: Any, found: Coverage, folder: Path, by_text: bool) -> None:
    built = manifest.get("captions") if isinstance(manifest, dict) else None
    stated = manifest.get("captions_hash") if isinstance(manifest, dict) else None
    if found.changed:
        say(f"warning: {folder}: {found.changed} captions say something else now than when these were built")
    elif built != found.captions:
        say(f"negatives: built from {built} captions; the data contains {found.captions}")
    elif stated is not None and stated != captions_hash(found.total) and not by_text:
        say(f"negatives: built from as many captions ({built}), but not from the same ones or under other ids")


def read_joined(
    rows: Iterable[tuple[str, str, list[Any]]], kinds: frozenset[str], tokenizer: Any, weighting: str = "even"
) -> JoinedNegatives:
    """Rows of a build. kinds: those to keep, as far as a caption has any of them; none for all.

    weighting: "plausible" weighs each negative by exp(plausibility / 4), "text_only" by exp(-text_only), at most 1.
    Raises InputError where the build does not say so.
    """
    found = JoinedNegatives()
    even = weighting == "even"
    for caption_id, caption, negatives in rows:
        own = [row for row in negatives if row.kind in kinds] or negatives
        texts = [
            row.wrong if even or row.twin is not None else Weighed.of(row.text, _weight(row, weighting)) for row in own
        ]
        found.add(caption_id, caption, texts, tokenizer)
    return found


def _weight(negative: Any, weighting: str) -> float:
    nats = negative.plausibility if weighting == "plausible" else negative.text_only
    if nats is None:
        raise InputError(f"negative_weighting={weighting}: {_UNSAID[weighting]}, or take negative_weighting=even")
    return math.exp(min(0.0, nats / NATS if weighting == "plausible" else -nats))


_UNSAID = {
    "plausible": "this build does not say how plausible its negatives are (a model's and converted ones do not); build "
    "anew with `compoclip negatives build`",
    "text_only": "this build does not say how surely text alone tells its negatives; build anew with `compoclip "
    "negatives build --text-only`",
}
