"""Word order: pieces of n words are put in another order (ARO, Yuksekgonul et al. 2023, 2.3; FSC-CLIP's bigrams)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.boundaries import ARTICLES, boundaries, crossed_boundaries, joins
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView
from compoclip.negatives.vocabulary import Vocabulary

TRIES = 16
_OPENING = {'"': '"', "“": "”", "``": "''", "(": ")"}


def of_length(length: int) -> Callable[[CaptionView, Draw, Vocabulary], Iterator[tuple[str, tuple[Edit, ...]]]]:
    def propose(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
        yield from shuffled(view, draw, length)

    return propose


def bigrams_or_trigrams(
    view: CaptionView, draw: Draw, vocabulary: Vocabulary
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    first = 2 + draw.below(2)
    for length in (first, 5 - first, 1):  # two words alone cannot be shuffled in pieces of two
        yield from shuffled(view, draw, length)


def shuffled(view: CaptionView, draw: Draw, length: int) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Pieces of `length` words in another order; punctuation at the end stays there.

    Pieces are counted from the first word (ARO's trigrams always are). Where four or five words a piece leave no order
    that says another thing, the first piece is a shorter one; they are never torn loosely, or little else would change.
    """
    end = len(view.words)
    while end and not any(c.isalnum() for c in view.words[end - 1]):
        end -= 1
    units = _units(view, end)
    offsets = draw.shuffled(range(1, length)) if length > 3 else []
    for loose in (False,) if length > 3 else (False, True):
        for first in (0, *offsets):
            made = False
            for proposal in _reordered(view, draw, _pieces(units, length, first), end, loose):
                made = True
                yield proposal
            if made and offsets:
                return


def _reordered(
    view: CaptionView, draw: Draw, pieces: list[list[int]], end: int, loose: bool
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """The pieces in orders that say another thing.

    Where `loose`, two articles may come together, which no caption has, and a noun torn from its article counts as
    another thing after any word that it may belong to.
    """
    if len(pieces) < 3:
        return  # what two pieces say the other way round is the caption, less a word that hangs
    needs, brings, torn = boundaries(view, pieces)
    if not needs:
        return
    crossing = crossed_boundaries(view, pieces, needs, brings)
    spaces_were = view.parsed.spaces
    stuck = {i for i in range(end - 1) if not spaces_were[i]}
    known = words_anywhere(view)
    for _ in range(TRIES):
        mixed = draw.shuffled(pieces)
        firsts = [piece[0] for piece in mixed]
        if crossing.isdisjoint(pairwise(firsts)) and not (loose and joins(view, mixed, needs, torn)):
            continue
        if not (loose or _apart(view, mixed)):
            continue
        order = [i for piece in mixed for i in piece]
        if not known[order[-1]][-1].isalnum() or not (order[0] == 0 or known[order[0]][0].isalnum()):
            continue  # a comma before the full stop or before everything
        words = [known[i] for i in order] + view.words[end:]
        if any(one == "," == other for one, other in pairwise(words)):
            continue
        # a token without a space after it (n't, 's, a hyphen) keeps its neighbour; else spaces stay between words
        spaces = [True] * len(order)
        for at, i in enumerate(order[:-1] if stuck else ()):
            spaces[at] = not (i in stuck and order[at + 1] == i + 1)
        spaces[-1] = spaces_were[end - 1]
        text = view.sentence(words, [*spaces, *spaces_were[end:]])
        yield text, (view.edit(0, end, text[: view_length(text, view, end)]),)


def words_anywhere(view: CaptionView) -> list[str]:
    """The tokens, the first one without a capital that only the start of the sentence gives it.

    The tagger calls some such words names ("Group of children"): they are none where WordNet knows them in lower case.
    """
    words, tags = view.words, view.parsed.tags
    first = words[0] if words else ""
    if tags[:1] == ["NNP"] or tags[:1] == ["NNPS"]:
        named = len(words) > 1 and words[1][0].isupper()
        if not named and first[0].isupper() and first[1:].islower():
            for pos in ("n", "a"):
                stem = lemma(first.lower(), pos)
                senses = shared_lexicon().senses(stem, pos)
                if senses and stem in shared_lexicon().words(senses[0].synset):
                    return [first.lower(), *words[1:]]
    return words


def _apart(view: CaptionView, mixed: list[list[int]]) -> bool:
    """Do no two articles come together? No caption has "on a the"."""
    lower = view.lower
    return not any(lower[a[-1]] in ARTICLES and lower[b[0]] in ARTICLES for a, b in pairwise(mixed))


def view_length(text: str, view: CaptionView, end: int) -> int:
    """How many characters of the new caption come before the punctuation that stayed."""
    tail = view.parsed.text[view.parsed.starts[end - 1] + len(view.parsed.words[end - 1]) :]
    return len(text) - len(tail.rstrip()) if tail else len(text)


def _units(view: CaptionView, end: int) -> list[list[int]]:
    """Words, each with the tokens written to it without a space; what stands in quotes or brackets is one word."""
    units: list[list[int]] = []
    closing, words, spaces = "", view.words, view.parsed.spaces
    for i in range(end):
        if units and (closing or not spaces[i - 1]):
            units[-1].append(i)
        else:
            units.append([i])
        if closing:
            closing = "" if words[i] == closing else closing
        elif words[i] in _OPENING and _OPENING[words[i]] in words[i + 1 :]:
            closing = _OPENING[words[i]]
    return [] if closing else units  # what the last punctuation closes cannot leave it


def _pieces(units: list[list[int]], length: int, first: int) -> list[list[int]]:
    """Runs of `length` units; the first one has `first` of them, if that is not 0."""
    cuts = range(first - length if first else 0, len(units), length)
    return [[i for unit in units[max(at, 0) : at + length] for i in unit] for at in cuts]
