"""What can stand in for a word: everyday classes, or WordNet's co-hyponyms, always from the vocabulary.

The classes alone serve captions of everyday scenes, where WordNet puts a slab for a marker and a woman for honey.

The sense of a noun is the one whose neighbours the captions talk about, so that "bus" brings trucks and trains and
never the other parts of a network. Tables are made once a word, in a fixed order.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from compoclip.language.classes import members, near_synonyms
from compoclip.language.deeds import LIFELESS
from compoclip.language.lexicon import Lexicon, is_blocked, shared_lexicon
from compoclip.language.nouns import NOUN_CLASSES
from compoclip.negatives.judge import same_thing
from compoclip.negatives.neighbours import Neighbours
from compoclip.negatives.view import MEASURES, PRONOUN_LIKE, RELATIONAL
from compoclip.negatives.vocabulary import Vocabulary

# Lexicographer files of visible things: animal, artifact, body, food, object, person, plant, shape, substance, ...
VISIBLE = frozenset({5, 6, 8, 13, 15, 17, 18, 20, 25, 27})
ENOUGH = 3
EVERYDAY = 100  # words of the everyday classes in a vocabulary that need no looser relatives
SHAPES = frozenset(NOUN_CLASSES["shape"].split())  # no part of an everyday scene: a moon is no cross there
TINY = 40  # a vocabulary with fewer visible nouns is a small world: any of them can stand for any other


class Table(NamedTuple):
    """Words and the running sums of their integer weights; both empty where there is nothing to choose from."""

    words: tuple[str, ...]
    cumulative: tuple[int, ...]


def _table(weights: dict[str, int]) -> Table:
    words = sorted(word for word, weight in weights.items() if weight > 0 and not is_blocked(word))
    return Table(tuple(words), tuple(accumulate(weights[word] for word in words)))


@lru_cache(maxsize=20_000)
def noun_candidates(word: str, vocabulary: Vocabulary, unfit: frozenset[str] = frozenset()) -> Table:
    """Other things of the same class as this noun lemma but `unfit`, weighted by how often captions name them."""
    close = near_synonyms(word) | {word} | unfit
    weights = {other: vocabulary.noun(other) for other in members("n").get(word, ())}
    plain = everyday(vocabulary)
    weights = {other: weight for other, weight in weights.items() if weight and not (plain and other in SHAPES)}
    if not weights and not plain:
        weights = _relatives(word, vocabulary)
    if len(weights) < 2 and not plain:
        weights |= _same_field(word, vocabulary)
    for other in neighbours(vocabulary).of(word):
        if other not in weights and not same_thing(word, other) and other not in LIFELESS and plausible(other):
            weights[other] = vocabulary.noun(other)
    return _table({w: c for w, c in weights.items() if w not in close})


@lru_cache(maxsize=16)
def neighbours(vocabulary: Vocabulary) -> Neighbours:
    """The neighbours of the vocabulary's nouns, made once."""
    return Neighbours(vocabulary, visible_nouns(vocabulary))


@lru_cache(maxsize=16)
def everyday(vocabulary: Vocabulary) -> bool:
    """Are these captions of everyday scenes, for which the classes have words enough? Else WordNet has to do."""
    return sum(vocabulary.noun(word) > 0 for word in members("n")) >= EVERYDAY


def _same_field(word: str, vocabulary: Vocabulary) -> dict[str, int]:
    """Words of the same broad field (animal, artifact, person, ...); in a tiny vocabulary, all that can be seen."""
    lexicon = shared_lexicon()
    fields = visible_nouns(vocabulary)
    if len(fields) >= TINY:
        own = visible_field(word)
        fields = {other: field for other, field in fields.items() if field == own}
    up = {
        name.lower()
        for s in lexicon.senses(word, "n")
        for a in lexicon.ancestors(s.synset)
        for name in lexicon.words(a)
    }
    down = {
        name.lower()
        for sense in lexicon.senses(word, "n")
        for below in lexicon.descendants(sense.synset, 6)
        for name in lexicon.words(below)
    }
    return {other: vocabulary.noun(other) for other in fields if other not in up and other not in down}


@lru_cache(maxsize=16)
def visible_nouns(vocabulary: Vocabulary) -> dict[str, int]:
    """Nouns of the vocabulary that name things one can see -> lexicographer file of their first such sense."""
    lexicon = shared_lexicon()
    found = {}
    for word, count in vocabulary.lemmas.items():
        if count and plausible(word) and mostly_noun(word):
            senses = [s for s in lexicon.senses(word, "n")[:3] if lexicon.lexfile(s.synset) in VISIBLE]
            if senses:
                found[word] = lexicon.lexfile(senses[0].synset)
    return found


