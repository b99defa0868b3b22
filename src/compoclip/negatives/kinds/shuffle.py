"""Word order: pieces of n words are put in another order (ARO, Yuksekgonul et al. 2023, 2.3; FSC-CLIP's bigrams)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.negatives.draw import Draw
from compoclip.negatives.meaning import BESIDE
from compoclip.negatives.types import Edit
from compoclip.negatives.view import THINGS_IN_ING, View
from compoclip.negatives.vocabulary import Vocabulary

TRIES = 16
# What stands before a noun and is torn from it by a cut between the two.
_BEFORE_NOUNS = frozenset({"det", "amod", "compound", "nummod", "poss", "nmod", "quantmod", "predet"})
_HEADS = frozenset({"NN", "JJ", "VB", "IN", "TO", "RP"})
_OWN = frozenset({"det", "nummod", "poss", "quantmod", "predet"})
_ARTICLES = frozenset({"a", "an", "the"})
_SIDES = BESIDE - {"with", "by"}  # hold both ways: "a woman next to | an older man"
_OPENING = {'"': '"', "“": "”", "``": "''", "(": ")"}


def of_length(length: int) -> Callable[[View, Draw, Vocabulary], Iterator[tuple[str, tuple[Edit, ...]]]]:
    def propose(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
        yield from shuffled(view, draw, length)

    return propose


def bigrams_or_trigrams(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    first = 2 + draw.below(2)
    for length in (first, 5 - first, 1):  # two words alone cannot be shuffled in pieces of two
        yield from shuffled(view, draw, length)


def shuffled(view: View, draw: Draw, length: int) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Pieces of `length` words in another order; punctuation at the end stays there.

    Pieces are counted from the first word (ARO's trigrams always are). Where four or five words a piece leave no order
    that says another thing, the first piece is a shorter one.
    """
    end = len(view.words)
    while end and not any(c.isalnum() for c in view.words[end - 1]):
        end -= 1
    units = _units(view, end)
    offsets = draw.shuffled(range(1, length)) if length > 3 else []
    for loose in (False, True):
        for first in (0, *offsets):
            made = False
            for proposal in _reordered(view, draw, _pieces(units, length, first), end, loose):
                made = True
                yield proposal
            if made and offsets:
                return


