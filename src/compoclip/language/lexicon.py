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
    """WordNet without glosses, names of single things, and insults. `shared_lexicon()` gives the process's own.

    Lines of the table are kept as they are and read when asked for: that loads faster, and leaves Python's garbage
    collector nothing to walk through.
    """

    def __init__(self) -> None:
        self._lines = _table("wordnet")
        self._index: dict[str, tuple[int, ...]] = {}  # part of speech and word -> synsets
        index = self._index
        for number, line in enumerate(self._lines):
            kind, words = line.split("\t", 2)[:2]
            for entry in words.split(" "):
                key = kind[0] + entry[: entry.index(":")].lower()
                index[key] = (*index[key], number) if key in index else (number,)
        self._children: dict[int, tuple[int, ...]] | None = None
        # one memory each for this lexicon
        self.senses = lru_cache(maxsize=100_000)(self._senses)
        self.ancestors = lru_cache(maxsize=100_000)(self._ancestors)

    def __contains__(self, pos_and_word: str) -> bool:
        """Is "ndog" (part of speech n, v, a or r, then a lower-case lemma with underscores) in the lexicon?"""
        return pos_and_word in self._index

    def pos(self, synset: int) -> str:
        return self._lines[synset][0]

    def lexfile(self, synset: int) -> int:
        """WordNet's lexicographer file: 5 animal, 6 artifact, 13 food, 18 person, ..."""
        line = self._lines[synset]
        return int(line[1 : line.index("\t")])

    def words(self, synset: int) -> list[str]:
        """The synset's words, with underscores and capitals as WordNet has them."""
        return [entry[: entry.index(":")] for entry in self._lines[synset].split("\t", 2)[1].split(" ")]

    def parents(self, synset: int) -> list[int]:
        """Hypernyms; for adjectives the similar synsets."""
        fields = self._lines[synset].split("\t")
        return [int(number) for number in fields[2].split()] if len(fields) > 2 else []

    def _senses(self, word: str, pos: str) -> tuple[Sense, ...]:
        """Senses of a lemma, commonest first; () for an unknown word."""
        word = word.lower().replace(" ", "_")
        found = []
        for number in self._index.get(pos + word, ()):
            for entry in self._lines[number].split("\t", 2)[1].split(" "):
                name, rank, *tagged = entry.split(":")
                if name.lower() == word:
                    found.append(Sense(number, int(rank), int(tagged[0]) if tagged else 0))
                    break
        return tuple(sorted(found, key=lambda sense: (sense.rank, sense.synset)))

    def antonyms(self, word: str, pos: str) -> list[str]:
        """Direct antonyms, sorted. (Those of similar adjectives are too loose: stuffed, full, empty.)"""
        found = set()
        for sense in self.senses(word, pos):
            fields = self._lines[sense.synset].split("\t")
            for pair in fields[3].split() if len(fields) > 3 else ():
                own, _, opposite = pair.partition(":")
                if own.lower() == word.lower():
                    found.add(plain(opposite))
        return sorted(found)

    def _ancestors(self, synset: int) -> frozenset[int]:
        """The synset itself and every hypernym above it."""
        found, level = {synset}, [synset]
        while level and self.pos(synset) != "a":
            level = [parent for below in level for parent in self.parents(below) if parent not in found]
            found.update(level)
        return frozenset(found)

    def descendants(self, synset: int, depth: int) -> list[int]:
        """Synsets at most `depth` below this one, in table order, without itself."""
        if self._children is None:
            self._children = self._all_children()
        found: set[int] = set()
        level = {synset}
        for _ in range(depth):
            level = {child for above in level for child in self._children.get(above, ())} - found
            found |= level
        return sorted(found)

    def _all_children(self) -> dict[int, tuple[int, ...]]:
        found: dict[int, tuple[int, ...]] = {}
        for number, line in enumerate(self._lines):
            if line[0] != "a":
                for parent in self.parents(number):
                    found[parent] = (*found[parent], number) if parent in found else (number,)
        return found


@cache
def shared_lexicon() -> Lexicon:
    """The lexicon of this process, read once."""
    return Lexicon()


@cache
def _exceptions() -> dict[tuple[str, str], str]:
    return {(pos, surface): lemma for pos, surface, lemma in (line.split() for line in _table("exceptions"))}


@cache
def _blocked_hashes() -> frozenset[str]:
    return frozenset(_table("blocked"))


@lru_cache(maxsize=50_000)
def is_blocked(word: str) -> bool:
    """Is this word (or a part of a compound) a slur, an insult or an obscenity? Never proposed as a replacement."""
    word = word.lower().replace(" ", "_")
    parts = {word, *word.replace("-", "_").split("_")}
    if word.endswith("s"):
        parts.add(word[:-1])
    hashes = _blocked_hashes()
    return any(hashlib.blake2b(part.encode(), digest_size=8).hexdigest() in hashes for part in parts)


@lru_cache(maxsize=100_000)
def lemma(word: str, pos: str) -> str:
    """The dictionary form of a word form, lower case; the form itself where no rule leads to a known word."""
    word = word.lower()
    known = shared_lexicon()
    if (pos, word) in _exceptions():
        return _exceptions()[pos, word]
    if pos == "a" and pos + word in known:
        return word
    for suffix, ending in SUFFIXES[pos]:
        stem = word[: len(word) - len(suffix)] + ending if word.endswith(suffix) else ""
        if len(stem) > 1 and pos + stem in known and not (suffix == "s" and word.endswith("ss")):
            return stem
    if pos == "v" and len(word) > 5 and word.endswith(("ing", "ed")):  # running, stopped
        stem = word.removesuffix("ing").removesuffix("ed")
        if stem[-1] == stem[-2] and pos + stem[:-1] in known:
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


def caption_contexts() -> dict[str, int]:
    """How often runs of one to three words (tabs between them) occur in the same captions, if more than once."""
    return {run: int(count) for run, _, count in (line.rpartition("\t") for line in _table("caption_contexts"))}
