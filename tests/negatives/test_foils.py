"""Foils: wrong in one detail, never what a caption of the image says, and the same whatever stands around."""

from __future__ import annotations

from compoclip.negatives import Generator
from compoclip.negatives.foils import FOIL_KINDS, with_foils

CAPTIONS = [
    "a large brown dog is chasing a red ball in front of the old house",
    "a woman in a blue coat stands beside a white horse",
    "two children sit on a wooden bench",
]
SIBLINGS = [["a cat watches a dog with a ball"], [], ["three children on a green bench in a park"]]


def test_units_come_with_foils_that_differ_in_one_detail() -> None:
    generator = Generator(FOIL_KINDS, per_caption=3, seed=0)
    found = list(with_foils(generator, CAPTIONS, ["0", "1", "2"], SIBLINGS))
    assert [len(units) >= 2 for units in found] == [True] * 3
    foils = [(row.unit, foil, index) for index, units in enumerate(found) for row in units for foil in row.foils]
    assert len(foils) > 20
    assert {unit.kind for unit, *_ in foils} == {"entity", "relation"}
    for unit, foil, index in foils:
        assert foil.text.lower() != unit.text.lower()
        assert foil.kind in FOIL_KINDS
        if foil.kind.startswith("replace-nouns"):
            new = {edit.new.lower() for edit in foil.edits}
            said = set(" ".join([CAPTIONS[index], *SIBLINGS[index]]).lower().split())
            assert not new & said, (foil.text, new & said)


def test_foils_do_not_depend_on_the_captions_around() -> None:
    generator = Generator(FOIL_KINDS, per_caption=2, seed=3)
    together = list(with_foils(generator, CAPTIONS, ["0", "1", "2"], SIBLINGS))
    alone = list(with_foils(generator, CAPTIONS[1:2], ["1"], SIBLINGS[1:2]))
    assert alone[0] == together[1]


def test_a_caption_without_units_has_none() -> None:
    assert list(with_foils(Generator(FOIL_KINDS, 1), ["", "wow !"], ["0", "1"], [[], []])) == [[], []]
