"""Each kind on captions whose negatives are known by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from compoclip.negatives import BUNDLES, KINDS, generate, resolve_kinds
from compoclip.negatives.judge import normalised


def texts(caption: str, kind: str, seed: int = 0) -> set[str]:
    return {negative.text for negative in generate([caption], [kind], per_caption=60, seed=seed)[0]}


@pytest.mark.parametrize(
    ("kind", "caption", "expected"),
    [
        ("swap-nouns", "A man rides a brown horse.", set()),  # no colour comes to a person
        ("swap-nouns", "A dog chases a brown horse.", {"A horse chases a brown dog."}),
        ("swap-nouns", "Two dogs chase a cat.", {"Two cats chase a dog."}),
        ("swap-noun-phrases", "A man rides a brown horse.", {"A brown horse rides a man."}),
        ("swap-adjectives", "A big dog with a small cat.", {"A small dog with a big cat."}),
        ("swap-adjectives", "A tall man with a red hat.", set()),  # he may pass for a red one
        (
            "swap-adverbs",
            "a man slowly walks while a dog quickly runs",
            {"a man quickly walks while a dog slowly runs"},
        ),
        (
            "swap-adverbs",
            "A plane flies high while a bird flies low.",
            {"A plane flies low while a bird flies high."},
        ),
        ("swap-adverbs", "Three zebras walk calmly along close together.", set()),
        ("replace-relations", "A dog in front of a car.", {"A dog behind a car."}),
        (
            "replace-relations",
            "A red ball above a blue box.",
            {"A red ball below a blue box.", "A red ball under a blue box."},
        ),
        ("replace-adverbs", "A man looks up.", {"A man looks down."}),
        ("replace-adverbs", "A woman puts on make up.", set()),
        (
            "negation",
            "A dog sitting on the grass.",
            {"A dog not sitting on the grass.", "No dog sitting on the grass."},
        ),
    ],
)
def test_all_negatives_of_a_caption(kind, caption, expected):
    assert texts(caption, kind) == expected


@pytest.mark.parametrize(
    ("kind", "caption", "some"),
    [
        (
            "swap-verb-phrases",
            "A man eating cake next to a dog chasing a cat.",
            "A man chasing a cat next to a dog eating cake.",
        ),
        ("replace-verbs", "A man throws a ball.", "A man catches a ball."),
        ("replace-verbs", "Two women walking down a street.", "Two women running down a street."),
        ("replace-prepositions", "A cat on a table.", "A cat under a table."),
        ("replace-nouns", "Two old men on a bench", "Two old women on a bench"),
        ("replace-adjectives", "A bigger dog than the others", "A smaller dog than the others"),
        ("attribute-colour", "A red car", "A blue car"),
        ("attribute-size", "A tall man", "A short man"),
        ("attribute-material", "A wooden bench", "A metal bench"),
        ("attribute-state", "An open door", "A closed door"),
        ("count", "Two dogs on grass", "Three dogs on grass"),
        ("count", "Exactly two dogs on grass", "Exactly one dog on grass"),
        ("count", "A man with a dog", "A man with two dogs"),
        ("negation", "A man with a dog", "A man with no dog"),
        ("absence", "A dog chases a frisbee on the grass.", "a dog with no frisbee"),
        ("swap-across", "A red cup on a table. A blue hat.", "A blue cup on a table. A red hat."),
        (
            "swap-across",
            "A dog sleeps in a basket. A cat sits on a chair.",
            "A cat sleeps in a basket. A dog sits on a chair.",
        ),
        ("negation", "There is a dog on a bed.", "There is no dog on a bed."),
    ],
)
def test_a_negative_is_among_them(kind, caption, some):
    assert some in set().union(*(texts(caption, kind, seed) for seed in range(10)))


@pytest.mark.parametrize(
    ("kind", "caption"),
    [
        ("replace-verbs", "A clock sits on a shelf."),  # it stands there too
        ("replace-relations", "A pizza topped with cheese"),
        ("swap-noun-phrases", "A dog and a cat"),
        ("swap-nouns", "A bicyclist does maneuvers"),  # a deed, not a thing
        ("attribute-colour", "A tall man"),
        ("count", "Some grass"),
        ("swap-adverbs", "A dog next to a cat"),
        ("absence", "A dog with no hat sits on a bench."),  # which says of another thing that it is not there
        ("absence", "A dog chases a frisbee. It runs."),
        ("swap-across", "A dog chases two cats."),  # one sentence
        ("swap-across", "A dog on grass. A puppy on grass."),  # may be one thing
        ("swap-across", "A snowy hill. A yellow shirt."),  # which may be both
    ],
)
def test_captions_that_a_kind_leaves_alone(kind, caption):
    assert texts(caption, kind) == set()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.startswith(("shuffle", "order"))])
def test_word_orders_keep_the_words(kind):
    caption = "A small dog chases two large cats across the wet grass in a park."
    found = texts(caption, kind)
    assert found
    same = str.maketrans({})
    for text in found:
        words = [word for word in normalised(text).translate(same).split() if word not in ("a", "an")]
        assert Counter(words) == Counter(word for word in normalised(caption).split() if word not in ("a", "an"))
        assert text.endswith(".")


@pytest.mark.parametrize("length", [2, 3, 4])
def test_shuffled_pieces_stay_whole(length):
    caption = "two men see eight old brown dogs behind three new red cars"
    words = caption.split()
    pieces = {" ".join(words[at : at + length]) for at in range(0, 12, length)}
    found = texts(caption, f"shuffle-{length}")
    assert found
    assert all(piece in text for piece in pieces for text in found)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_described_and_keeps_to_its_name(kind):
    assert 10 < len(KINDS[kind].description) < 80
    captions = ["A tall man quickly holding two red cups near an old wooden table.", "a dog", ""]
    for caption, negatives in zip(captions, generate(captions, [kind], per_caption=5)):
        for negative in negatives:
            assert negative.kind == kind
            assert normalised(negative.text) != normalised(caption)
            for edit in negative.edits:
                assert caption[edit.start : edit.end] == edit.old


def test_bundles_name_kinds():
    assert {"negclip", "fsc-clip", "degla", "svlc"} <= set(BUNDLES)
    for name in BUNDLES:
        assert resolve_kinds(name) == list(BUNDLES[name])
    assert len(BUNDLES["degla"]) == 5
