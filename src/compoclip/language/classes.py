"""Everyday word classes: what can stand in for what in a caption, and which words mean too nearly the same.

The lists are ours. WordNet's co-hyponyms complete them for words that stand in none.
"""

from __future__ import annotations

from functools import cache

from compoclip.language.nouns import DIRECTED, NOUN_CLASSES
from compoclip.language.words import table, words

ADVERB_CLASSES: dict[str, str] = {name: text.strip() for name, text in table("classes")["adverbs"].items()}
ADJECTIVE_CLASSES: dict[str, str] = {name: text.strip() for name, text in table("classes")["adjectives"].items()}

MASS = words("things", "classes.mass")
BOTH_WAYS = words("things", "classes.both_ways")
COLLOCATIONS = words("things", "classes.collocations")


@cache
def members(part: str) -> dict[str, tuple[str, ...]]:
    """word -> the others of its classes, sorted, for part of speech "n", "a" or "r"."""
    classes = {"n": NOUN_CLASSES, "a": ADJECTIVE_CLASSES, "r": ADVERB_CLASSES}[part]
    found: dict[str, set[str]] = {}
    for text in classes.values():
        words = {word.replace("_", " ") for word in text.split()}
        for word in words:
            found.setdefault(word, set()).update(words - {word})
    if part == "n":
        for word, text in DIRECTED.items():
            found.setdefault(word, set()).update(text.split())
    return {word: tuple(sorted(others - near_synonyms(word))) for word, others in found.items()}


@cache
def _groups() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in table("classes")["synonyms"]:
        group = {word.replace("_", " ") for word in line.split()}
        for word in group:
            found.setdefault(word, set()).update(group - {word})
    for line in table("classes")["near_synonyms"]:
        first, *others = (word.replace("_", " ") for word in line.split())
        found.setdefault(first, set()).update(others)
        for other in others:
            found.setdefault(other, set()).add(first)
    return {word: frozenset(others) for word, others in found.items()}


def near_synonyms(word: str) -> frozenset[str]:
    """Words that can be said of the same thing as this lemma."""
    return _groups().get(word, frozenset())
