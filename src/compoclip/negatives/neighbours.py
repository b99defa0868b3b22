"""Open vocabulary: what stands where a noun stands, in the captions at hand.

Two nouns are neighbours where the same words come before and after them: cosine of their positive pointwise mutual
information with those contexts (Church and Hanks 1990; Bullinaria and Levy 2007). WordNet then strikes out what is of
another field (no person for a place) and what may be said of one thing (synonyms, more general and more special words),
and the captions what they name together. Whole numbers throughout, so that every machine finds the same.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from compoclip.language.lexicon import shared_lexicon
from compoclip.language.words import words
from compoclip.negatives.plausible import TOGETHER

if TYPE_CHECKING:
    from compoclip.negatives.vocabulary import Vocabulary

ARTICLES = frozenset({"a", "the"})
LEAST = 3  # captions that a neighbour's noun is in
MOST_NOUNS, MOST_CONTEXTS = 2500, 4000
STEPS = 8  # steps a nat in which mutual information is counted
NEAREST = 30
SIMILAR = 0.05
CONTEXTS_SHARED = 3
LIVING = (5, 18)  # WordNet's fields of animals and people, of which a caption names whom it shows
CLOSE = (5, 13, 18, 20)  # animals, food, people, plants: of one sort as they are
DEEP = 8  # classes above a class, for it to be no mere "object" or "artifact"
UP = 3  # steps to what things of one sort have in common
PERSON = 18
TOO_OFTEN = 1  # times as often as chance


class Neighbours:
    """The neighbours of every noun of a vocabulary that can be seen. `nouns`: noun lemma -> its field."""

    def __init__(self, vocabulary: Vocabulary, nouns: dict[str, int]) -> None:
        common = sorted(nouns, key=lambda noun: (-vocabulary.noun(noun), noun))[:MOST_NOUNS]
        self._fields = {noun: nouns[noun] for noun in common if vocabulary.noun(noun) >= LEAST}
        self._place = {noun: at for at, noun in enumerate(self._fields)}
        self._names = list(self._fields)
        self._found: dict[str, tuple[str, ...]] = {}
        self._together: Counter[tuple[str, str]] = Counter()
        self._often = {noun: vocabulary.noun(noun) for noun in self._names}
        self._captions = max(1, vocabulary.word("a"))
        counts = self._contexts(vocabulary)
        self._matrix = self._information(counts)
        self._lengths = (self._matrix * self._matrix).sum(axis=1)
        self._shared = (self._matrix > 0).astype(np.float32)

    def of(self, noun: str) -> tuple[str, ...]:
        """Nouns of the same field that stand in the same contexts, nearest first."""
        if noun not in self._place:
            return ()
        if noun not in self._found:
            at, own_field = self._place[noun], self._fields[noun]
            products = self._matrix @ self._matrix[at]
            shared = self._shared @ self._shared[at]
            own = float(self._lengths[at])
            near = []
            for other in np.flatnonzero(shared >= CONTEXTS_SHARED).tolist():
                name = self._names[other]
                if other == at or self._fields[name] != own_field:
                    continue
                if self.go_together(noun, name) or not (own_field in CLOSE or akin(noun, name)):
                    continue  # where a shirt is, there may be a hat
                if own_field == PERSON and _generic(noun) != _generic(name):
                    continue  # a surfer may be a girl
                similar = float(products[other]) / math.sqrt(own * float(self._lengths[other]))
                if similar >= SIMILAR:
                    near.append((-similar, name))
            self._found[noun] = tuple(name for _, name in sorted(near)[:NEAREST])
        return self._found[noun]

    def _contexts(self, vocabulary: Vocabulary) -> dict[str, Counter[tuple[str, str]]]:
        """noun -> how often it stands after a word (and an article) and before one; pairs of nouns are put aside."""
        found: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        for noun, before, after, count in vocabulary.noun_places():
            if before == TOGETHER:
                self._together[noun, after] += count
            elif noun in self._place:
                last = before.rpartition(" ")[2]
                if last in ARTICLES:
                    found[noun]["before the article", before.rpartition(" ")[0]] += count
                found[noun]["after", after] += count
                if last not in ARTICLES:
                    found[noun]["before", last] += count
        return found

    def go_together(self, one: str, other: str) -> bool:
        """Do captions name both more often than chance has it, so that the one hardly excludes the other?"""
        both = self._together[min(one, other), max(one, other)]
        if both < 2 or self._fields.get(one) in LIVING or one not in self._often or other not in self._often:
            return False
        return both * self._captions > TOO_OFTEN * self._often[one] * self._often[other]

    def _information(self, counts: dict[str, Counter[tuple[str, str]]]) -> Any:
        """(nouns, contexts) positive mutual information in steps, as whole numbers that floats hold exactly."""
        totals: Counter[tuple[str, str]] = Counter()
        for own in counts.values():
            totals.update(own)
        kept = sorted(totals, key=lambda context: (-totals[context], context))[:MOST_CONTEXTS]
        place = {context: at for at, context in enumerate(kept)}
        everything = sum(totals.values())
        matrix = np.zeros((len(self._names), len(kept)), np.float32)
        for noun, own in counts.items():
            whole = sum(own.values())
            for context, count in own.items():
                if context in place:
                    information = math.log(count * everything / (whole * totals[context]))
                    matrix[self._place[noun], place[context]] = max(0, round(STEPS * information))
        return matrix


def _generic(noun: str) -> bool:
    """Does the noun say no more of a person than sex and age?"""
    return any(noun in words("safety", name) for name in ("adult", "minor"))


@lru_cache(maxsize=50_000)
def akin(one: str, other: str) -> bool:
    """Have the nouns a class in common that is not too wide: furniture, clothing, a way, a room?"""
    return not _classes(one).isdisjoint(_classes(other))


@lru_cache(maxsize=20_000)
def _classes(noun: str) -> frozenset[int]:
    """The classes a few steps above the noun's first sense that can be seen, down from the widest four."""
    lexicon = shared_lexicon()
    found: set[int] = set()
    for sense in lexicon.senses(noun, "n")[:2]:
        level = {sense.synset}
        for _ in range(UP):
            level = {up for synset in sorted(level) for up in lexicon.parents(synset)}
            found |= {up for up in level if len(lexicon.ancestors(up)) >= DEEP}
    return frozenset(found)
