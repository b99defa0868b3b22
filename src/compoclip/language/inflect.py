"""Word forms (lemminflect) and the choice between "a" and "an" (inflect)."""

from __future__ import annotations

import importlib
from functools import cache, lru_cache
from typing import Any

from compoclip.language.words import words

INVARIABLE = words("things", "inflect.invariable")
PAIRS = words("things", "inflect.pairs")
IRREGULAR_PLURALS = {"person": "people", "child": "children", "ski": "skis", "bus": "buses", "frisbee": "frisbees"}


@lru_cache(maxsize=100_000)
def inflect(lemma: str, tag: str) -> str:
    """The form of a lemma for a Penn Treebank tag (NNS, VBG, JJR, ...); only the head of a multi-word lemma changes."""
    if tag in ("NN", "VB", "VBP", "JJ", "RB"):
        return lemma
    words = lemma.split(" ")
    at = _head(words, tag)
    words[at] = _inflect_word(words[at], tag)
    return " ".join(words)


def _head(words: list[str], tag: str) -> int:
    """Verbs lead their particles ("pick up"); nouns come last, or before a preposition ("man of war")."""
    if tag.startswith("V"):
        return 0
    for position, word in enumerate(words):
        if position and word in ("of", "in", "on", "at", "to", "for", "with"):
            return position - 1
    return len(words) - 1


def _inflect_word(word: str, tag: str) -> str:
    if tag == "NNS":
        if word in INVARIABLE:
            return word
        if word in IRREGULAR_PLURALS:
            return IRREGULAR_PLURALS[word]
    prefix, hyphen, last = word.rpartition("-")
    forms = _lemminflect().getInflection(last, tag=tag, inflect_oov=True)
    return prefix + hyphen + forms[0] if forms else word


@cache
def _lemminflect() -> Any:
    import lemminflect

    return lemminflect


@cache
def _engine() -> Any:
    """inflect's engine, imported without checks of its arguments' types: to put them into its code takes typeguard
    four fifths of the start of every process (seconds), and what comes here are words."""
    try:
        guard: Any = importlib.import_module("typeguard")
    except ImportError:  # a version of inflect that does without
        return importlib.import_module("inflect").engine()
    checked, guard.typechecked = guard.typechecked, lambda target: target
    try:
        return importlib.import_module("inflect").engine()
    finally:
        guard.typechecked = checked


@lru_cache(maxsize=100_000)
def indefinite_article(next_word: str) -> str:
    """ "a" or "an" before this word."""
    if not next_word or not next_word[0].isalnum():
        return "a"
    return str(_engine().a(next_word)).split(" ", 1)[0].lower()
