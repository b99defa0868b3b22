"""Word orders by part of speech (the four perturbations of ARO's order tests, Yuksekgonul et al. 2023, section 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from compoclip.negatives.draw import Draw
from compoclip.negatives.meaning import BOTH_WAYS, POSTURE
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

TRIES = 4


def nouns_and_adjectives(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Nouns change places with nouns, and adjectives with adjectives."""
    groups = [_tagged(view, ("NN", "NNS")), _tagged(view, ("JJ", "JJR", "JJS"))]
    yield from _permuted(view, draw, groups, _crosses)


def all_but_nouns_and_adjectives(
    view: View, draw: Draw, vocabulary: Vocabulary
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Everything but nouns and adjectives changes places."""
    named = {*_tagged(view, ("NN", "NNS", "NNP", "NNPS")), *_tagged(view, ("JJ", "JJR", "JJS"))}
    rest = [i for i, word in enumerate(view.words) if word[0].isalnum() and i not in named and not _stuck(view, i)]
    yield from _permuted(view, draw, [rest])


def within_trigrams(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """The words of each run of three change places among themselves."""
    words = [i for i, word in enumerate(view.words) if word[0].isalnum() and not _stuck(view, i)]
    yield from _permuted(view, draw, [words[at : at + 3] for at in range(0, len(words), 3)])


def _stuck(view: View, position: int) -> bool:
    """Is the token written together with a neighbour that is a word?"""
    spaces, words = view.parsed.spaces, view.words
    before = position > 0 and not spaces[position - 1]
    return before or (position + 1 < len(words) and not spaces[position] and words[position + 1][0] in "'’-n")


def _tagged(view: View, tags: tuple[str, ...]) -> list[int]:
    return [i for i, tag in enumerate(view.parsed.tags) if tag in tags and not _stuck(view, i)]


def _crosses(view: View, order: list[int]) -> bool:
    """Does a word come to another thing? ("white and black" and "a boy and a man" say the same either way.)"""
    tags, lower = view.parsed.tags, view.lower
    for place, source in enumerate(order):
        between = range(min(place, source) + 1, max(place, source)) if lower[place] != lower[source] else ()
        if any(tags[i][:2] in ("IN", "VB", "TO") and lower[i] not in BOTH_WAYS | POSTURE for i in between):
            return True
    return False


def _permuted(
    view: View, draw: Draw, groups: list[list[int]], fits: Callable[[View, list[int]], bool] = lambda *_: True
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    if not view.words:
        return
    for _ in range(TRIES):
        order = list(range(len(view.words)))
        for group in groups:
            for place, source in zip(group, draw.shuffled(group)):
                order[place] = source
        changed = [i for i, source in enumerate(order) if view.lower[i] != view.lower[source]]
        if not changed or not fits(view, order):
            continue
        start, end = changed[0], changed[-1] + 1
        new = " ".join(view.words[i] for i in order[start:end])
        yield view.reorder(order), (view.edit(start, end, new),)
