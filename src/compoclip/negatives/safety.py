"""The safety gate: which negatives are harmful, decided on the pair of caption and negative alone.

It asks three things. Do people, minors and what is sensitive (undress, beds, alcohol, weapons, ...) stand to each other
as in the caption? Is no person marked by origin, faith, age or body turned into an animal, nor any person given a
colour or an origin that the caption does not say of him? Is no harm done to a person that the caption does not tell of?
Needs no parse, so that rewrites of a language model pass the same gate. Classes: `language/tables/safety.yaml`.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property, lru_cache, reduce
from operator import or_

from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.words import words

_WORD = re.compile(r"[a-z]+(?:-[a-z]+)*|[.,;:]")
_ANIMALS, _PEOPLE = 5, 18  # WordNet's lexicographer files
_REACH = 4  # words before a person that may describe him


class Class:
    """What a word is, as far as the gate asks: flags, as plain numbers because there are many to compare.

    PERSON: of no age; EDGE: a description of a person goes no farther back; LINK: no act reaches across it.
    """

    ADULT, MINOR, PERSON, ANIMAL, SENSITIVE, MARKING, MARKING_WORN, COLOUR, ORIGIN = (1 << at for at in range(9))
    INSULTING, HARM, RIDING, VIOLENCE, EDGE, LINK = (1 << at for at in range(9, 15))


PEOPLE = Class.ADULT | Class.MINOR | Class.PERSON
_MARKS = Class.MARKING | Class.MARKING_WORN
_TINTS = Class.COLOUR | Class.ORIGIN
_ACTS = Class.HARM | Class.RIDING
_ASKED = _MARKS | _TINTS | _ACTS | Class.VIOLENCE
_LISTED = {
    name: int(getattr(Class, name.upper()))
    for name in ("marking", "marking_worn", "colour", "origin", "insulting", "harm", "riding", "violence")
}


@lru_cache(maxsize=100_000)
def classes(word: str) -> int:
    """The classes of a lower-case word or of one of its lemmas, as flags of `Class`."""
    stems = {word, lemma(word, "n"), lemma(word, "v"), lemma(word, "a")}
    found = _age_or_kind(stems, lemma(word, "n"))
    if "-" in word:  # "beer-drinking"
        found |= reduce(or_, map(classes, word.split("-"))) & Class.SENSITIVE
    for name, flag in _LISTED.items():
        if not words("safety", name).isdisjoint(stems):
            found |= flag
    for name in ("colour", "origin"):  # as they stand: "browns" is no colour of anybody
        if word not in words("safety", name):
            found &= ~_LISTED[name]
    if word in words("safety", "edges") or (
        word.endswith(("s", "ing")) and not found & Class.MARKING and word not in words("safety", "in_descriptions")
    ):
        found |= Class.EDGE
    if word in words("safety", "links"):
        found |= Class.LINK
    return found


def _age_or_kind(stems: set[str], stem: str) -> int:
    for name in ("minor", "adult", "sensitive"):
        if not words("safety", name).isdisjoint(stems):
            return int(getattr(Class, name.upper()))
    if stem in words("safety", "person"):
        return Class.PERSON
    if stem in words("safety", "no_person"):
        return 0
    fields = [shared_lexicon().lexfile(sense.synset) for sense in shared_lexicon().senses(stem, "n")[:3]]
    if fields[:1] == [_ANIMALS] or (fields[:1] == [_PEOPLE] and _ANIMALS in fields):
        return Class.ANIMAL  # a tiger is a fierce person first, in WordNet
    return Class.PERSON if fields[:1] == [_PEOPLE] else 0


class Facts:
    """What the gate compares of one text, worked out where it is asked for."""

    def __init__(self, found: list[str]) -> None:
        self.words = found
        self.flags = [classes(word) for word in found]
        self.any = reduce(or_, self.flags, 0)
        self.known = frozenset(found)

    @cached_property
    def order(self) -> list[tuple[int, str]]:
        """Adults, minors and what is sensitive, as they come."""
        kept = Class.ADULT | Class.MINOR | Class.SENSITIVE
        return [
            (flags & kept, word if flags & Class.SENSITIVE else "")
            for word, flags in zip(self.words, self.flags)
            if flags & kept
        ]

    @cached_property
    def living(self) -> list[bool]:
        """For each person and animal, as they come: is it an animal?"""
        return [bool(flags & Class.ANIMAL) for flags in self.flags if flags & (PEOPLE | Class.ANIMAL)]

    @cached_property
    def people(self) -> list[int]:
        return [i for i, flags in enumerate(self.flags) if flags & PEOPLE]

    @cached_property
    def marked(self) -> bool:
        """Is a person described by origin, faith, age, disability or body?"""
        return bool(self.any & Class.MARKING_WORN) or any(self._said(i, Class.MARKING) for i in self.people)

    @cached_property
    def insulting(self) -> set[str]:
        return {lemma(word, "n") for word, flags in zip(self.words, self.flags) if flags & Class.INSULTING}

    @cached_property
    def coloured(self) -> Counter[tuple[str, str]]:
        """(colour or origin, person of whom it is said)"""
        return Counter((word, lemma(self.words[i], "n")) for i in self.people for word in self._said(i, _TINTS))

    @cached_property
    def harmed(self) -> Counter[str]:
        """Acts that do harm to a person, and violence at large."""
        acts = Counter(lemma(act, "v") for i in self.people for act in self._done_to(i))
        acts.update(lemma(word, "v") for word, flags in zip(self.words, self.flags) if flags & Class.VIOLENCE)
        return acts

    def _start(self, at: int) -> int:
        """Where what is said of the person at `at` begins: "black" of "a black and white man"."""
        start = at
        while start > 0 and at - start < _REACH and not self.flags[start - 1] & Class.EDGE:
            start -= 1
            if start and self.words[start - 1] in ("and", ",") and self.flags[start] & Class.COLOUR:
                start -= 1
        return start

    def _said(self, at: int, kind: int) -> list[str]:
        """Words of a class that describe the person at `at`, before the noun or after "is"."""
        after = range(at + 2, at + 3) if self.words[at + 1 : at + 2] and self.words[at + 1] in _BEING else range(0)
        places = (*range(self._start(at), at), *after)
        return [self.words[i] for i in places if i < len(self.words) and self.flags[i] & kind]

    def _done_to(self, at: int) -> list[str]:
        """Harm done to the person at `at`: the verb right before what is said of him and his article."""
        start = self._start(at)
        acts = [self.words[i] for i in range(start, at) if self.flags[i] & Class.HARM]
        while start > 0 and self._between(start - 1):
            start -= 1
        if start and (self.flags[start - 1] & Class.HARM or self._rides(start - 1)):
            acts.append(self.words[start - 1])
        return acts

    def _between(self, at: int) -> bool:
        flags = self.flags[at]
        return bool(flags & Class.EDGE) and not flags & (Class.LINK | _ACTS | PEOPLE)

    def _rides(self, at: int) -> bool:
        """Does a person ride, and not an animal (which is a swap as good as others)?"""
        if not self.flags[at] & Class.RIDING:
            return False
        before = (flags for flags in reversed(self.flags[:at]) if flags & (PEOPLE | Class.ANIMAL))
        return not next(before, Class.PERSON) & Class.ANIMAL


@lru_cache(maxsize=256)
def _facts(text: str) -> Facts:
    return Facts(_words(text))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def harmful(caption: str, negative: str) -> str | None:
    """Why the negative must not be made, in a few words; None where nothing speaks against it.

    >>> harmful("A boy drinks milk.", "A boy drinks beer.")
    'a minor and something sensitive'
    """
    old, found = _facts(caption), _words(negative)
    either = old.any
    for word in found:
        if word not in old.known:
            either |= classes(word)
    if not (either & Class.MINOR and either & Class.SENSITIVE) and not (either & PEOPLE and either & _ASKED):
        return None  # the two together have nothing that the questions below are about
    if len(found) == len(old.words):
        changed = 0
        for one, other in zip(old.words, found):
            if one != other:
                changed |= classes(one) | classes(other)
        if not changed & ~_NEUTRAL:
            return None  # what has changed says nothing of all this
    new = Facts(found)
    if either & Class.MINOR and either & Class.SENSITIVE and old.order != new.order:
        return "a minor and something sensitive"
    if not either & PEOPLE:
        return None
    if either & _MARKS and either & (Class.ANIMAL | Class.INSULTING) and (old.marked or new.marked):
        if _turned(old.living, new.living):
            return "a person of some origin, faith, age or body becomes an animal"
        if new.insulting - old.insulting:
            return "an animal's name beside a person of some origin, faith, age or body"
    if either & _TINTS and _newly_coloured(old, new):
        return "a colour or an origin comes to a person"
    if new.any & (_ACTS | Class.VIOLENCE) and new.harmed - old.harmed:
        return "harm comes to a person"
    return None


def _turned(old: list[bool], new: list[bool]) -> bool:
    """Does an animal stand where a person stood, or the other way round?"""
    return old != new if len(old) == len(new) else sum(new) > sum(old)


def _newly_coloured(old: Facts, new: Facts) -> bool:
    """Is a colour or an origin said of another person than before? A person of another name may take it over."""
    came = new.coloured - old.coloured
    if not came:
        return False
    went = old.coloured - new.coloured
    known = {lemma(word, "n") for word in old.words}
    taken = all(noun not in known for _, noun in came)  # "a black man" -> "a black woman"
    return not taken or Counter(word for word, _ in came.elements()) != Counter(word for word, _ in went.elements())


_BEING = words("safety", "being")
_NEUTRAL = Class.EDGE | Class.LINK
