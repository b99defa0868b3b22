"""Foils of units: short true texts of a caption, each with one wrong detail, made by the kinds of negatives.

CS-CLIP (arXiv 2602.23906) pairs every unit with a minimally edited foil. Here the rules that make hard negatives of
captions make them of units; the caption and its siblings count as other true captions of the image, so that no foil
says or uses what one of them says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compoclip.data.extras import Unit, said
from compoclip.language.parser import Parsed, Parser
from compoclip.language.units import units
from compoclip.negatives.engine import Generator
from compoclip.negatives.vocabulary import Vocabulary

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
FOILS = 3  # of a unit, at most


def foil_generator(
    seed: int, epoch: int = 0, vocabulary: Vocabulary | None = None, parser: Parser | str | Path | None = None
) -> Generator:
    """The generator of `negatives build --units`."""
    return Generator(FOIL_KINDS, FOILS, seed, epoch, vocabulary, parser)


def units_of(
    generator: Generator, captions: Sequence[str], ids: Sequence[str], others: Sequence[Sequence[str]]
) -> Iterator[tuple[Unit, ...]]:
    """The units of each caption with their foils, in order; the units without a foil too, as they are true texts.

    generator: its kinds, seed and number a text make the foils (`foil_generator`). others[i]: other true captions of
    caption i's image. What comes out for a caption depends on its id and text, its siblings and the generator alone.

    >>> list(units_of(foil_generator(seed=0), ["a dog on a mat"], ["0"], [[]]))[0][0].text
    'a dog'
    """
    for parsed, caption_id, siblings in zip(generator.parser.parse(captions), ids, others):
        yield _of_caption(generator, parsed, caption_id, [parsed.text, *siblings])


def _of_caption(generator: Generator, parsed: Parsed, caption_id: str, truths: list[str]) -> tuple[Unit, ...]:
    found = units(parsed)
    names = [f"{caption_id}/{unit.text}" for unit in found]
    made = generator.run([unit.text for unit in found], names, [truths] * len(found)) if found else iter(())
    heard = [f" {said(text)} " for text in truths]
    rows = [dict.fromkeys(foil.text for foil in foils if not _says(heard, foil.text)) for foils in made]
    return tuple(Unit(unit.text, unit.kind, tuple(foils)) for unit, foils in zip(found, rows))


def _says(heard: list[str], text: str) -> bool:
    """Whether a caption of the image has the text's words in a row, so that it is true."""
    return any(f" {said(text)} " in one for one in heard)
