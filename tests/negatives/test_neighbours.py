"""Open vocabulary: nouns of the captions at hand that stand in the same places, and never together."""

from __future__ import annotations

from compoclip.negatives import Generator, Vocabulary
from compoclip.negatives.candidates import neighbours, noun_candidates
from compoclip.negatives.judge import same_thing
from compoclip.negatives.neighbours import akin

PLACES = ("in the park", "near a fence", "beside a tree", "under a bridge", "behind the house")
ANIMALS = ("zebra", "giraffe", "camel", "llama")
CAPTIONS = [
    f"a {animal} {verb} {place}"
    for animal in ANIMALS
    for verb in ("sleeps", "runs", "eats", "swims")
    for place in PLACES
]
CAPTIONS += [f"a man holds a {thing} {place}" for thing in ("hammer", "saw") for place in PLACES]


def test_nouns_in_the_same_places_are_neighbours() -> None:
    vocabulary = Vocabulary.from_captions(CAPTIONS)
    found = set(neighbours(vocabulary).of("zebra"))
    assert found
    assert found <= set(ANIMALS) - {"zebra"}
    assert found & set(noun_candidates("zebra", vocabulary).words)


def test_what_captions_name_together_is_no_neighbour() -> None:
    together = [f"a man holds a hammer and a saw {place}" for place in PLACES] * 3
    vocabulary = Vocabulary.from_captions(CAPTIONS + together)
    assert "saw" not in neighbours(vocabulary).of("hammer")


def test_classes_that_are_too_wide_make_nothing_akin() -> None:
    assert akin("sofa", "bench")
    assert not akin("truck", "vase")


def test_words_that_may_be_said_of_one_thing_are_struck_out() -> None:
    assert same_thing("dog", "puppy")
    assert same_thing("car", "vehicle")
    assert not same_thing("dog", "cat")


def test_person_without_an_article_becomes_another_role() -> None:
    generator = Generator("replace-nouns", 6)
    named = next(generator.run(["person poses in front of a large painting"], ["x"]))
    new = {negative.edits[0].new for negative in named if negative.edits[0].old == "person"}
    assert new
    assert not new & {"dog", "cat", "horse", "cow", "sheep", "bear"}
