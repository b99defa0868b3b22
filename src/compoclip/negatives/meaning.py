"""Which swaps leave the meaning as it was: plain conjuncts, and relations that hold both ways."""

from __future__ import annotations

from compoclip.language.classes import ADJECTIVE_CLASSES, members, near_synonyms
from compoclip.language.words import word_set
from compoclip.negatives.view import Noun, View

# Words of lists and of relations that hold both ways; with verbs of posture they leave open who is meant.
BOTH_WAYS = word_set(
    """
    and or & , with along beside near nearby by alongside next to close adjacent that which who down up still
    right very directly ( )
    """
)
BESIDE = frozenset({"next", "to", "beside", "near", "nearby", "alongside", "close", "with", "by"})
PLACES = word_set(
    """
    in at on near by with inside outside along against of down through across around
    """
)
# Of two of a group each may be said of the other thing too: "a long bench next to a large fence".
AGREEABLE = (
    word_set("large big long tall high huge giant wide giant thick"),
    word_set("beautiful cute pretty nice lovely great elegant ornate fancy decorative colorful bright"),
    word_set("old rusty rusted dilapidated worn cracked antique dirty vintage weathered abandoned"),
    word_set("small little short tiny narrow young miniature"),
)
WATERS = frozenset({"water", "river", "lake", "sea", "ocean", "pond"})
WAVES = frozenset({"wave", "surf", "snow", "slope"})
BOARDS = frozenset({"surfboard", "board", "snowboard", "boogieboard", "bodyboard", "ski"})
STANDING = (BESIDE | PLACES) - {"with", "to", "of"}
EXCLUSIVE = frozenset(" ".join(ADJECTIVE_CLASSES[name] for name in ("colour", "material", "pattern")).split())
# Said of few things, so that another that gets the word is wrong about it.
NARROW = word_set("young cloudy snowy foggy smoggy grassy rocky sandy lush choppy fluffy")
SIZES = frozenset(" ".join(ADJECTIVE_CLASSES[name] for name in ("size", "length", "height")).split()) | {"miniature"}
MUTUAL_VERBS = word_set(
    """
    face meet kiss hug embrace marry match resemble touch
    """
)
POSTURE = word_set(
    """
    is are was were be being sit sits sitting sat seated stand stands standing stood lie lies lying laying
    lay lays rest rests resting park parked place placed set displayed walk walking walks wait waiting pose
    poses posing next together playing talking stopped located situated served posed
    """
)


def conjuncts(view: View, a: int, b: int) -> bool:
    """Do tokens a and b stand in one coordination ("a, b and c")?"""
    return _chain(view, a) == _chain(view, b)


def _chain(view: View, position: int) -> int:
    parsed = view.parsed
    while parsed.deps[position] == "conj" and parsed.heads[position] != position:
        position = parsed.heads[position]
    return position


def same_meaning_nouns(view: View, a: Noun, b: Noun) -> bool:
    """Would swapping the nouns say the same? "keyboard and monitor", "a dog next to a cat"."""
    return same_meaning_phrases(view, a, b) and not _told_apart(view, a, b)


def same_meaning_phrases(view: View, a: Noun, b: Noun) -> bool:
    """Would swapping the nouns with everything that stands before them say the same?"""
    if conjuncts(view, a.head, b.head) or b.lemma in near_synonyms(a.lemma):
        return True
    if (a.lemma in WAVES and b.lemma in BOARDS) or (a.lemma in BOARDS and b.lemma in WAVES):
        return True  # "riding a wave on a board" or a board on a wave
    rest = _between(view, a, b)
    if all(word in BOTH_WAYS for word in rest):
        return True  # one list, whatever the parser made of it, or one beside the other
    if any(word in BESIDE for word in rest) and all(word in BOTH_WAYS or word in PLACES for word in rest):
        return True  # "a muffin on a plate with a fork"
    before = view.lower[a.phrase - 1]
    if rest == [before] and before in PLACES:
        return True  # "in a train in a train station"
    if {before, *rest} <= {"on", "of"} or ({before, *rest} <= {"on", "in"} and {a.lemma, b.lemma} & WATERS):
        return True  # "on a bench on top of a pier", "on a boat in the water"
    return len(rest) == 1 and rest[0].rstrip("es") in MUTUAL_VERBS


def _between(view: View, a: Noun, b: Noun) -> list[str]:
    """The words between two nouns' phrases that neither name or describe other things nor say how things stand."""
    tags, lower = view.parsed.tags, view.lower
    kept = []
    for i in range(a.head + 1, b.phrase):
        going = tags[i] in ("VBG", "VBZ", "VBP") and lower[i + 1] in STANDING  # "racing next to", "driving on"
        sliced = i == b.phrase - 1 and tags[i] in ("VBD", "VBN") and lower[i - 1] in ("and", ",")
        named = tags[i] in ("NN", "NNS", "NNP", "DT", "CD", "JJ", "PRP$") and lower[i] not in BOTH_WAYS
        if not (going or sliced or named or lower[i] in POSTURE):
            kept.append(lower[i])
    return kept


def _told_apart(view: View, a: Noun, b: Noun) -> bool:
    """Does each noun have its own attributes, so that the swap changes who has which?

    A modifier of the first conjunct may be shared ("a black keyboard and mouse"), unless the second has an article.
    Sizes and the like do not tell apart: "a large airplane and a truck" may well show a large truck.
    """
    if "other" in view.lower[a.head + 1 : b.head]:
        return False  # "broccoli and other vegetables"
    first = {view.lower[i] for i in a.adjectives} & EXCLUSIVE | _numeral(view, a)
    second = {view.lower[i] for i in b.adjectives} & EXCLUSIVE | _numeral(view, b)
    if first == second:
        return False
    return bool(second) or b.article >= 0


def _numeral(view: View, noun: Noun) -> set[str]:
    return {view.lower[c] for c in view.children[noun.head] if c < noun.head and view.parsed.deps[c] == "nummod"}


def same_meaning_adjectives(view: View, i: int, x: int, j: int, y: int) -> bool:
    """Adjectives i of noun x and j of noun y: "a red square and a blue square" is the same swapped."""
    if view.lower[j] in near_synonyms(view.lower[i]):
        return True  # "a messy desk in a cluttered room"
    if all(view.parsed.tags[k] in ("JJ", "VBN", "NN", "HYPH", ",", "CC") for k in range(i + 1, j)):
        return True  # both of one thing, whatever the parser made of it
    pair = {view.lower[i], view.lower[j]}
    if any(pair <= group for group in AGREEABLE):
        return True
    if not pair & (EXCLUSIVE | NARROW) and view.lower[j] not in members("a").get(view.lower[i], ()):
        return True  # "a small kitchen in an empty apartment": each may well be said of the other thing too
    if pair & SIZES and pair & {"white", "wooden"}:
        return True  # "white toilets in a small room"
    if x < j and view.lower[x + 1] == "of":
        return True  # "a green bunch of large plantains"
    if view.lower[x] != view.lower[y]:
        return False
    between = view.lower[x + 1 : j]
    rest = [word for word in between if word not in POSTURE and word not in ("a", "an", "the")]
    return all(word in ("and", "or", ",", "beside", "near", "by", "to", "next", "with", "alongside") for word in rest)
