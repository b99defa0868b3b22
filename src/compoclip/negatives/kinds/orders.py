"""Word orders by part of speech (the four perturbations of ARO's order tests, Yuksekgonul et al. 2023, section 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from compoclip.language.words import words
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.boundaries import ARTICLES
from compoclip.negatives.kinds.shuffle import words_anywhere
from compoclip.negatives.paraphrase import BOTH_WAYS, POSTURE
from compoclip.negatives.types import Edit
from compoclip.negatives.view import MEASURES, RELATIONAL, CaptionView
from compoclip.negatives.vocabulary import Vocabulary

TRIES = 12
APART = 9  # tries that also refuse two articles in a row, and the like
# Between these nouns change places and say the same: "a herd and cows".
_LOOSE = BOTH_WAYS | POSTURE
_AMOUNTS = MEASURES | RELATIONAL
_LIGHT = words("kinds", "orders.light")
_ALIKE = {"in": "on", "at": "on", "inside": "on"}
_LEADING = ARTICLES | {"and", "of", "with"}
_UNSAID = words("kinds", "orders.unsaid")


def nouns_and_adjectives(
    view: CaptionView, draw: Draw, vocabulary: Vocabulary
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Nouns change places with nouns, and adjectives with adjectives."""
    groups = [_tagged(view, ("NN", "NNS")), _tagged(view, ("JJ", "JJR", "JJS"))]
    tags, lower = view.parsed.tags, view.lower
    cuts = [tags[i][:2] in ("IN", "VB", "TO") and word not in _LOOSE for i, word in enumerate(lower)]
    for i in _of_amounts(lower):
        cuts[i] = False  # "a cows of herd"
    named = {i for group in groups for i in group}
    yield from _permuted(view, draw, groups, _changes(view, cuts, named, range(sum(cuts) + 1)))


def all_but_nouns_and_adjectives(
    view: CaptionView, draw: Draw, vocabulary: Vocabulary
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Everything but nouns and adjectives changes places."""
    named = {*_tagged(view, ("NN", "NNS", "NNP", "NNPS")), *_tagged(view, ("JJ", "JJR", "JJS"))}
    rest = [i for i, word in enumerate(view.words) if word[0].isalnum() and i not in named and not _stuck(view, i)]
    tags, deps, lower = view.parsed.tags, view.parsed.deps, view.lower
    governing = [i for i in rest if tags[i][:2] in ("VB", "IN", "RP", "TO") and deps[i] != "amod"]
    telling = {i for i in governing if lower[i] not in _LIGHT}.difference(_of_amounts(lower))
    cuts = [tag[:2] == "NN" for tag in tags]
    nouns = sum(cuts)
    between = _changes(view, cuts, telling, range(1, nouns))
    anywhere = _changes(view, cuts, telling, range(nouns + 1), least=3)
    yield from _permuted(view, draw, [rest], between, anywhere)


def within_trigrams(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """The words of each run of three change places among themselves."""
    words = [i for i, word in enumerate(view.words) if word[0].isalnum() and not _stuck(view, i)]
    said = {i for i in words if view.lower[i] not in _UNSAID}
    yield from _permuted(view, draw, [words[at : at + 3] for at in range(0, len(words), 3)], _turns(said))


def _stuck(view: CaptionView, position: int) -> bool:
    """Is the token written together with a neighbour that is a word?"""
    spaces, words = view.parsed.spaces, view.words
    before = position > 0 and not spaces[position - 1]
    return before or (position + 1 < len(words) and not spaces[position] and words[position + 1][0] in "'’-n")


def _tagged(view: CaptionView, tags: tuple[str, ...]) -> list[int]:
    return [i for i, tag in enumerate(view.parsed.tags) if tag in tags and not _stuck(view, i)]


def _of_amounts(lower: list[str]) -> list[int]:
    """Where "of" stands in "a herd of cows", "on top of"."""
    return [
        i
        for i in range(1, len(lower))
        if lower[i] == "of" and (lower[i - 1] in _AMOUNTS or lower[i - 1].rstrip("s") in _AMOUNTS)
    ]


def _changes(
    view: CaptionView, cuts: list[bool], telling: set[int], inner: range, least: int = 2
) -> Callable[[list[int]], bool]:
    """Does one of the `telling` tokens come to another of the parts into which the `cuts` divide the caption?

    Only the `inner` parts count, and only where `least` tokens or more are others. Else it says the same: "white and
    black", "a boy and a man", "players baseball playing a game of baseball".
    """
    lower = [_ALIKE.get(word, word) for word in view.lower]
    parts = []
    part = 0
    for cut in cuts:
        part += cut
        parts.append(part)

    was = {(parts[i], lower[i]) for i in telling}

    def fits(order: list[int]) -> bool:
        return any(
            source in telling and parts[place] in inner and (parts[place], lower[source]) not in was
            for place, source in enumerate(order)
        ) and least <= sum(lower[place] != lower[source] for place, source in enumerate(order))

    return fits


def _turns(said: set[int]) -> Callable[[list[int]], bool]:
    """Do two pairs of neighbours among the words that say something change places?"""

    def fits(order: list[int]) -> bool:
        kept = [source for source in order if source in said]
        return sum(a > b for a, b in pairwise(kept)) > 1

    return fits


def _stumbles(lower: list[str], order: list[int]) -> bool:
    """Do two articles come together, or does a comma follow "a" or "and"? No caption has "on a the", "of a, and"."""
    return any(
        (lower[a] in ARTICLES and lower[b] in ARTICLES) or (lower[b] == "," and lower[a] in _LEADING)
        for a, b in pairwise(order)
    )


def _permuted(
    view: CaptionView, draw: Draw, groups: list[list[int]], *tests: Callable[[list[int]], bool]
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Orders that pass the first of the tests that lets any pass."""
    known = words_anywhere(view)
    lower, made = view.lower, False
    for fits in tests:
        for attempt in range(TRIES):
            order = list(range(len(lower)))
            for group in groups:
                for place, source in zip(group, draw.shuffled(group)):
                    order[place] = source
            changed = [i for i, source in enumerate(order) if lower[i] != lower[source]]
            if not changed or not fits(order) or (attempt < APART and _stumbles(lower, order)):
                continue
            start, end = changed[0], changed[-1] + 1
            words = [known[i] for i in order]
            text = view.sentence(words, view.parsed.spaces)
            made = True
            yield text, (view.edit(start, end, " ".join(words[start:end])),)
        if made:
            return