@lru_cache(maxsize=50_000)
def mostly_noun(word: str) -> bool:
    """Is the word a noun more often than an adjective or adverb, and often enough beside the verb? ("green" is not.)"""
    if word in members("n"):
        return True
    if word in members("a"):
        return False
    lexicon = shared_lexicon()
    noun, verb, adjective, adverb = (sum(s.tagged for s in lexicon.senses(word, pos)) for pos in "nvar")
    return noun >= adjective + adverb and 2 * noun >= verb


@lru_cache(maxsize=50_000)
def visible_field(word: str) -> int:
    """WordNet's lexicographer file of the noun's first sense that can be seen; 0 where it has none."""
    files = (shared_lexicon().lexfile(sense.synset) for sense in shared_lexicon().senses(word, "n"))
    return next((file for file in files if file in VISIBLE), 0)


@lru_cache(maxsize=20_000)
def is_animate(word: str) -> bool:
    """Is the commonest sense of this noun a person or an animal?"""
    if word in ("person", "people"):
        return True  # WordNet keeps the word itself among its topmost concepts
    senses = shared_lexicon().senses(word, "n")
    return word not in LIFELESS and bool(senses) and shared_lexicon().lexfile(senses[0].synset) in (5, 18)


def _relatives(word: str, vocabulary: Vocabulary) -> dict[str, int]:
    """Co-hyponyms of the best sense in the vocabulary: siblings, or else cousins."""
    lexicon = shared_lexicon()
    senses = lexicon.senses(word, "n")
    best: dict[str, int] = {}
    best_score = 0
    for sense in senses[:6]:
        if lexicon.lexfile(sense.synset) not in VISIBLE:
            continue
        found = _siblings(lexicon, sense.synset, word, vocabulary)
        # an earlier sense is likelier: halve the evidence at each step down
        score = sum(min(count, 50) for count in found.values()) * 64 >> (sense.rank - 1)
        if score > best_score:
            best, best_score = found, score
    return best


def _siblings(lexicon: Lexicon, synset: int, word: str, vocabulary: Vocabulary) -> dict[str, int]:
    own = set(lexicon.ancestors(synset)) | set(lexicon.descendants(synset, 3))
    own_words = {other.lower() for number in own for other in lexicon.words(number)}
    level = {synset}
    for depth in (1, 2, 3):
        level = {parent for below in level for parent in lexicon.parents(below)}
        found: dict[str, int] = {}
        for parent in sorted(level):
            for other in lexicon.descendants(parent, depth + 1):
                if other in own:
                    continue
                for name in lexicon.words(other):
                    count = vocabulary.noun(name) if name.islower() and name not in own_words else 0
                    if (
                        count
                        and plausible(name)
                        and name not in LIFELESS
                        and mostly_noun(name)
                        and _main_sense(lexicon, name, other)
                    ):
                        found[name] = count
        if len(found) >= ENOUGH or (depth == 3 and found):
            return found
    return {}


def _main_sense(lexicon: Lexicon, word: str, synset: int) -> bool:
    """Is this synset the word's first sense among things that can be seen?"""
    for sense in lexicon.senses(word, "n"):
        if lexicon.lexfile(sense.synset) in VISIBLE:
            return sense.synset == synset
    return False


def plausible(word: str) -> bool:
    return len(word) > 2 and word not in PRONOUN_LIKE and word not in RELATIONAL and word not in MEASURES


@lru_cache(maxsize=20_000)
def verb_table(verbs: tuple[str, ...], vocabulary: Vocabulary) -> Table:
    """These verbs, weighted by how often the captions use them in any form."""
    return _table({verb: vocabulary.lemma_count(verb, "v") for verb in verbs})


@lru_cache(maxsize=20_000)
def weighted_words(words: tuple[str, ...], vocabulary: Vocabulary) -> Table:
    """These words, weighted by how often the captions use them as they stand."""
    return _table({word: vocabulary.word(word) for word in words})


@lru_cache(maxsize=20_000)
def adverb_candidates(word: str, vocabulary: Vocabulary) -> Table:
    """Adverbs that contradict this one."""
    return _table({other: vocabulary.word(other) for other in members("r").get(word, ())})


@lru_cache(maxsize=20_000)
def adjective_candidates(word: str, vocabulary: Vocabulary) -> Table:
    """Adjectives that contradict this one: of the same class (another colour), or its opposites."""
    close = near_synonyms(word) | {word}
    weights = {other: vocabulary.word(other) for other in members("a").get(word, ())}
    if not any(weights.values()) and not everyday(vocabulary):
        lexicon = shared_lexicon()
        weights = {other: vocabulary.word(other) for other in lexicon.antonyms(word, "a") if " " not in other}
    return _table({w: c for w, c in weights.items() if w not in close})
