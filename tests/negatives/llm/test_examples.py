"""Our in-context examples as a careful reader would check them, and how they are drawn and read."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import combinations

import inflect
import pytest

from compoclip.errors import InputError
from compoclip.language.lexicon import is_blocked
from compoclip.language.words import word_set
from compoclip.negatives.judge import normalised
from compoclip.negatives.llm.checks import check
from compoclip.negatives.llm.examples import Example, draw_examples, examples, read_examples
from compoclip.negatives.llm.kinds import LLM_KINDS
from compoclip.negatives.llm.prompts import example_request

ALL = [(kind, example) for kind in LLM_KINDS for example in examples(kind)]
REORDER = [kind for kind in LLM_KINDS if LLM_KINDS[kind].family == "reorder"]
SMALL = word_set("a an the of in on at to with and is are by from it its her his")


def content(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower())) - SMALL


@pytest.mark.parametrize("kind", LLM_KINDS)
def test_at_least_fifty_of_varied_length(kind):
    lengths = Counter(len(example.caption.split()) for example in examples(kind))
    assert lengths.total() >= 50
    assert min(lengths) >= 6
    assert max(lengths) <= 20
    assert len(lengths) >= 8


@pytest.mark.parametrize("kind", LLM_KINDS)
def test_every_example_passes_the_check_of_its_kind(kind):
    for caption, rewrite in examples(kind):
        assert check(kind, caption, rewrite) is None, rewrite
        assert check(kind, rewrite, caption) is None, caption  # each rule holds both ways


@pytest.mark.parametrize("kind", LLM_KINDS)
def test_no_example_passes_the_check_of_the_other_family(kind):
    other = [name for name in LLM_KINDS if LLM_KINDS[name].family != LLM_KINDS[kind].family]
    for example in examples(kind):
        assert {check(name, *example) for name in other} == {"breaks-rule"}, example


def test_parts_of_speech_tell_the_replacements_apart():
    """Without a parse a few are told wrongly ("catches" after "and"); never more than one in twelve."""
    replacing = [kind for kind in LLM_KINDS if kind not in REORDER]
    for kind in replacing:
        for name in replacing:
            if name != kind:
                passed = sum(check(name, *example) is None for example in examples(kind))
                assert passed <= len(examples(kind)) / 12, (kind, name)
    assert all(check("swap-adjectives", *example) for example in examples("swap-nouns"))
    assert all(check("swap-nouns", *example) for example in examples("swap-adjectives"))


@pytest.mark.parametrize("kind", REORDER)
def test_reordered_examples_keep_their_words(kind):
    """By another reading than the check's: the ends that number changes, a/an and irregular forms are put aside."""
    irregular = {"men": "man", "women": "woman", "children": "child", "are": "is", "an": "a", "has": "have"}

    def bag(text: str) -> Counter[str]:
        return Counter(irregular.get(word, word).rstrip("seiy") for word in re.findall(r"[a-z]+", text.lower()))

    for caption, rewrite in examples(kind):
        assert bag(caption) == bag(rewrite), rewrite


def test_replaced_examples_change_one_place():
    for kind in LLM_KINDS:
        if kind in REORDER:
            continue
        for caption, rewrite in examples(kind):
            old, new = re.sub(r"\ban\b", "a", caption.lower()).split(), re.sub(r"\ban\b", "a", rewrite.lower()).split()
            start = next(i for i, (one, other) in enumerate(zip(old, new)) if one != other)
            end = next(i for i, (one, other) in enumerate(zip(old[::-1], new[::-1])) if one != other)
            assert len(old) - start - end <= (5 if kind == "replace-relations" else 2), rewrite


def test_no_two_are_alike():
    captions = [normalised(example.caption) for _, example in ALL]
    rewrites = [normalised(example.rewrite) for _, example in ALL]
    assert len(set(captions)) == len(captions)
    assert not set(captions) & set(rewrites)
    words = [content(example.caption) for _, example in ALL]
    alike = [
        (ALL[a][1].caption, ALL[b][1].caption)
        for a, b in combinations(range(len(ALL)), 2)
        if len(words[a] & words[b]) > 0.5 * len(words[a] | words[b])
    ]
    assert alike == []


def test_subjects_vary():
    """No first content word opens more than one in ten of a kind's captions."""
    for kind in LLM_KINDS:
        opening = Counter(
            next(word for word in re.findall(r"[a-z]+", example.caption.lower()) if word not in SMALL)
            for example in examples(kind)
        )
        assert opening.most_common(1)[0][1] <= len(examples(kind)) / 10, opening.most_common(3)


