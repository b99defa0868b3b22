"""Captions as they come: titles, capitals, several sentences, long ones, other languages."""

from __future__ import annotations

import pytest

from compoclip.language.identify import other_language
from compoclip.negatives import Generator, Negative
from compoclip.negatives.written import Written, style, true_case

CONTENT = "replace-nouns,swap-nouns,replace-adjectives,count"


def made(caption: str, kinds: str = CONTENT, most: int = 12, **options: object) -> list[Negative]:
    return next(Generator(kinds, most, **options).run([caption], ["x"]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Young Woman Walking With Her Dog", "title"),
        ("RED CAR FOR SALE", "upper"),
        ("A man in New York rides a bike", ""),
        ("A dog", ""),
    ],
)
def test_style(text: str, expected: str) -> None:
    assert style(text) == expected


def test_true_case_lowers_what_the_lexicon_knows() -> None:
    assert true_case("Dogs", "title") == "dogs"
    assert true_case("WITH", "upper") == "with"
    assert true_case("NASA", "title") == "NASA"
    assert true_case("Zyxtron", "title") == "Zyxtron"


def test_titles_and_capitals_keep_their_case() -> None:
    title = made("Young Woman Walking With Her Dog In The Park")
    assert {n.kind for n in title} >= {"replace-nouns", "replace-adjectives"}
    assert all(word[0].isupper() for n in title for word in n.text.split())
    capitals = made("RED CAR PARKED IN FRONT OF A WHITE HOUSE")
    assert len(capitals) > 3
    assert all(n.text.isupper() for n in capitals)


def test_edits_say_what_stood_in_the_caption() -> None:
    for caption in ("Young Woman With Her Dog", "A cat sleeps. A man rides a horse.", "TWO DOGS RUN ON A BEACH"):
        for negative in made(caption):
            for edit in negative.edits:
                assert caption[edit.start : edit.end] == edit.old


def test_sentences_are_changed_one_at_a_time() -> None:
    caption = "A dog sits on a red rug. Two cups stand on a small table."
    negatives = made(caption, "swap-nouns,swap-adjectives,shuffle-2", 20)
    assert negatives
    for negative in negatives:
        first, second = negative.text.split(". ")
        assert (first + "." == "A dog sits on a red rug.") != (second == "Two cups stand on a small table.")
        assert first[0].isupper()
        assert second[0].isupper()


def test_every_mention_gives_way() -> None:
    caption = "A man rides a horse. The horse is brown. Two horses stand behind a barn."
    replaced = [n.text for n in made(caption, "replace-nouns", 30) if n.edits[0].old == "horse"]
    assert replaced
    assert not any("horse" in text for text in replaced)


def test_only_what_is_read_is_changed() -> None:
    caption = "A dog sits on a rug. " + "The red house has a white door. " * 14
    assert {n.edits[0].start for n in made(caption, "replace-nouns")} <= set(range(300))
    short = made(caption, "replace-nouns", 30, reads=lambda text: 25)
    assert short
    assert all(n.text.endswith(caption[20:].strip()) for n in short)


def test_pieces_do_not_break_at_abbreviations() -> None:
    assert len(Written("Mr. Smith stands at St. James Park. A dog runs.").pieces) == 2


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("ein Hund auf der Wiese", "de"),
        ("un homme dans la rue avec un chien", "fr"),
        ("un perro en la playa con los niños", "es"),
        ("犬が芝生の上にいる", "zh"),
        ("собака на траве", "ru"),
        ("A dog on the grass", ""),
        ("die cast model car", ""),
        ("", ""),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert other_language(text) == language


def test_other_languages_are_counted_and_left_alone() -> None:
    generator = Generator("shuffle-1", 2)
    found = list(generator.run(["ein Hund auf der Wiese", "A dog on the grass"], ["a", "b"]))
    assert [bool(negatives) for negatives in found] == [False, True]
    assert generator.languages == {"de": 1}
    assert made("ein Hund auf der Wiese", "shuffle-1", english_only=False)
