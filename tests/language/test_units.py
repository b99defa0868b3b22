"""Units of captions: what is read off real parses, and that every unit is said by its caption."""

from __future__ import annotations

import pytest

from compoclip.language.parser import Parsed, shared_parser
from compoclip.language.units import noun_phrases, relations, units

CASES = [
    (
        "A large brown dog is chasing a red ball in front of the old house .",
        ["a large brown dog", "a red ball", "the old house"],
        ["a large brown dog chasing a red ball"],
    ),
    (
        "a man sleeping on a bench with a white and black dog",
        ["a man", "a bench", "a white and black dog"],
        ["a man sleeping on a bench"],
    ),
    ("a black and white cat", ["a black and white cat"], []),
    ("Two men, a woman and their dog", ["two men", "a woman", "their dog"], []),
    ("A man who is not holding a cup sits on a car", ["a man", "a cup", "a car"], ["a man sits on a car"]),
    ("NASA engineers stand beside a rocket", ["NASA engineers", "a rocket"], ["NASA engineers stand beside a rocket"]),
    (
        "A group of kids in shorts walks past a bank of lockers .",
        ["a group of kids", "kids", "shorts", "a bank of lockers", "lockers"],
        ["a group of kids in shorts", "a group of kids walks past a bank of lockers"],
    ),
    ("A man and woman stand in a park", ["a man", "a woman", "a park"], ["a man stands in a park"]),
    ("Two dogs playing in the snow with something", ["two dogs", "the snow"], ["two dogs playing in the snow"]),
    ("A dog holds a bird in its mouth", ["a dog", "a bird", "its mouth"], ["a dog holds a bird"]),
    ("it is raining", [], []),
    ("", [], []),
]


def parse(text: str) -> Parsed:
    return next(shared_parser().parse([text]))


@pytest.mark.parametrize(("caption", "entities", "facts"), CASES)
def test_units_of_a_caption(caption: str, entities: list[str], facts: list[str]) -> None:
    parsed = parse(caption)
    assert [unit.text for unit in noun_phrases(parsed)] == entities
    assert [unit.text for unit in relations(parsed)][: len(facts)] == facts
    if not facts:
        assert not [unit for unit in relations(parsed) if "not" not in caption]


def test_what_no_picture_shows_is_part_of_relations_alone() -> None:
    found = units(parse("A man jumping in the air for the camera"))
    assert [unit.text for unit in found] == ["a man jumping in the air", "a man jumping for the camera", "a man"]


def test_the_whole_caption_is_no_unit_and_nothing_comes_twice() -> None:
    assert [unit.text for unit in units(parse("A dog on a mat"))] == ["a dog", "a mat"]
    assert [unit.text for unit in units(parse("a dog beside a dog"))] == ["a dog"]


def test_every_word_of_a_unit_stands_in_its_caption() -> None:
    captions = [caption for caption, *_ in CASES] + [
        "A little girl covered in paint sits in front of a painted rainbow with her hands in a bowl .",
        "person faced the media for the first time since his appointment earlier this week",
        "close-up of a blue-green bird's wing -- wow!!",
    ]
    found = 0
    for parsed in shared_parser().parse(captions):
        said = parsed.text.lower().split() + [word.lower() for word in parsed.words]
        for unit in units(parsed):
            found += 1
            kept = [word.replace("stands", "stand") for word in unit.text.lower().split()]  # the one that agrees anew
            assert all(any(word in token for token in said) for word in kept), unit
            assert all(parsed.tags[head].startswith("NN") for head in unit.heads)
    assert found > 30
