"""Foils of units: short true texts of a caption, each with one wrong detail, made by the kinds of negatives.

CS-CLIP (arXiv 2602.23906) pairs every unit with a minimally edited foil. Here the rules that make hard negatives of
captions make them of units; the caption and its siblings count as other true captions of the image, so that no foil
says or uses what one of them says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from compoclip.data.extras import Unit, said
from compoclip.language.lexicon import lemma
from compoclip.language.parser import Parser
from compoclip.language.units import units
from compoclip.negatives.candidates import is_animate
from compoclip.negatives.engine import Generator
from compoclip.negatives.kinds.exchange import LIMIT_MORE
from compoclip.negatives.types import Negative
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
TOGETHER = 256  # captions whose units are parsed in one batch


def foil_generator(
    seed: int, epoch: int = 0, vocabulary: Vocabulary | None = None, parser: Parser | str | Path | None = None
) -> Generator:
    """The generator of `negatives build --units`."""
    return Generator(FOIL_KINDS, FOILS, seed, epoch, vocabulary, parser, weigh=True)


def units_of(
    generator: Generator,
    captions: Sequence[str],
    ids: Sequence[str],
    others: Sequence[Sequence[str]],
    parser: Parser | None = None,
) -> Iterator[tuple[Unit, ...]]:
    """The units of each caption with their foils, in order; the units without a foil too, as they are true texts.

    generator: its kinds, seed and number a text make the foils (`foil_generator`). others[i]: other true captions of
    caption i's image. parser: for the captions, where it is another than the generator's. What comes out for a caption
    depends on its id and text, its siblings and the generator alone.

    >>> list(units_of(foil_generator(seed=0), ["a dog on a mat"], ["0"], [[]]))[0][0].text
    'a dog'
    """
    parsed = (parser or generator.parser).parse(captions)
    for start in range(0, len(captions), TOGETHER):
        span = slice(start, start + TOGETHER)
        here = zip(captions[span], ids[span], others[span])
        rows = [(units(next(parsed)), one, [text, *more]) for text, one, more in here]
        flat = [(unit.text, f"{one}/{unit.text}", truths) for found, one, truths in rows for unit in found]
        made = generator.run(*map(list, zip(*flat))) if flat else iter(())
        for found, _, truths in rows:
            heard = [f" {said(text)} " for text in truths]
            yield tuple(Unit(unit.text, unit.kind, _foils(next(made), heard)) for unit in found)


def _foils(made: Sequence[Negative], heard: list[str]) -> tuple[str, ...]:
    good = (foil.text for foil in made if not (_says(heard, foil.text) or _unfit(foil)))
    return tuple(dict.fromkeys(good))


def _unfit(foil: Negative) -> bool:
    """Whether "a woman" became "two women", which may be true where the rest of the caption has another; or two nouns
    changed places that nobody would mistake for each other, as in "a stream over a rocky duck"."""
    if foil.kind == "count":
        return any(edit.old.lower() in ("a", "an") for edit in foil.edits)
    if not foil.kind.startswith("swap"):
        return False
    living = {is_animate(lemma(edit.old.lower().split()[-1], "n")) for edit in foil.edits}
    return len(living) > 1 or (foil.plausibility or 0.0) < -LIMIT_MORE


def _says(heard: list[str], text: str) -> bool:
    """Whether a caption of the image has the text's words in a row, so that it is true."""
    return any(f" {said(text)} " in one for one in heard)
