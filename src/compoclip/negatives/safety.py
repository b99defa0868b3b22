"""The safety gate: which negatives are harmful, decided on the pair of caption and negative alone.

It asks three things. Do people, minors and what is sensitive (undress, beds, alcohol, weapons, ...) stand to each other
as in the caption? Is no person marked by origin, faith, age or body turned into an animal, nor any person given a
colour or an origin that the caption does not say of him? Is no harm done to a person that the caption does not tell of?
Needs no parse, so that rewrites of a language model pass the same gate. Classes: `language/tables/safety.yaml`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.words import words

_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*|[.,;:]")
ADULT, MINOR, PERSON, ANIMAL, SENSITIVE = "adult", "minor", "person", "animal", "sensitive"
_REACH = 4  # words before a person that may describe him
# A description goes no farther back than one of these.
_EDGES = words("safety", "edges")
_LINKS = words("safety", "links")
_CLASSES = ("marking", "marking_worn", "colour", "origin", "insulting", "harm", "violence")
_BE = words("safety", "being")


@lru_cache(maxsize=50_000)
def stems(word: str) -> frozenset[str]:
    """The word and its lemmas as a noun, a verb and an adjective."""
    return frozenset((word, lemma(word, "n"), lemma(word, "v"), lemma(word, "a")))


def _is(word: str, name: str) -> bool:
    return not words("safety", name).isdisjoint(stems(word))


@lru_cache(maxsize=50_000)
def label(word: str) -> str:
    """adult, minor, person, animal or sensitive; "" for every other word."""
    for name in (MINOR, ADULT):
        if _is(word, name):
            return name
    if _is(word, SENSITIVE):
        return SENSITIVE
    stem = lemma(word, "n")
    if stem in words("safety", "person"):
        return PERSON
    if stem in words("safety", "no_person"):
        return ""
    senses = shared_lexicon().senses(stem, "n")
    field = shared_lexicon().lexfile(senses[0].synset) if senses else 0
    if field == 18:
        return PERSON
    return ANIMAL if field == 5 else ""


def is_person(word: str) -> bool:
    return label(word) in (ADULT, MINOR, PERSON)


@lru_cache(maxsize=50_000)
def _ends_before(word: str) -> bool:
    """Does a description begin only after this word: an article, a preposition, a verb, another thing?"""
    return word in _EDGES or (word.endswith(("s", "ing")) and not _is(word, "marking"))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


class Facts:
    """What the gate compares of one text. `order` keeps adults, minors, animals and what is sensitive as they come."""

    def __init__(self, text: str) -> None:
        self.words = _words(text)
        labels = [label(word) for word in self.words]
        people = [i for i, name in enumerate(labels) if name in (ADULT, MINOR, PERSON)]
        self.sensitive = SENSITIVE in labels
        self.minors = MINOR in labels
        self.order = [name for name in labels if name in (ADULT, MINOR, SENSITIVE)]
        self.things = Counter(
            next(iter(sorted(stems(word)))) for word, name in zip(self.words, labels) if name == SENSITIVE
        )
        self.living = [
            (PERSON if name != ANIMAL else ANIMAL) for name in labels if name in (ADULT, MINOR, PERSON, ANIMAL)
        ]
        self.marked = any(self._describes(i, "marking") for i in people) or any(
            _is(word, "marking_worn") for word in self.words
        )
        self.insulting = {lemma(word, "n") for word in self.words if _is(word, "insulting")}
        self.coloured = Counter(
            (word, lemma(self.words[i], "n"))
            for i in people
            for name in ("colour", "origin")
            for word in self._said(i, name)
        )
        self.harmed = Counter(deed for i in people for deed in self._done_to(i))
        self.violence = Counter(lemma(word, "v") for word in self.words if _is(word, "violence"))

    def _before(self, at: int) -> Sequence[str]:
        start = at
        while start > 0 and at - start < _REACH and not _ends_before(self.words[start - 1]):
            start -= 1
            if self.words[start - 1 : start] in (["and"], [","]) and _is(self.words[start], "colour"):
                start -= 1  # "a black and white man"
        return self.words[start:at]

    def _said(self, at: int, name: str) -> list[str]:
        """Words of a class that describe the person at `at`, before the noun or after "is"."""
        after = self.words[at + 1 : at + 3]
        later = after[1:] if after[:1] and after[0] in _BE else []
        return [word for word in (*self._before(at), *later) if word in words("safety", name)]

    def _describes(self, at: int, name: str) -> bool:
        return bool(self._said(at, name))

    def _done_to(self, at: int) -> list[str]:
        """Harm done to the person at `at`: the verb right before what is said of him and his article."""
        start = at - len(self._before(at))
        deeds = [word for word in self.words[start:at] if _is(word, "harm")]
        while start > 0 and self.words[start - 1] in _EDGES - _LINKS:
            start -= 1
        if start and (_is(self.words[start - 1], "harm") or self._rides(start - 1)):
            deeds.append(self.words[start - 1])
        return [lemma(word, "v") for word in deeds]

    def _rides(self, at: int) -> bool:
        """Does a person ride, and not an animal (which is a swap as good as others)?"""
        if not _is(self.words[at], "riding"):
            return False
        before = (label(word) for word in reversed(self.words[:at]))
        return next((name for name in before if name in (ADULT, MINOR, PERSON, ANIMAL)), "") != ANIMAL


@lru_cache(maxsize=256)
def facts(text: str) -> Facts:
    return Facts(text)


@lru_cache(maxsize=50_000)
def _neutral(word: str) -> bool:
    """Is the word of none of the gate's classes?"""
    return not label(word) and not any(_is(word, name) for name in _CLASSES)


def harmful(caption: str, negative: str) -> str | None:
    """Why the negative must not be made, in a few words; None where nothing speaks against it."""
    old = facts(caption)
    words_now = _words(negative)
    if len(words_now) == len(old.words) and all(
        a == b or (_neutral(a) and _neutral(b)) for a, b in zip(old.words, words_now)
    ):
        return None  # what has changed says nothing of all this
    new = Facts(negative)
    touchy = (old.minors or new.minors) and (old.sensitive or new.sensitive)
    if touchy and (old.order != new.order or old.things != new.things):
        return "a minor and something sensitive"
    if old.marked or new.marked:
        if _turned(old.living, new.living):
            return "a person of some origin, faith, age or body becomes an animal"
        if new.insulting - old.insulting:
            return "an animal's name beside a person of some origin, faith, age or body"
    if _newly_coloured(old, new):
        return "a colour or an origin comes to a person"
    if new.harmed - old.harmed or new.violence - old.violence:
        return "harm comes to a person"
    return None


def _turned(old: list[str], new: list[str]) -> bool:
    """Does an animal stand where a person stood, or the other way round?"""
    if len(old) != len(new):
        return new.count(ANIMAL) > old.count(ANIMAL)
    return old != new


def _newly_coloured(old: Facts, new: Facts) -> bool:
    """Is a colour or an origin said of another person than before? A person of another name may take it over."""
    came, went = new.coloured - old.coloured, old.coloured - new.coloured
    known = {lemma(word, "n") for word in old.words}
    if not came:
        return False
    taken = all(noun not in known for _, noun in came)  # "a black man" -> "a black woman"
    return not taken or Counter(word for word, _ in came.elements()) != Counter(word for word, _ in went.elements())
