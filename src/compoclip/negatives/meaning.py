"""Which swaps leave the meaning as it was: plain conjuncts, and relations that hold both ways."""

from __future__ import annotations

from compoclip.language.words import word_set
from compoclip.negatives.view import Noun, View

SYMMETRIC = word_set(
    """
    beside near by alongside with and or between among amongst next adjacent against around
    """
)
MUTUAL_VERBS = word_set(
    """
    face meet kiss hug embrace marry match resemble touch
    """
)
POSTURE = word_set(
    """
    is are was were be being sit sits sitting sat seated stand stands standing stood lie lies lying laying
    lay lays rest rests resting park parked place placed set displayed walk walking walks wait waiting pose
    poses posing next together playing talking
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
    if conjuncts(view, a.head, b.head) or _in_list(view, a, b):
        return not _told_apart(view, a, b)
    return _related_both_ways(view, a, b) and not _told_apart(view, a, b)


def _in_list(view: View, a: Noun, b: Noun) -> bool:
    """Only "and", "or", commas and the second noun's own phrase stand between (whatever the parser made of it)."""
    return all(word in ("and", "or", "&", ",", "with") for word in view.lower[a.head + 1 : b.phrase])


def _told_apart(view: View, a: Noun, b: Noun) -> bool:
    """Does each noun have its own attributes, so that the swap changes who has which?

    A modifier of the first conjunct may be shared ("a black keyboard and mouse"), unless the second has an article.
    """
    if "other" in view.lower[a.head + 1 : b.head]:
        return False  # "broccoli and other vegetables"
    first = {view.lower[i] for i in a.adjectives} | _numeral(view, a)
    second = {view.lower[i] for i in b.adjectives} | _numeral(view, b)
    if first == second:
        return False
    return bool(second) or b.article >= 0


def _numeral(view: View, noun: Noun) -> set[str]:
    return {view.lower[c] for c in view.children[noun.head] if c < noun.head and view.parsed.deps[c] == "nummod"}


def _related_both_ways(view: View, a: Noun, b: Noun) -> bool:
    """Between the two nouns, only a symmetric relation and verbs of posture: "a dog sitting next to a cat"."""
    between = view.lower[a.head + 1 : b.phrase]
    rest = [word for word in between if word not in POSTURE]
    joined = " ".join(rest)
    if joined in (
        "beside",
        "near",
        "by",
        "alongside",
        "to",
        "close to",
        "adjacent to",
        "and",
        "with",
        "along with",
        "nearby",
    ):
        return True
    return len(rest) == 1 and rest[0].rstrip("es") in MUTUAL_VERBS


def same_meaning_adjectives(view: View, i: int, x: int, j: int, y: int) -> bool:
    """Adjectives i of noun x and j of noun y: "a red square and a blue square" is the same swapped."""
    if view.lower[x] != view.lower[y]:
        return False
    between = view.lower[x + 1 : j]
    rest = [word for word in between if word not in POSTURE and word not in ("a", "an", "the")]
    return all(word in ("and", "or", ",", "beside", "near", "by", "to", "next", "with", "alongside") for word in rest)
