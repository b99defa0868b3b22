"""What all swaps share: two spans change places, best-reading swaps first, and none that reads much worse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import eq
from typing import NamedTuple

from compoclip.negatives.candidates import visible_field
from compoclip.negatives.draw import Draw
from compoclip.negatives.plausible import END, START, plain
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView, Noun
from compoclip.negatives.vocabulary import Vocabulary

# In nats: what a caption's best swap may lose, and what its others may. Swaps that lose more are told from captions by
# text alone; docs/negatives.md has what other limits give.
LIMIT = 10.5
LIMIT_MORE = 4.5
SPREAD = 4.0  # swaps this near to each other come in any order, so that every epoch brings others
STEPS = 1 << 16

Change = tuple[int, int, str]  # tokens start to end give way to a text


class Swap(NamedTuple):
    one: Change
    other: Change
    repairs: tuple[Change, ...] = ()  # articles that come or go
    malus: float = 0.0  # nats, for what the words' sorts say beyond their contexts


def of_spans(view: CaptionView, one: tuple[int, int], other: tuple[int, int], malus: float = 0.0) -> Swap:
    """Tokens `one` (start, end) and `other` change places as they are."""
    return Swap((*one, view.said(*other)), (*other, view.said(*one)), malus=malus)


def unlike(a: Noun, b: Noun) -> float:
    """0 for things of one sort, up to 3 for a person and a thing; two that live could do what the other does."""
    one, other = visible_field(a.lemma), visible_field(b.lemma)
    living = (5, 18)
    if one in living and other in living:
        return -4.0
    return 2.0 * ((one in living) != (other in living)) + (one != other)


def best_first(
    view: CaptionView, draw: Draw, vocabulary: Vocabulary, swaps: Iterable[Swap]
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """The swaps as captions: those that read best first, and none that reads much worse than its caption."""
    swaps = list(swaps)
    if not swaps:
        return
    contexts = vocabulary.contexts
    words, old = _read(view)
    weighed = []
    for swap in swaps:
        changes = sorted((swap.one, swap.other, *swap.repairs))
        new = [START, *filter(None, _spliced(words, changes)), END]
        if not any(map(eq, new, new[1:])):  # "a toothbrush toothbrush"
            weighed.append((swap.malus + contexts.loss(old, new), swap, changes))
    limit = max(LIMIT_MORE, min(LIMIT, min((loss for loss, *_ in weighed), default=0.0)))
    ranked = [
        (loss + SPREAD * draw.below(STEPS) / STEPS, number)
        for number, (loss, *_) in enumerate(weighed)
        if loss <= limit
    ]
    for _, number in sorted(ranked):
        _, swap, changes = weighed[number]
        yield view.rewrite(changes), (view.edit(*swap.one), view.edit(*swap.other))


def loss(view: CaptionView, vocabulary: Vocabulary, changes: list[Change]) -> float:
    """Log-likelihood (nats) that the caption loses by the changes, by the captions' own runs of words."""
    words, old = _read(view)
    return vocabulary.contexts.loss(old, [START, *filter(None, _spliced(words, sorted(changes))), END])


def _read(view: CaptionView) -> tuple[list[str], list[str]]:
    """The caption's words for the language model, token by token, and as it reads them."""
    if view.read is None:
        words = plain(view.lower)
        view.read = words, [START, *filter(None, words), END]
    return view.read


def _spliced(words: list[str], changes: list[Change]) -> list[str]:
    """The words with the changes, which are in order and do not overlap."""
    new: list[str] = []
    at = 0
    for start, end, text in changes:
        new += words[at:start]
        new += text.lower().split()
        at = end
    return new + words[at:]
