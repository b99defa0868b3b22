"""Further texts of a caption that some objectives learn from: its units with their foils, its phrases, paraphrases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from compoclip.data.order import draw, shuffled
from compoclip.data.sources.base import Sample

_NOT_WORDS = re.compile(r"[\W_]+")


class Unit(NamedTuple):
    """A short text that is true because its caption is, and texts that differ from it in one wrong detail."""

    text: str
    kind: Literal["entity", "relation"]
    foils: tuple[str, ...] = ()


class Twinned(str):
    """A wrong caption that comes with a true one of its own, `twin`, which is to stand in the caption's place."""

    twin: str

    def __new__(cls, text: str, twin: str = "") -> Twinned:
        made = super().__new__(cls, text)
        made.twin = twin
        return made


class Weighed(str):
    """A negative that is drawn more or less often than others: by `weight`, against their 1."""

    __slots__ = ("weight",)
    weight: float

    @classmethod
    def of(cls, text: str, weight: float) -> Weighed:
        found = cls(text)
        found.weight = weight
        return found


class UnitLookup(Protocol):
    """Where the units of captions come from."""

    def units(self, samples: Sequence[Sample], numbers: Sequence[int], epoch: int) -> Sequence[Sequence[Unit]]:
        """For each sample, the units of its caption of that number."""
        ...


@dataclass(frozen=True)
class Wanted:
    """How many further texts a caption brings into a batch, at most; 0 for none. texts: of a joined image."""

    units: int = 0
    phrases: int = 0
    paraphrases: int = 0
    texts: int = 0

    def __bool__(self) -> bool:
        return bool(self.units or self.phrases or self.paraphrases or self.texts)


NOTHING = Wanted()


@dataclass(frozen=True)
class Extras:
    """Further texts of one row of a batch. units: (unit, its foil) pairs; texts: all true ones of a joined image."""

    units: list[tuple[str, str]] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    paraphrases: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def said(text: str) -> str:
    """What a text says, without case, punctuation and spaces: texts alike in this are the same caption."""
    return _NOT_WORDS.sub(" ", text.casefold()).strip()


def choose(sample: Sample, number: int, found: Sequence[Unit], wanted: Wanted, *key: object) -> Extras:
    """The further texts of a caption: a function of the caption, its units and `key` (seed, epoch).

    Of units a relation comes first, then entities, as CS-CLIP draws them (arXiv 2602.23906); where a caption has fewer
    with a foil, one is repeated with another of its foils. Phrases are its entities. Paraphrases are the other captions
    of its image (READ, arXiv 2510.16540), without those that say the same.
    """
    key = (*key, sample.image_id, number)
    phrases, others = [], []
    if wanted.phrases:
        phrases = list({said(unit.text): unit.text for unit in found if unit.kind == "entity"}.values())
    if wanted.paraphrases:
        own = said(sample.captions[number])
        others = [text for text in dict.fromkeys(sample.captions) if said(text) != own]
    return Extras(
        units=_pairs(found, wanted.units, *key),
        phrases=draw(phrases, wanted.phrases, "phrases", *key),
        paraphrases=draw(others, wanted.paraphrases, "paraphrases", *key),
    )


def _pairs(found: Sequence[Unit], count: int, *key: object) -> list[tuple[str, str]]:
    paired = [unit for unit in found if unit.foils]
    if not count or not paired:
        return []
    relations = shuffled([unit for unit in paired if unit.kind == "relation"], "relations", *key)
    entities = shuffled([unit for unit in paired if unit.kind == "entity"], "entities", *key)
    ordered = [*relations[:1], *entities, *relations[1:]]
    pairs = []
    for slot in range(count):
        turn, place = divmod(slot, len(ordered))
        unit = ordered[place]
        foils = shuffled(unit.foils, "foils", unit.text, *key)
        pairs.append((unit.text, foils[turn % len(foils)]))
    return pairs
