"""Which words a replacement may use, and how often: those that captions use."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

from compoclip.language.lexicon import caption_counts, lemma

WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*")


class Vocabulary:
    """Word counts of a caption set, by surface form and by noun lemma.

    A replacement is drawn from these words only, in proportion to their counts, so that it is neither a rare sense nor
    a word the captions never use.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = dict(sorted(counts.items()))
        self.lemmas: Counter[str] = Counter()
        for word, count in self.counts.items():
            stem = lemma(word, "n")
            self.lemmas[stem] += count
            if stem != word:
                self.lemmas[word] += 0
        self._by_pos: dict[str, Counter[str]] = {}

    @classmethod
    def from_captions(cls, captions: Iterable[str], least: int = 1) -> Vocabulary:
        counts: Counter[str] = Counter()
        for caption in captions:
            counts.update(WORD.findall(caption.lower()))
        return cls({word: count for word, count in counts.items() if count >= least})

    def noun(self, word: str) -> int:
        """How often a noun lemma occurs in any form; 0 for a word the captions do not have."""
        return self.lemmas.get(word, 0)

    def lemma_count(self, word: str, pos: str) -> int:
        """How often any form of a lemma of this part of speech occurs."""
        if pos not in self._by_pos:
            found: Counter[str] = Counter()
            for surface, count in self.counts.items():
                found[lemma(surface, pos)] += count
            self._by_pos[pos] = found
        return self._by_pos[pos].get(word, 0)

    def word(self, word: str) -> int:
        return self.counts.get(word, 0)

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


@cache
def default_vocabulary() -> Vocabulary:
    """Everyday photo captions, for calls that bring no caption set of their own."""
    return Vocabulary(caption_counts())