@pytest.mark.parametrize("kind", LLM_KINDS)
def test_written_as_captions_are(kind):
    articles = inflect.engine()
    for example in examples(kind):
        for text in example:
            assert not [word for word in re.findall(r"[\w-]+", text) if is_blocked(word)]
            assert text == " ".join(text.split())
            assert text.isascii()
            for article, word in re.findall(r"\b([Aa]n?) ([\w-]+)", text):
                assert articles.a(word).split()[0] == article.lower(), text
        caption, rewrite = example
        assert caption[0].isupper() == rewrite[0].isupper()
        assert caption.endswith(".") == rewrite.endswith(".")


def test_a_draw_depends_on_its_key_only():
    drawn = draw_examples("swap-nouns", 1, "row-7", 0)
    assert len(set(drawn)) == 5
    assert set(drawn) <= set(examples("swap-nouns"))
    assert drawn == draw_examples("swap-nouns", 1, "row-7", 0)
    others = [
        draw_examples("swap-nouns", 2, "row-7", 0),
        draw_examples("swap-nouns", 1, "row-8", 0),
        draw_examples("swap-nouns", 1, "row-7", 1),
    ]
    assert all(other != drawn for other in others)
    script = "from compoclip.negatives.llm.examples import draw_examples as d; print(d('swap-nouns', 1, 'row-7', 0))"
    elsewhere = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == str(drawn)


def test_draws_reach_every_example_about_equally():
    seen = Counter(example for row in range(600) for example in draw_examples("shuffle", 0, str(row), 0))
    expected = 600 * 5 / len(examples("shuffle"))
    assert set(seen) == set(examples("shuffle"))
    assert max(seen.values()) < 1.6 * expected
    assert min(seen.values()) > 0.4 * expected


def test_own_examples_stand_in_for_ours():
    own = {"shuffle": [Example("A b.", "B a."), Example("C d.", "D c.")]}
    assert sorted(draw_examples("shuffle", 0, "x", 0, own=own)) == sorted(own["shuffle"])
    assert draw_examples("swap-nouns", 0, "x", 0, own=own) == draw_examples("swap-nouns", 0, "x", 0)
    assert draw_examples("shuffle", 0, "x", 0, n=0) == []
    with pytest.raises(InputError, match="0 or more"):
        draw_examples("shuffle", 0, "x", 0, n=-1)
    with pytest.raises(InputError, match="swap-verbs"):
        draw_examples("swap-verbs", 0, "x", 0)


def test_a_users_file_is_read(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "swap-nouns:\n- caption: A dog bites a man.\n  rewrite: A man bites a dog.\n"
        'shuffle:\n- {caption: "one: two", rewrite: "two:\\n one"}\n'
    )
    assert read_examples(path) == {
        "swap-nouns": [Example("A dog bites a man.", "A man bites a dog.")],
        "shuffle": [Example("one: two", "two: one")],
    }


def test_the_asked_for_form_of_candidates_can_be_read(tmp_path):
    asked = example_request("replace-nouns", 3)[1]["content"]
    form = asked[asked.index("replace-nouns:\n") :]
    path = tmp_path / "candidates.yaml"
    path.write_text(form.replace('"..."', "A cow.", 1).replace('"..."', "A hen.", 1))
    assert read_examples(path) == {"replace-nouns": [Example("A cow.", "A hen.")]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no kinds"),
        ("- caption: a\n  rewrite: b\n", "no kinds"),
        ("swap-nouns: [", "is no YAML at line"),
        ("swap-nouns:\n- caption: a: b: c\n", "is no YAML at line 2"),
        ("swap-verbs:\n- {caption: a, rewrite: b}\n", "swap-verbs"),
        ("shuffle:\n", "shuffle has no list"),
        ("shuffle: {caption: a, rewrite: b}\n", "shuffle has no list"),
        ("shuffle:\n- {caption: a, rewrite: b}\n- {caption: a}\n", "shuffle, example 2: needs"),
        ("shuffle:\n- {caption: a, rewrite: b, why: c}\n", "shuffle, example 1: needs"),
        ("shuffle:\n- {caption: 1, rewrite: b}\n", "example 1: its caption is no text"),
        ("shuffle:\n- {caption: a, rewrite: ' '}\n", "example 1: its rewrite is no text"),
        ("shuffle:\n- {caption: A cat., rewrite: a cat}\n", "example 1: the rewrite says the same"),
        ("!!python/object/apply:os.getcwd []\n", "is no YAML"),
    ],
)
def test_a_bad_file_is_named_with_its_entry(tmp_path, text, words):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_examples(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_binary_file_is_named(tmp_path):
    path = tmp_path / "own.yaml"
    with pytest.raises(InputError, match=r"own\.yaml: cannot be read"):
        read_examples(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"own\.yaml: cannot be read"):
        read_examples(path)
