"""The lexicon against facts of English, and its promise to leave insults out."""

from __future__ import annotations

import lzma
from importlib import resources

import pytest

from compoclip.language.inflect import _engine, indefinite_article, inflect
from compoclip.language.lexicon import is_blocked, lemma, shared_lexicon


@pytest.mark.parametrize(
    ("form", "pos", "expected"),
    [
        ("women", "n", "woman"),
        ("buses", "n", "bus"),
        ("children", "n", "child"),
        ("knives", "n", "knife"),
        ("ponies", "n", "pony"),
        ("grass", "n", "grass"),
        ("running", "v", "run"),
        ("stopped", "v", "stop"),
        ("rode", "v", "ride"),
        ("riding", "v", "ride"),
        ("bigger", "a", "big"),
        ("Dogs", "n", "dog"),
        ("xyzzys", "n", "xyzzys"),
    ],
)
def test_lemmas(form, pos, expected):
    assert lemma(form, pos) == expected


def test_senses_relations_and_antonyms():
    lexicon = shared_lexicon()
    dog = lexicon.senses("dog", "n")[0]
    assert dog.rank == 1
    assert dog.tagged > 0
    assert lexicon.lexfile(dog.synset) == 5
    above = {word for synset in lexicon.ancestors(dog.synset) for word in lexicon.words(synset)}
    assert {"dog", "canine", "animal", "entity"} <= above
    [canine] = [s for s in lexicon.parents(dog.synset) if "canine" in lexicon.words(s)]
    assert dog.synset in lexicon.descendants(canine, 1)
    assert set(lexicon.descendants(canine, 1)) < set(lexicon.descendants(canine, 3))
    assert lexicon.antonyms("tall", "a") == ["short"]
    assert lexicon.antonyms("dog", "n") == []
    assert lexicon.senses("xyzzy", "n") == ()


def test_order_does_not_depend_on_the_process():
    """The table is sorted by part of speech, lexicographer file and word: numbers are the same wherever it is built."""
    data = resources.files("compoclip.language").joinpath("tables", "wordnet.xz").read_bytes()
    lines = lzma.decompress(data).decode().splitlines()
    keys = [(line[0], line.split("\t")[0][1:].zfill(2), line.split("\t")[1].split(":")[0]) for line in lines]
    assert keys == sorted(keys)
    assert len(data) < 1_800_000


def test_insults_are_blocked_and_named_nowhere():
    rot13 = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")
    insults = [
        word.translate(rot13) for word in ("avttre", "fyhg", "juber", "fcvp", "ergneq", "xvxr", "snttbg", "tbbx")
    ]
    lexicon = shared_lexicon()
    for word in insults:
        assert is_blocked(word)
        assert is_blocked(word + "s")
        assert is_blocked(f"old {word}")
        assert not any("slur" in line for sense in lexicon.senses(word, "n") for line in lexicon.words(sense.synset))
    for word in ("man", "woman", "child", "boy", "dog", "cat", "bus", "red", "tie", "pickup truck"):
        assert not is_blocked(word)


@pytest.mark.parametrize(
    ("word", "tag", "expected"),
    [
        ("dog", "NNS", "dogs"),
        ("woman", "NNS", "women"),
        ("sheep", "NNS", "sheep"),
        ("fire hydrant", "NNS", "fire hydrants"),
        ("old woman", "NNS", "old women"),
        ("man of war", "NNS", "men of war"),
        ("pick up", "VBG", "picking up"),
        ("ride", "VBZ", "rides"),
        ("small", "JJR", "smaller"),
        ("dog", "NN", "dog"),
    ],
)
def test_inflection_of_the_head_word(word, tag, expected):
    assert inflect(word, tag) == expected


@pytest.mark.parametrize(
    ("word", "article"),
    [("apple", "an"), ("dog", "a"), ("hour", "an"), ("unicorn", "a"), ("umbrella", "an"), ("one", "a"), (",", "a")],
)
def test_articles(word, article):
    assert indefinite_article(word) == article


def test_inflect_is_imported_without_its_checks_and_others_keep_theirs() -> None:
    import typeguard

    before = typeguard.typechecked
    engine = _engine.__wrapped__()
    assert typeguard.typechecked is before
    assert [engine.a(word) for word in ("owl", "unicorn")] == ["an owl", "a unicorn"]
