"""Further texts of a caption: drawn by the paper's order, the same each time, never the caption again."""

from __future__ import annotations

import numpy as np

from compoclip.data.extras import Unit, Wanted, choose
from compoclip.data.images import PixelImage
from compoclip.data.sources import Sample

UNITS = (
    Unit("a dog chasing a ball", "relation", ("a dog holding a ball", "a ball chasing a dog")),
    Unit("a ball on the grass", "relation", ("a ball under the grass",)),
    Unit("a dog", "entity", ("a cat",)),
    Unit("a ball", "entity", ()),
    Unit("A dog", "entity", ("a cow",)),
)


def _sample(*captions: str) -> Sample:
    return Sample(PixelImage(np.zeros((4, 4, 3), dtype=np.uint8), "photo"), captions, "photo")


def test_a_relation_comes_first_then_entities() -> None:
    sample = _sample("A dog chasing a ball on the grass.")
    for epoch in range(20):
        found = choose(sample, 0, UNITS, Wanted(units=3), 0, epoch).units
        kinds = [next(unit.kind for unit in UNITS if unit.text == text) for text, _ in found]
        assert kinds == ["relation", "entity", "entity"]
        assert all(any(unit.text == text and foil in unit.foils for unit in UNITS) for text, foil in found)
    firsts = {choose(sample, 0, UNITS, Wanted(units=1), 0, epoch).units[0] for epoch in range(40)}
    assert len(firsts) == 3  # every foil of every relation has its turn
    assert choose(sample, 0, UNITS, Wanted(units=3), 0, 7) == choose(sample, 0, UNITS, Wanted(units=3), 0, 7)


def test_a_lone_unit_is_repeated_with_its_other_foil() -> None:
    found = choose(_sample("a dog chasing a ball"), 0, UNITS[:1], Wanted(units=3), 1).units
    assert [text for text, _ in found] == [UNITS[0].text] * 3
    assert {foil for _, foil in found[:2]} == set(UNITS[0].foils)
    assert choose(_sample("a ball"), 0, UNITS[3:4], Wanted(units=3), 1).units == []


def test_phrases_are_entities_without_repeats() -> None:
    assert sorted(choose(_sample("a dog"), 0, UNITS, Wanted(phrases=8), 0).phrases) == ["A dog", "a ball"]
    assert len(choose(_sample("a dog"), 0, UNITS, Wanted(phrases=1), 0).phrases) == 1


def test_paraphrases_are_other_captions_that_say_something_else() -> None:
    sample = _sample("a dog", "A dog.", "one dog outside", "a brown animal")
    assert choose(sample, 0, (), Wanted(paraphrases=9), 0).paraphrases == ["one dog outside", "a brown animal"]
    drawn = {tuple(choose(sample, 0, (), Wanted(paraphrases=1), 0, epoch).paraphrases) for epoch in range(20)}
    assert drawn == {("one dog outside",), ("a brown animal",)}
    assert choose(_sample("a dog"), 0, UNITS, Wanted(paraphrases=1), 0).paraphrases == []
