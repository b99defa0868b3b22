"""Word order: pieces of n words are put in another order (ARO, Yuksekgonul et al. 2023, 2.3; FSC-CLIP's bigrams)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from compoclip.negatives.draw import Draw
from compoclip.negatives.types import Edit
from compoclip.negatives.view import THINGS_IN_ING, View
from compoclip.negatives.vocabulary import Vocabulary

TRIES = 12
# What stands before a noun and is torn from it by a cut between the two.
_BEFORE_NOUNS = frozenset({"det", "amod", "compound", "nummod", "poss", "nmod", "quantmod", "predet"})


def of_length(length: int) -> Callable[[View, Draw, Vocabulary], Iterator[tuple[str, tuple[Edit, ...]]]]:
    def propose(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
        yield from shuffled(view, draw, length)

    return propose


def bigrams_or_trigrams(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    first = 2 + draw.below(2)
    for length in (first, 5 - first, 1):  # two words alone cannot be shuffled in pieces of two
        yield from shuffled(view, draw, length)


def shuffled(view: View, draw: Draw, length: int) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Pieces of `length` words in another order; punctuation at the end stays there."""
    end = len(view.words)
    while end and not any(c.isalnum() for c in view.words[end - 1]):
        end -= 1
    pieces = _pieces(view, end, length)
    if len(pieces) < 2:
        return
    stuck = {i for i in range(end - 1) if not view.parsed.spaces[i]}
    reach = _reach(view)
    for _ in range(TRIES):
        mixed = draw.shuffled(pieces)
        if mixed == pieces or _inverted(view, pieces, mixed, reach):
            continue
        order = [i for piece in mixed for i in piece]
        words = [view.words[i] for i in order] + view.words[end:]
        # a token without a space after it (n't, 's, a hyphen) keeps its neighbour; else spaces stay between words
        spaces = [True] * len(order)
        for at, i in enumerate(order[:-1] if stuck else ()):
            spaces[at] = not (i in stuck and order[at + 1] == i + 1)
        spaces[-1] = view.parsed.spaces[end - 1]
        text = view.sentence(words, [*spaces, *view.parsed.spaces[end:]])
        yield text, (view.edit(0, end, text[: view_length(text, view, end)]),)


def _inverted(view: View, pieces: list[list[int]], mixed: list[list[int]], reach: list[int]) -> bool:
    """Do only whole phrases change places, so that it says the same? "Through a desert walks a horse".

    It does not where a cut goes through the words of one noun ("grass a zebra standing on the"), nor where a verb or a
    preposition gets another thing: "Sitting next to | a man | a horse", from "A man | sitting next to | a horse".
    """
    follows = {first[0]: second[0] for first, second in pairwise(mixed)}
    for piece, after in pairwise(pieces):
        now, start = follows.get(piece[0]), after[0]
        if now == start:
            continue
        if _in_a_noun_phrase(view, start, reach):
            return False
        governs = view.parsed.tags[piece[-1]][:2] in ("IN", "VB", "TO", "RP")
        if now is not None and governs and _begins_noun(view, start) and _begins_noun(view, now):
            return False
    return True


def _begins_noun(view: View, start: int) -> bool:
    return view.parsed.deps[start] in _BEFORE_NOUNS or view.parsed.tags[start].startswith("NN")


def _in_a_noun_phrase(view: View, start: int, reach: list[int]) -> bool:
    """Does a word before `start` belong to a noun that stands at `start` or later?"""
    word = view.lower[start]
    if word.endswith("ing") and word not in THINGS_IN_ING:
        return False  # "a man on a surfboard | riding a wave": the parser took the verb for a noun
    return reach[start] >= start


def _reach(view: View) -> list[int]:
    """For each position the farthest noun that a word before it belongs to; -1 where there is none."""
    parsed, reach = view.parsed, [-1]
    for dep, head in zip(parsed.deps, parsed.heads):
        reach.append(head if dep in _BEFORE_NOUNS and head > reach[-1] else reach[-1])
    return reach


def view_length(text: str, view: View, end: int) -> int:
    """How many characters of the new caption come before the punctuation that stayed."""
    tail = view.parsed.text[view.parsed.starts[end - 1] + len(view.parsed.words[end - 1]) :]
    return len(text) - len(tail.rstrip()) if tail else len(text)


def _pieces(view: View, end: int, length: int) -> list[list[int]]:
    """Runs of `length` words; tokens written without a space between them count as one word."""
    units: list[list[int]] = []
    for i in range(end):
        if units and not view.parsed.spaces[i - 1]:
            units[-1].append(i)
        else:
            units.append([i])
    return [[i for unit in units[at : at + length] for i in unit] for at in range(0, len(units), length)]
