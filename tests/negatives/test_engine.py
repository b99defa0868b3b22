"""The engine on captions whose negatives can be worked out by hand."""

from __future__ import annotations

import pytest

from compoclip.errors import InputError
from compoclip.negatives import KINDS, Negative, Vocabulary, generate, resolve_kinds
from compoclip.negatives.kinds import exchange

WORLD = Vocabulary.from_captions(
    [
        "a red square to the left of a blue circle",
        "three green stars",
        "a large yellow triangle above a small purple heart",
        "a cross below a square",
    ]
)


def texts(caption: str, kind: str, per_caption: int = 20, **more: object) -> set[str]:
    [negatives] = generate([caption], kinds=[kind], per_caption=per_caption, **more)  # type: ignore[arg-type]
    assert all(isinstance(negative, Negative) and negative.kind == kind for negative in negatives)
    return {negative.text for negative in negatives}


def test_world_captions():
    caption = "a red square to the left of a blue circle"
    assert texts(caption, "swap-nouns") == {"a red circle to the left of a blue square"}
    assert texts(caption, "swap-adjectives") == {"a blue square to the left of a red circle"}
    assert texts(caption, "replace-relations") == {"a red square to the right of a blue circle"}
    for text in texts(caption, "replace-nouns", vocabulary=WORLD):
        assert set(text.split()) & {"star", "triangle", "heart", "cross"}
    for text in texts("three green stars", "replace-adjectives", vocabulary=WORLD):
        assert text in {f"three {colour} stars" for colour in ("red", "blue", "yellow", "purple")}


def test_article_number_and_case_follow_the_swap(monkeypatch):
    assert texts("A man rides an elephant.", "swap-nouns") == {"An elephant rides a man."}
    assert texts("Two dogs chase a cat.", "swap-nouns") == {"Two cats chase a dog."}
    monkeypatch.setattr(exchange, "LIMIT", 99.0)  # however ill it reads
    assert texts("A man standing on grass.", "swap-nouns") == {"Grass standing on a man."}


@pytest.mark.parametrize(
    "caption",
    [
        "A keyboard and monitor.",
        "a red square next to a blue square",
        "a dog next to a cat",
        "",
        "it",
        "Monitor and keyboard",
    ],
)
@pytest.mark.parametrize("kind", ["swap-nouns", "swap-adjectives"])
def test_swaps_that_would_say_the_same_are_not_made(caption, kind):
    assert texts(caption, kind) == set()


def test_one_caption_is_the_same_alone_among_others_and_in_another_order():
    captions = ["a man rides a brown horse", "three green stars", "a small dog on a red couch"]
    kinds = ["swap-nouns", "replace-nouns", "shuffle"]
    together = generate(captions, kinds, per_caption=3, seed=5)
    backwards = generate(captions[::-1], kinds, per_caption=3, seed=5)[::-1]
    alone = [generate([caption], kinds, per_caption=3, seed=5)[0] for caption in captions]
    assert together == backwards == alone
    assert generate(captions, kinds, per_caption=3, seed=6) != together
    assert generate(captions, kinds, per_caption=3, seed=5, epoch=1) != together


def test_true_captions_of_the_same_image_are_kept_out():
    caption, other = "a brown horse in a field", "a white animal stands on grass"
    assert "a white horse in a field" in texts(caption, "replace-adjectives", 50)
    assert not any("white" in text for text in texts(caption, "replace-adjectives", 50, others=[[other]]))


def test_edits_say_what_changed():
    caption = "a man rides a brown horse"
    [[negative]] = generate([caption], kinds=["replace-adjectives"], per_caption=1)
    [edit] = negative.edits
    assert caption[edit.start : edit.end] == edit.old == "brown"
    assert negative.text == caption[: edit.start] + edit.new + caption[edit.end :]


def test_kinds_and_bundles_resolve():
    assert resolve_kinds("swap-nouns,shuffle-bigram,swap-nouns") == ["swap-nouns", "shuffle-2"]
    assert set(resolve_kinds("fsc-clip")) <= set(KINDS)
    with pytest.raises(InputError, match="swap-noun'"):
        resolve_kinds("swap-noun")
    with pytest.raises(InputError):
        resolve_kinds("")


def test_lengths_must_agree():
    with pytest.raises(InputError, match="others has 0 entries for 1 captions"):
        generate(["a dog"], others=[])


def test_a_blocked_word_inside_a_longer_word_of_the_caption_is_refused_all_the_same():
    from compoclip.language.lexicon import is_blocked
    from compoclip.negatives.judge import Judge

    assert is_blocked("ass")
    assert Judge("A cow eats grass.").refuses("A cow eats ass.") == "blocked-word"
    assert Judge("A cow eats grass.").refuses("Grass eats a cow.") is None
