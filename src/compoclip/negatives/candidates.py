"""What can stand in for a word: everyday classes, or WordNet's co-hyponyms, always from the vocabulary.

The classes alone serve captions of everyday scenes, where WordNet puts a slab for a marker and a woman for honey.

The sense of a noun is the one whose neighbours the captions talk about, so that "bus" brings trucks and trains and
never the other parts of a network. Tables are made once a word, in a fixed order.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import accumulate
from typing import NamedTuple

from compoclip.language.classes import members, near_synonyms
from compoclip.language.lexicon import Lexicon, is_blocked, lemma, shared_lexicon
from compoclip.language.nouns import CHECKED, DIRECTED, NOUN_CLASSES
from compoclip.language.verb_alternatives import LIFELESS
from compoclip.language.words import words
from compoclip.negatives.judge import same_thing
from compoclip.negatives.neighbours import ARTICLES, Neighbours, akin
from compoclip.negatives.plausible import END, TOGETHER
from compoclip.negatives.shares import fair_weights
from compoclip.negatives.view import MEASURES, PRONOUN_LIKE, RELATIONAL
from compoclip.negatives.vocabulary import Vocabulary

# Lexicographer files of visible things: animal, artifact, body, food, object, person, plant, shape, substance, ...
VISIBLE = frozenset({5, 6, 8, 13, 15, 17, 18, 20, 25, 27})
ENOUGH = 3
EVERYDAY = 100  # words of the everyday classes in a vocabulary that need no looser relatives
SHAPES = frozenset(NOUN_CLASSES["shape"].split())  # no part of an everyday scene: a moon is no cross there
SORTED = (5, 6, 13)  # animals, things, food: fields in whose narrow classes what is one is no other
KINDS_OF = {5: "animal", 13: "food"}  # a word of the synset that all of a field's kinds are below
VAGUE = words("things", "classes.vague")
NAMED = "named person"  # CC3M has "person" for every name
TINY = 40  # a vocabulary with fewer visible nouns is a small world: any of them can stand for any other


class WeightedWords(NamedTuple):
    """Words and the running sums of their integer weights; both empty where there is nothing to choose from."""

    words: tuple[str, ...]
    cumulative: tuple[int, ...]


def _table(weights: dict[str, int]) -> WeightedWords:
    words = sorted(word for word, weight in weights.items() if weight > 0 and not is_blocked(word))
    return WeightedWords(tuple(words), tuple(accumulate(weights[word] for word in words)))


@lru_cache(maxsize=20_000)
def noun_candidates(word: str, vocabulary: Vocabulary, unfit: frozenset[str] = frozenset()) -> WeightedWords:
    """What can stand in for this noun lemma, but `unfit`, weighted so that each word comes in as often as it goes."""
    fair = vocabulary.lemmas if word == NAMED else fair_nouns(vocabulary)  # who is named may be what many are
    return _table({other: fair.get(other, 0) for other in _noun_candidates(word, vocabulary) if other not in unfit})


@lru_cache(maxsize=16)
def fair_nouns(vocabulary: Vocabulary) -> dict[str, int]:
    """The weights by which nouns come in."""
    known = sorted({*visible_nouns(vocabulary), *(word for word in members("n") if vocabulary.noun(word))})
    gives_way_to = {word: _noun_candidates(word, vocabulary) for word in known}
    return fair_weights(gives_way_to, vocabulary.lemmas)


@lru_cache(maxsize=20_000)
def _noun_candidates(word: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Other things of the same class as this noun lemma that the captions name."""
    close = near_synonyms(word) | {word}
    weights = {other: vocabulary.noun(other) for other in members("n").get(word, ())}
    plain = everyday(vocabulary)
    weights = {other: weight for other, weight in weights.items() if weight and not (plain and other in SHAPES)}
    if not weights and not plain:
        weights = _relatives(word, vocabulary)
    if len(weights) < 2 and not plain:
        weights |= _same_field(word, vocabulary)
    weights |= {other: vocabulary.noun(other) for other in wider(word, vocabulary) if other not in weights}
    return tuple(sorted(w for w, c in weights.items() if c and w not in close and not is_blocked(w)))


