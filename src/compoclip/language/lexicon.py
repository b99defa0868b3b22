"""The one lexicon: senses, relatives and lemmas of words, from a compact table made of WordNet 3.0.

`scripts/build_lexicon.py` writes the table and says what is left out of it. Everything is returned in a fixed order.
"""

from __future__ import annotations

import hashlib
import lzma
from functools import cache, lru_cache
from importlib import resources
from typing import NamedTuple

POS = ("n", "v", "a", "r")
SUFFIXES = {
    "n": (
        ("s", ""),
        ("ses", "s"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "r": (),
}


class Sense(NamedTuple):
    synset: int
    rank: int  # 1 is the commonest sense of the word in WordNet's order
    tagged: int  # how often the sense was tagged in WordNet's concordance texts


class Lexicon:
    """WordNet without glosses, names of single things, and insults. `shared_lexicon()` gives the process's own."""

    def __init__(self) -> None:
        self.pos: list[str] = []
        self.lexfile: list[int] = []  # WordNet's lexicographer files: 5 animal, 6 artifact, 13 food, 18 person, ...
        self.words: list[list[str]] = []  # with underscores
        self.parents: list[tuple[int, ...]] = []  # hypernyms; for adjectives the similar synsets
        self.children: dict[int, list[int]] = {}
        self._senses: dict[tuple[str, str], list[Sense]] = {}
        self._antonyms: dict[tuple[str, str], set[str]] = {}
        for number, line in enumerate(_table("wordnet")):
            kind, words, parents, antonyms = ([*line.split("\t"), "", "", ""])[:4]
            pos = kind[0]
            plain = []
            for entry in words.split(" "):
                word, rank, *count = entry.split(":")
                plain.append(word)
                key = (pos, word.lower())
                self._senses.setdefault(key, []).append(Sense(number, int(rank), int(count[0]) if count else 0))
            self.pos.append(pos)
            self.lexfile.append(int(kind[1:]))
            self.words.append(plain)
            above = tuple(map(int, parents.split())) if parents else ()
            self.parents.append(above)
            if pos != "a":
                for parent in above:
                    self.children.setdefault(parent, []).append(number)
            for pair in antonyms.split():
                word, _, opposite = pair.partition(":")
                self._antonyms.setdefault((pos, word.lower()), set()).add(opposite)
        for entry_list in self._senses.values():
            entry_list.sort(key=lambda sense: (sense.rank, sense.synset))

    def senses(self, word: str, pos: str) -> list[Sense]:
        """Senses of a lemma, commonest first; [] for an unknown word."""
        return self._senses.get((pos, word.lower().replace(" ", "_")), [])

    def antonyms(self, word: str, pos: str) -> list[str]:
        """Direct antonyms, sorted. (Those of similar adjectives are too loose: stuffed, full, empty.)"""
        return sorted(plain(other) for other in self._antonyms.get((pos, word.lower()), ()))

    def ancestors(self, synset: int) -> frozenset[int]:
        """The synset itself and every hypernym above it."""
        return _ancestors(self, synset)

    def descendants(self, synset: int, depth: int) -> list[int]:
        """Synsets at most `depth` below this one, in table order, without itself."""
        found: set[int] = set()
        level = {synset}
        for _ in range(depth):
            level = {child for above in level for child in self.children.get(above, ())} - found
            found |= level
        return sorted(found)


@lru_cache(maxsize=200_000)
def _ancestors(lexicon: Lexicon, synset: int) -> frozenset[int]:
    found = {synset}
    for parent in lexicon.parents[synset]:
        if parent not in found and lexicon.pos[synset] != "a":
            found |= _ancestors(lexicon, parent)
    return frozenset(found)


@cache
def shared_lexicon() -> Lexicon:
    """The lexicon of this process, read once (half a second)."""
    return Lexicon()


@cache
def _exceptions() -> dict[tuple[str, str], str]:
    return {(pos, surface): lemma for pos, surface, lemma in (line.split() for line in _table("exceptions"))}


@cache
def _blocked_hashes() -> frozenset[str]:
    return frozenset(_table("blocked"))


def is_blocked(word: str) -> bool:
    """Is this word (or a part of a compound) a slur, an insult or an obscenity? Never proposed as a replacement."""
    return _blocked_one(word.lower().replace(" ", "_"))


@lru_cache(maxsize=50_000)
def _blocked_one(word: str) -> bool:
    parts = {word, *word.replace("-", "_").split("_")}
    if word.endswith("s"):
        parts.add(word[:-1])
    hashes = _blocked_hashes()
    return any(hashlib.blake2b(part.encode(), digest_size=8).hexdigest() in hashes for part in parts)


@lru_cache(maxsize=100_000)
def lemma(word: str, pos: str) -> str:
    """The dictionary form of a word form, lower case; the form itself where no rule leads to a known word."""
    word = word.lower()
    known = shared_lexicon()._senses
    if (pos, word) in _exceptions():
        return _exceptions()[pos, word]
    if pos == "a" and (pos, word) in known:
        return word
    for suffix, ending in SUFFIXES[pos]:
        stem = word[: len(word) - len(suffix)] + ending if word.endswith(suffix) else ""
        if len(stem) > 1 and (pos, stem) in known and not (suffix == "s" and word.endswith("ss")):
            return stem
    if pos == "v" and len(word) > 5 and word.endswith(("ing", "ed")):  # running, stopped
        stem = word.removesuffix("ing").removesuffix("ed")
        if stem[-1] == stem[-2] and (pos, stem[:-1]) in known:
            return stem[:-1]
    return word


def plain(word: str) -> str:
    return word.replace("_", " ")


def _table(name: str) -> list[str]:
    data = resources.files("compoclip.language").joinpath("tables", f"{name}.xz").read_bytes()
    return lzma.decompress(data).decode("utf-8").splitlines()


def caption_counts() -> dict[str, int]:
    """Word counts over a few thousand everyday photo captions: the vocabulary where a caption set gives none."""
    return {word: int(count) for word, count in (line.split() for line in _table("caption_words"))}
