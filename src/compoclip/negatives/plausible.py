"""How much less a text reads like a caption than another: runs of two and three words that captions have.

A swap that leaves words where no caption has them ("a table sits on a man") is told from a caption without looking at
the image. So swaps are weighed by a small language model of captions and the worst are not made; SugarCrepe (Hsieh et
al. 2023, section 4) takes a language model to the same end. The model is a back-off of relative frequencies (Brants et
al. 2007, section 4) over the runs that occur more than once, in everyday captions and in those at hand.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from compoclip.language.lexicon import caption_contexts, lemma, shared_lexicon

WORD = re.compile(r"[a-z0-9]+|'s")
START, END = "^", "$"
LEAST = 2  # a run that occurs once is its caption's own and says nothing
TOGETHER = "&"
BACK_OFF = math.log(0.4)
Gram = tuple[str, ...]


def marked(words: Iterable[str]) -> list[str]:
    """A caption's lower-case words as the model sees them: ends marked, "an" as "a", no punctuation."""
    return [START, *filter(None, plain(words)), END]


def plain(words: Iterable[str]) -> list[str]:
    """The same words, one for one, with nothing for punctuation."""
    return ["a" if word == "an" else word if word[0].isalnum() or word == "'s" else "" for word in words]


def runs(captions: Iterable[str]) -> dict[str, int]:
    """How often runs of one to three words occur in captions, if more than once; tabs stand between words."""
    counts: Counter[Gram] = Counter()
    for caption in captions:
        words = marked(WORD.findall(caption.lower()))
        for n in (1, 2, 3):
            counts.update(zip(*(words[at:] for at in range(n))))
    return {"\t".join(gram): count for gram, count in sorted(counts.items()) if count >= LEAST}


def noun_places(captions: Iterable[str]) -> dict[str, int]:
    """How often a noun lemma stands after two words and before another ("dog, with a, on"; tabs between the three).

    With "&" in the place of the two words, how many captions name both nouns ("dog, &, man").
    """
    counts: Counter[str] = Counter()
    for caption in captions:
        words = [START, *marked(WORD.findall(caption.lower()))]
        named = set()
        for at in range(2, len(words) - 1):
            stem = lemma(words[at], "n")
            if "n" + stem in shared_lexicon():
                named.add(stem)
                counts[f"{stem}\t{words[at - 2]} {words[at - 1]}\t{words[at + 1]}"] += 1
        counts.update(f"{one}\t{TOGETHER}\t{other}" for one in named for other in named if one < other)
    return {place: count for place, count in sorted(counts.items()) if count > 1 or TOGETHER not in place}


class Contexts:
    """The model. `own`: runs of the captions at hand, to stand beside those of everyday captions."""

    def __init__(self, own: Mapping[str, int]) -> None:
        self._counts = dict(_everyday())
        for run, count in own.items():
            gram = tuple(run.split("\t"))
            self._counts[gram] = max(count, self._counts.get(gram, 0))
        self._total = sum(count for gram, count in self._counts.items() if len(gram) == 1)
        self._new: dict[Gram, float] = {}
        self._old: dict[Gram, float] = {}
        self._before: tuple[Sequence[str], dict[Gram, float]] = ((), {})  # the caption judged last, and its costs

    def seen(self, *words: str) -> bool:
        """Do captions have this run of one to three words ("a" stands for "an")?"""
        return words in self._counts

    def loss(self, old: Sequence[str], new: Sequence[str]) -> float:
        """Log-likelihood (nats) that a caption loses when `old` becomes `new`; both as `marked` gives them.

        What the caption itself has contributed to the counts is taken off before its own runs are judged.
        """
        if old is not self._before[0]:
            grams = [*dict.fromkeys(zip(old, old[1:], old[2:])), (old[0], old[1])]
            self._before = old, {gram: self._old.get(gram) or self._cost(gram, self._old, 1) for gram in grams}
        before = self._before[1]
        after: dict[Gram, None] = dict.fromkeys(zip(new, new[1:], new[2:]))
        after[new[0], new[1]] = None
        gone = sum([cost for gram, cost in before.items() if gram not in after])
        come = sum([self._new.get(gram) or self._cost(gram, self._new, 0) for gram in after if gram not in before])
        return come - gone

    def _cost(self, gram: Gram, known: dict[Gram, float], own: int) -> float:
        """Minus the log-probability of the last word after the others, `own` occurrences not counted."""
        left, penalty = gram, 0.0
        while True:
            count = self._counts.get(left, 0) - own
            total = (self._counts.get(left[:-1], 0) if len(left) > 1 else self._total) - own
            if len(left) == 1 or 0 < count <= total:
                break
            left, penalty = left[1:], penalty - BACK_OFF
        if len(known) > 300_000:
            known.clear()
        known[gram] = penalty - math.log(max(count, 0.5) / total)
        return known[gram]


@cache
def _everyday() -> dict[Gram, int]:
    return {tuple(run.split("\t")): count for run, count in caption_contexts().items()}
