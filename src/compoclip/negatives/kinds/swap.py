"""Swaps: two words of one sort change places (NegCLIP, Yuksekgonul et al. 2023, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

from compoclip.language.inflect import PAIRS, inflect
from compoclip.language.lexicon import lemma
from compoclip.language.words import word_set
from compoclip.negatives.candidates import visible_field
from compoclip.negatives.draw import Draw
from compoclip.negatives.meaning import same_meaning_adjectives, same_meaning_nouns
from compoclip.negatives.types import Edit
from compoclip.negatives.view import Noun, View
from compoclip.negatives.vocabulary import Vocabulary

NOT_ATTRIBUTES = word_set(
    """
    other another same different own such many several few more most much less least various numerous
    multiple certain first second third last next next-to only whole entire another left right front back
    top close near able full-grown ready due upper lower
    """
)


def nouns(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Two nouns (with their compounds) change places; number and articles follow the place they come to."""
    pairs = [
        (a, b)
        for a, b in combinations(view.nouns, 2)
        if a.lemma != b.lemma and a.head < b.phrase and not same_meaning_nouns(view, a, b)
    ]
    # alike things first: "a dog chases a cat" swapped still reads like a caption, "a street walks on a man" does not
    for a, b in sorted(draw.shuffled(pairs), key=lambda pair: _unlike(*pair)):
        swapped = _swap(view, a, b)
        if swapped:
            yield swapped


def _unlike(a: Noun, b: Noun) -> int:
    one, other = visible_field(a.lemma), visible_field(b.lemma)
    living = (5, 18)
    return 2 * ((one in living) != (other in living)) + (one != other)


def _swap(view: View, a: Noun, b: Noun) -> tuple[str, tuple[Edit, ...]] | None:
    changes: list[tuple[int, int, str]] = []
    edits = []
    for there, here in ((a, b), (b, a)):  # `here` moves to the place of `there`
        text = _fitted(view, here, there)
        if text is None:
            return None
        changes.append((there.start, there.head + 1, text))
        edits.append(view.edit(there.start, there.head + 1, text))
        article = view.lower[there.article] if there.article >= 0 else ""
        if here.mass and article in ("a", "an"):  # "a man on grass" -> "grass on a man"
            changes.append((there.article, there.article + 1, ""))
        elif there.mass and there.article < 0 and not here.mass and not here.plural and here.article >= 0:
            changes.append((there.phrase, there.phrase, "a"))
    return view.rewrite(changes), tuple(edits)


def _fitted(view: View, noun: Noun, place: Noun) -> str | None:
    """The noun in the number of its new place, or None where it cannot stand there."""
    words = view.said(noun.start, noun.head + 1)
    if noun.mass:
        after = view.lower[place.head + 1 : place.head + 4]
        if (place.plural and place.counted) or any(verb in after for verb in ("are", "were", "have")):
            return None
        return words
    if noun.lemma in PAIRS:
        article = view.lower[place.article] if place.article >= 0 else ""
        return None if article in ("a", "an") or place.counted else words
    if place.mass or noun.plural == place.plural:
        return words
    form = inflect(noun.lemma, "NNS") if place.plural else noun.lemma
    return words[: len(words) - len(view.words[noun.head])] + form


def adjectives(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Two adjectives of different things change places."""
    described = [(i, x) for i, x in described_things(view) if not _coordinated(view, i)]
    pairs = [
        (i, j)
        for (i, x), (j, y) in combinations(described, 2)
        if x != y
        and lemma(view.lower[i], "a") != lemma(view.lower[j], "a")
        and view.parsed.tags[i] == view.parsed.tags[j]
        and view.lower[i] not in _said_of(view, y)
        and view.lower[j] not in _said_of(view, x)
        and not same_meaning_adjectives(view, i, x, j, y)
    ]
    for i, j in draw.shuffled(pairs):
        one, other = view.words[i], view.words[j]
        edits = (view.edit(i, i + 1, other), view.edit(j, j + 1, one))
        yield view.rewrite([(i, i + 1, other), (j, j + 1, one)]), edits


def described_things(view: View) -> list[tuple[int, int]]:
    """(adjective, noun it describes) positions: "a red square", "the sky is blue"."""
    parsed = view.parsed
    found = []
    for i, tag in enumerate(parsed.tags):
        word = view.lower[i]
        if tag not in ("JJ", "VBN", "JJR", "JJS") or word in NOT_ATTRIBUTES or not word.isalpha() or view.glued(i):
            continue
        if i and parsed.heads[i - 1] == i and parsed.tags[i - 1].startswith("N"):
            continue  # "snow covered", "neon lit"
        if parsed.deps[i] == "amod" and parsed.heads[i] > i and parsed.tags[parsed.heads[i]] in ("NN", "NNS"):
            noun = view.lower[parsed.heads[i]]
            if noun not in ("one", "ones") and not view.collocated(i, _one(view.lower[i + 1])):
                found.append((i, parsed.heads[i]))
        elif parsed.deps[i] == "acomp" and tag != "VBN":
            subjects = [c for c in view.children[parsed.heads[i]] if parsed.deps[c] == "nsubj"]
            if subjects and parsed.tags[subjects[0]] in ("NN", "NNS"):
                found.append((i, subjects[0]))
    return found


def _said_of(view: View, noun: int) -> list[str]:
    return [view.lower[child] for child in view.children[noun]]


@cache
def _one(word: str) -> str:
    return lemma(word, "n")


def _coordinated(view: View, adjective: int) -> bool:
    """One of several colours of one thing ("black and white") stays with the others."""
    deps = view.parsed.deps
    return deps[adjective] == "conj" or any(deps[child] in ("conj", "cc") for child in view.children[adjective])
