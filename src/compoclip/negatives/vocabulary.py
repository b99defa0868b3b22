"""Which words a replacement may use, and how often: those that captions use."""

from __future__ import annotations

import heapq
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from compoclip.language.lexicon import caption_counts, lemma
from compoclip.negatives.plausible import Contexts, noun_places, runs

WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*")
SAMPLE = 10_000  # captions that runs of words are learned from: enough, and no more to carry to every worker


class Vocabulary:
    """Word counts of a caption set, by surface form and by noun lemma, and the runs of words its captions have.

    A replacement is drawn from these words only, in proportion to their counts, so that it is neither a rare sense nor
    a word the captions never use. `contexts` says how well a swap reads. In `counts`, what starts with a tab is a run
    of words and not a word.
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = dict(sorted(counts.items()))
        self._words = {word: count for word, count in self.counts.items() if word[:1] not in "\t\n"}
        self.lemmas: Counter[str] = Counter()
        for word, count in self._words.items():
            stem = lemma(word, "n")
            self.lemmas[stem] += count
            if stem != word:
                self.lemmas[word] += 0
        self._by_pos: dict[str, Counter[str]] = {}
        self._contexts: Contexts | None = None

    @classmethod
    def from_captions(cls, captions: Iterable[str], least: int = 1) -> Vocabulary:
        """Words that occur at least `least` times, and runs of words from a sample that does not depend on order."""
        counts: Counter[str] = Counter()

        def counted() -> Iterator[str]:
            for caption in captions:
                counts.update(WORD.findall(caption.lower()))
                yield caption

        sample = heapq.nsmallest(SAMPLE, counted(), key=lambda caption: (zlib.crc32(caption.encode()), caption))
        words = {word: count for word, count in counts.items() if count >= least}
        places = {"\n" + place: count for place, count in noun_places(sample).items()}
        return cls(words | {"\t" + run: count for run, count in runs(sample).items()} | places)

    def noun_places(self) -> Iterator[tuple[str, str, str, int]]:
        """(noun lemma, the two words before it, the word after it, how often), where the captions at hand say so."""
        for key, count in self.counts.items():
            if key[:1] == "\n":
                noun, before, after = key[1:].split("\t")
                yield noun, before, after, count

    def contexts_of_two(self) -> Iterator[tuple[tuple[str, str], int]]:
        """The runs of two words of the captions at hand, and how often they occur."""
        for key, count in self.counts.items():
            if key[:1] == "\t" and key.count("\t") == 2:
                first, second = key[1:].split("\t")
                yield (first, second), count

    @property
    def contexts(self) -> Contexts:
        if self._contexts is None:
            self._contexts = Contexts({key[1:]: count for key, count in self.counts.items() if key[:1] == "\t"})
        return self._contexts

    def noun(self, word: str) -> int:
        """How often a noun lemma occurs in any form; 0 for a word the captions do not have."""
        return self.lemmas.get(word, 0)

    def lemma_count(self, word: str, pos: str) -> int:
        """How often any form of a lemma of this part of speech occurs."""
        if pos not in self._by_pos:
            found: Counter[str] = Counter()
            for surface, count in self._words.items():
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