def _reordered(
    view: View, draw: Draw, pieces: list[list[int]], end: int, loose: bool
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """The pieces in orders that say another thing.

    Where `loose`, two articles may come together, which no caption has, and a noun torn from its article counts as
    another thing after any word that it may belong to.
    """
    if len(pieces) < 3:
        return  # what two pieces say the other way round is the caption, less a word that hangs
    needs, brings, torn = _junctions(view, pieces)
    if not needs:
        return
    spaces_were = view.parsed.spaces
    stuck = {i for i in range(end - 1) if not spaces_were[i]}
    known = words_anywhere(view)
    for _ in range(TRIES):
        mixed = draw.shuffled(pieces)
        if not (_crosses(mixed, needs, brings) or (loose and _joins(view, mixed, torn))):
            continue
        if not (loose or _apart(view, mixed)):
            continue
        order = [i for piece in mixed for i in piece]
        if not known[order[-1]][-1].isalnum() or not (order[0] == 0 or known[order[0]][0].isalnum()):
            continue  # a comma before the full stop or before everything
        words = [known[i] for i in order] + view.words[end:]
        # a token without a space after it (n't, 's, a hyphen) keeps its neighbour; else spaces stay between words
        spaces = [True] * len(order)
        for at, i in enumerate(order[:-1] if stuck else ()):
            spaces[at] = not (i in stuck and order[at + 1] == i + 1)
        spaces[-1] = spaces_were[end - 1]
        text = cased(view, view.sentence(words, [*spaces, *spaces_were[end:]]))
        yield text, (view.edit(0, end, text[: view_length(text, view, end)]),)


def words_anywhere(view: View) -> list[str]:
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


def cased(view: View, text: str) -> str:
    """The text in capitals where the whole caption is in capitals."""
    return text.upper() if view.parsed.text.isupper() else text


class _Need(NamedTuple):
    """What the end of a piece calls for."""

    follows: int  # the first token after the piece
    noun: int  # the noun that the last words belong to or govern
    adjective: bool  # do they say more of it than an article does?


def _junctions(
    view: View, pieces: list[list[int]]
) -> tuple[dict[int, _Need], dict[int, tuple[int, int, bool]], dict[int, int]]:
    """What pieces need, and what each brings to the piece before it, by their first tokens; and what is torn.

    Torn are the pieces that start amid the words of one noun; the third dict names the piece that each one followed.

    A piece brings a noun, the noun that this one is a part of, and whether it has an article or the like of its own.
    Articles alone do neither: "a | train | at a station" says the same without the first one.
    """
    needs: dict[int, _Need] = {}
    brings: dict[int, tuple[int, int, bool]] = {}
    torn: dict[int, int] = {}
    reach = _reach(view)
    tags, lower, deps = view.parsed.tags, view.lower, view.parsed.deps
    for piece in pieces:
        start = piece[0]
        noun = _noun_at(view, start)
        if noun >= 0 and lower[piece[-1]] not in (_ARTICLES if len(piece) == 1 else ()):
            brings[start] = noun, _root(view, noun), deps[start] in _OWN
    for piece, after in pairwise(pieces):
        start, last = after[0], piece[-1]
        article = lower[last] in _ARTICLES
        if _in_a_noun_phrase(view, start, reach):
            noun, torn[start] = reach[start], piece[0]
            if article and len(piece) > 1:
                needs[piece[0]] = _Need(start, _root(view, noun), False)
            elif not article:
                needs[piece[0]] = _Need(start, noun, True)
        elif tags[last][:2] in ("IN", "VB", "TO", "RP") and lower[last] not in _SIDES:
            noun = _noun_at(view, start)
            if noun >= 0:
                needs[piece[0]] = _Need(start, _root(view, noun), False)
    return needs, brings, torn


def _crosses(mixed: list[list[int]], needs: dict[int, _Need], brings: dict[int, tuple[int, int, bool]]) -> bool:
    """Does a verb, a preposition or the words of one noun get another noun?

    "Sitting next to | a man | a horse", "grass a zebra | standing on the | bed". Else whole phrases only change places
    ("through a desert walks a horse"), at most with an article left over ("bed a cat sleeps on a").
    """
    for piece, after in pairwise(mixed):
        need, brought = needs.get(piece[0]), brings.get(after[0])
        if need is None or brought is None or need.follows == after[0] or (need.adjective and brought[2]):
            continue  # "down a snow covered | a woman": no word of the first noun is said of the second
        if need.noun != brought[0 if need.adjective else 1]:
            return True
    return False


def _joins(view: View, mixed: list[list[int]], torn: dict[int, int]) -> bool:
    """Does a noun torn from its article come to another noun, verb or preposition? "A bicycle | street sits on a"."""
    tags = view.parsed.tags
    return any(
        torn.get(after[0], piece[0]) != piece[0] and tags[piece[-1]][:2] in _HEADS for piece, after in pairwise(mixed)
    )


def _noun_at(view: View, start: int) -> int:
    """The noun whose phrase starts (or goes on) at `start`; -1 where there is none."""
    parsed = view.parsed
    if parsed.deps[start] in _BEFORE_NOUNS and parsed.heads[start] > start:
        return parsed.heads[start]
    return start if parsed.tags[start][:2] == "NN" and not _deed(view, start) else -1


def _root(view: View, head: int) -> int:
    """The noun that stands for the whole phrase: first of a list, "top" of "top of a table"."""
    deps, heads, lower = view.parsed.deps, view.parsed.heads, view.lower
    for _ in range(len(deps)):
        above = heads[head]
        if deps[head] == "conj":
            head = above
        elif deps[head] == "pobj" and lower[above] == "of" and above > heads[above] and deps[above] == "prep":
            head = heads[above]
        else:
            break
    return head


def _apart(view: View, mixed: list[list[int]]) -> bool:
    """Do no two articles come together? No caption has "on a the"."""
    lower = view.lower
    return not any(lower[a[-1]] in _ARTICLES and lower[b[0]] in _ARTICLES for a, b in pairwise(mixed))


def _deed(view: View, position: int) -> bool:
    """Did the parser take a verb for a noun? "A man on a surfboard | riding a wave"."""
    word = view.lower[position]
    return word.endswith("ing") and word not in THINGS_IN_ING


def _in_a_noun_phrase(view: View, start: int, reach: list[int]) -> bool:
    """Does a word before `start` belong to a noun that stands at `start` or later?"""
    return reach[start] >= start and not _deed(view, start)


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


def _units(view: View, end: int) -> list[list[int]]:
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