def wider(word: str, vocabulary: Vocabulary) -> list[str]:
    """What can stand in for a noun where it reads well there, though no class has them both.

    Its neighbours; what gives way to it in the classes, the other way round; words of a narrow class of WordNet's, of
    animals, of food and of things, as far as the captions name them as such and not both together.
    """
    near, known = neighbours(vocabulary), said_as_nouns(vocabulary)
    others = dict.fromkeys((*near.of(word), *given_way().get(word, ())))
    field = known.get(word)
    if field in SORTED and word not in VAGUE:
        others |= {
            other: None for other, own in known.items() if own == field and other not in VAGUE and akin(word, other)
        }
    return [
        other
        for other in others
        if other != word
        and not same_thing(word, other)
        and other not in LIFELESS
        and plausible(other)
        and not near.go_together(word, other)
    ]


@cache
def given_way() -> dict[str, tuple[str, ...]]:
    """noun -> those that it can stand in for by the one-way rows of the classes, and that table's `checked` rows."""
    found: dict[str, set[str]] = {word: set(others) for word, others in CHECKED.items()}
    for word, others in DIRECTED.items():
        for other in others.split():
            found.setdefault(other, set()).add(word)
    return {word: tuple(sorted(others - {NAMED})) for word, others in found.items()}


@lru_cache(maxsize=16)
def compounds(vocabulary: Vocabulary) -> dict[str, WeightedWords]:
    """noun -> it and the compounds in which captions say it ("hydrant": mostly "fire hydrant"), by how often."""
    found: dict[str, dict[str, int]] = {}
    lexicon, visible = shared_lexicon(), visible_nouns(vocabulary)
    for run, count in vocabulary.contexts_of_two():
        first, second = run
        stem = lemma(second, "n")
        name = f"{first} {stem}"
        if stem not in visible or first in SHAPES or f"n{first}_{stem}" not in lexicon or not mostly_noun(first):
            continue
        if lexicon.lexfile(lexicon.senses(name, "n")[0].synset) == visible[stem] and not is_blocked(name):
            own = found.setdefault(stem, {})
            own[name] = own.get(name, 0) + count
    return {
        stem: _table({stem: max(0, vocabulary.noun(stem) - sum(named.values())), **named})
        for stem, named in found.items()
    }


@lru_cache(maxsize=16)
def said_as_nouns(vocabulary: Vocabulary) -> dict[str, int]:
    """The visible nouns that the captions use as such ("a bagel on"), not only before another ("an asian man")."""
    small = words("casing", "small") | {END, ""}
    used = {
        noun
        for noun, before, after, _ in vocabulary.noun_places()
        if before != TOGETHER and after in small and not ARTICLES.isdisjoint(before.split())
    }
    return {
        word: field
        for word, field in visible_nouns(vocabulary).items()
        if word in used and _first_of(word, field) and not word.endswith("ing")
    }


def _first_of(word: str, field: int) -> bool:
    """Is what the word names first of this field, and of its kind (an animal, no claw; food)?"""
    lexicon = shared_lexicon()
    first = lexicon.senses(word, "n")[0].synset
    if lexicon.lexfile(first) != field:
        return False
    above = KINDS_OF.get(field)
    return above is None or any(above in lexicon.words(up) for up in lexicon.ancestors(first))


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
def verb_table(verbs: tuple[str, ...], vocabulary: Vocabulary) -> WeightedWords:
    """These verbs, weighted by how often the captions use them in any form."""
    return _table({verb: vocabulary.lemma_count(verb, "v") for verb in verbs})


@lru_cache(maxsize=20_000)
def weighted_words(words: tuple[str, ...], vocabulary: Vocabulary) -> WeightedWords:
    """These words, weighted by how often the captions use them as they stand."""
    return _table({word: vocabulary.word(word) for word in words})


@lru_cache(maxsize=20_000)
def adverb_candidates(word: str, vocabulary: Vocabulary) -> WeightedWords:
    """Adverbs that contradict this one."""
    return _table({other: vocabulary.word(other) for other in members("r").get(word, ())})


@lru_cache(maxsize=20_000)
def adjective_candidates(word: str, vocabulary: Vocabulary) -> WeightedWords:
    """Adjectives that contradict this one: of the same class (another colour), or its opposites."""
    close = near_synonyms(word) | {word}
    weights = {other: vocabulary.word(other) for other in members("a").get(word, ())}
    if not any(weights.values()) and not everyday(vocabulary):
        lexicon = shared_lexicon()
        weights = {other: vocabulary.word(other) for other in lexicon.antonyms(word, "a") if " " not in other}
    return _table({w: c for w, c in weights.items() if w not in close})
