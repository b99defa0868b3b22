"""What reading replaced nouns turned up, one row a mend: which nouns stay, and what may not stand in their place."""

from __future__ import annotations

import re

import pytest

from compoclip.language.classes import members, near_synonyms
from compoclip.language.scenes import fits
from compoclip.negatives import Vocabulary, generate
from compoclip.negatives.candidates import noun_candidates
from compoclip.negatives.vocabulary import default_vocabulary


def texts(caption: str, seeds: int = 12) -> set[str]:
    """All negatives over several seeds."""
    found = (generate([caption], ["replace-nouns"], per_caption=60, seed=seed)[0] for seed in range(seeds))
    return {negative.text for negatives in found for negative in negatives}


@pytest.mark.parametrize(
    ("caption", "kept"),
    [
        ("The intersection of two streets near a dog.", "intersection of two streets"),
        ("A dog on the lid of a toilet.", "lid of a toilet"),
        ("A dog under a sign for the zoo.", "sign for"),
        ("A clock set to three above a dog.", "clock set"),
        ("A dog sleeps with its head on a pillow.", "its head"),
        ("A dog on its hind legs.", "hind legs"),
        ("A woman takes another woman's frisbee on a bench.", "A woman takes another woman's"),
        ("A boy and a second dog on a bench.", "second dog"),
        ("A couple are posing near a dog.", "couple are"),
        ("A dog near rice with chicken.", "with chicken"),
        ("A dog watching television.", "watching television"),
        ("A pick up truck near a dog.", "truck"),
        ("A dog is in tall grass.", "tall grass"),
        ("A dog near some grass growing in a case.", "grass growing"),
        ("A dog near a pen and a book.", "a pen"),
        ("A dog holding a magnifying glass.", "magnifying glass"),
        ("A jar of honey beside a dog.", "honey"),
        ("A semi truck near a dog.", "truck"),
        ("A microwave oven on a bench.", "microwave oven"),
        ("A dog is looking through the glass.", "the glass"),
        ("A dog posing for the camera.", "the camera"),
        ("A dog in a hard hat.", "hard hat"),
        ("The sun is setting behind a dog.", "sun is"),
        ("A dog and a boy giving the peace sign.", "peace sign"),
        ("A four wheel drive car is splashing a dog on an off road trail.", "four wheel drive car"),
    ],
)
def test_what_would_make_no_sense_stays(caption, kept):
    found = texts(caption)
    assert found
    assert all(kept in text for text in found), found


@pytest.mark.parametrize(
    ("caption", "never"),
    [
        ("A man plays with his two dogs.", r"woman|girl|lady"),
        ("A woman brushes her hair.", r"\bman\b|boy|guy"),
        ("An old man on a bench.", r"child|girl|boy"),
        ("A bearded man on a bench.", r"child|girl|boy|woman"),
        ("A pregnant woman on a bench.", r"\bman\b|child|boy"),
        ("A slice of pizza on a plate.", r"soup|pasta|salad"),
        ("Piles of donuts on a table.", r"soup|salad|pasta"),
        ("A plate holding a cake.", r"soup"),
        ("A surfer on a wave.", r"chef|nurse|pilot|soldier"),
        ("A chef in a kitchen.", r"restaurant"),
        ("A pair of shoes on a bench.", r"boot|sneaker|sandal"),
        ("A man in a black suit.", r"costume"),
        ("A glass of orange juice.", r"orange (coffee|milk|beer|wine|tea)"),
        ("A batter at the plate.", r"pan|basket"),
        ("Three people at a restaurant.", r"at a (kitchen|bathroom|bedroom|office)"),
        ("A phone in his hand.", r"in his (leg|head|shoulder)"),
        ("Black cat with green eyes.", r"dogs|birds"),
        ("A hot dog on a bun.", r"\b(cat|bird|dog)\b"),
        ("The inside of a car.", r"bicycle|motorcycle|scooter"),
        ("A girl wearing a backpack.", r"suitcase|basket|box"),
        ("A few brown dogs play in some dirt.", r"(bird|cat|rabbit|monkey|parrot) play"),
        ("A man in a kayak.", r"canoe"),
        ("A dog in boots.", r"sock"),
        ("A man riding a bicycle through the forest.", r"through the beach"),
        ("Three boys playing soccer.", r"football|rugby"),
        ("Two riders wearing helmets on a beach.", r"glove"),
        ("A boy in red shorts on a bench.", r"skirt"),
        ("A man in a knit hat on a bench.", r"a (knit )?glove\b"),
    ],
)
def test_what_may_not_stand_there(caption, never):
    found = texts(caption)
    assert found
    assert not [text for text in found if re.search(never, text)], found


def test_a_body_part_gives_way_only_where_something_is():
    assert {text for text in texts("A phone in his hand.") if "hand" not in text} == {
        "A phone in his foot.",
        "A phone in his mouth.",
    }


def test_an_animal_stands_where_no_other_person_may():
    assert "A horse takes a bite of her pizza." in texts("A girl takes a bite of her pizza.", 40)


def test_several_stay_several():
    assert any("zebra" not in text for text in texts("A herd of zebra on a road."))
    assert not [text for text in texts("A herd of zebra on a road.") if re.search(r"herd of (bear|giraffe)\b", text)]


@pytest.mark.parametrize(("preposition", "noun"), [("in", "head"), ("in", "door"), ("at", "pan"), ("at", "bathroom")])
def test_prepositions_that_do_not_fit(preposition, noun):
    assert not fits(preposition, noun)


def test_everyday_captions_need_no_wordnet():
    """There it would put a slab for a marker; captions of another world have nothing else."""
    assert not noun_candidates("marker", default_vocabulary()).words
    world = Vocabulary.from_captions(["a lynx beside a puma", "an ocelot beside a lynx"])
    assert "puma" in noun_candidates("lynx", world).words


def test_those_who_do_not_fit_are_no_candidates():
    everyone = noun_candidates("man", default_vocabulary()).words
    assert {"woman", "girl", "child"} <= set(everyone)
    assert set(noun_candidates("man", default_vocabulary(), frozenset({"woman", "girl"})).words) == {*everyone} - {
        "woman",
        "girl",
    }


def test_names_of_two_words_have_classes_and_relatives():
    assert "pizza" in members("n")["hot dog"]
    assert "restaurant" in near_synonyms("dining room")
