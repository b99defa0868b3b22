"""Word order: pieces of n words are put in another order (ARO, Yuksekgonul et al. 2023, 2.3; FSC-CLIP's bigrams)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from compoclip.negatives.draw import Draw
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

TRIES = 6
# With words of these parts of speech a phrase begins: a preposition, a participle, "and", "which".
_OPENS = frozenset({"IN", "VBG", "VBN", "CC", "TO", "WDT", ","})


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
    for _ in range(TRIES):
        mixed = draw.shuffled(pieces)
        if mixed == pieces or _inverted(view, pieces, mixed):
            continue
        order = [i for piece in mixed for i in piece]
        words = [view.words[i] for i in order] + view.words[end:]
        # a token without a space after it (n't, 's, a hyphen) keeps its neighbour; else spaces stay between words
        spaces = [view.parsed.spaces[i] or view.parsed.spaces[i] == view.parsed.spaces[end - 1] for i in order]
        for at, i in enumerate(order):
            glued = i + 1 < end and not view.parsed.spaces[i]
            spaces[at] = not (glued and at + 1 < len(order) and order[at + 1] == i + 1)
        if spaces:
            spaces[-1] = view.parsed.spaces[end - 1]
        text = view.sentence(words, [*spaces, *view.parsed.spaces[end:]])
        yield text, (view.edit(0, end, text[: view_length(text, view, end)]),)


def _inverted(view: View, pieces: list[list[int]], mixed: list[list[int]]) -> bool:
    """Do only whole phrases change places, so that it says the same? "Through a desert walks a horse"."""
    follows = {first[0]: second[0] for first, second in pairwise(mixed)}
    parted = [second[0] for first, second in pairwise(pieces) if follows.get(first[0]) != second[0]]
    return all(view.parsed.tags[start] in _OPENS for start in parted)


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
