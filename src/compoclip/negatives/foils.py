"""Foils of units: short true texts of a caption, each with one wrong detail, made by the kinds of negatives.

CS-CLIP (arXiv 2602.23906) pairs every unit with a minimally edited foil. Here the rules that make hard negatives of
captions make them of units; the caption and its siblings count as other true captions of the image, so that no foil
says or uses what one of them says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from compoclip.language.parser import Parsed
from compoclip.language.units import Unit, units
from compoclip.negatives.engine import Generator
from compoclip.negatives.types import Negative

FOIL_KINDS = (
    "replace-nouns",
    "replace-adjectives",
    "attribute-colour",
    "count",
    "replace-relations",
    "replace-prepositions",
    "replace-verbs",
    "swap-nouns",
)


class UnitWithFoils(NamedTuple):
    """A true short text, whether it names a thing or a relation, and wrong texts that differ from it in one detail."""

    unit: Unit
    foils: list[Negative]


def with_foils(
    generator: Generator, captions: Sequence[str], ids: Sequence[str], others: Sequence[Sequence[str]]
) -> Iterator[list[UnitWithFoils]]:
    """The units of each caption with their foils, in order; the units without a foil too, as they are true texts.

    generator: its kinds, seed and number a text make the foils (`FOIL_KINDS` fit). others[i]: other true captions of
    caption i's image. What comes out for a caption depends on its id and text, its siblings and the generator alone.

    >>> maker = Generator(FOIL_KINDS, per_caption=2)
    >>> [[u.unit.text for u in found] for found in with_foils(maker, ["a dog on a mat"], ["0"], [[]])]
    [['a dog', 'a mat']]
    """
    for parsed, caption_id, siblings in zip(generator.parser.parse(captions), ids, others):
        yield _of_caption(generator, parsed, caption_id, [parsed.text, *siblings])


def _of_caption(generator: Generator, parsed: Parsed, caption_id: str, truths: list[str]) -> list[UnitWithFoils]:
    found = units(parsed)
    names = [f"{caption_id}/{unit.text}" for unit in found]
    made = generator.run([unit.text for unit in found], names, [truths] * len(found)) if found else iter(())
    return [UnitWithFoils(unit, foils) for unit, foils in zip(found, made)]
