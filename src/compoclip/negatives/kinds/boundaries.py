"""What an order of pieces says: which verb, preposition or adjective gets another noun."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from compoclip.language.words import words
from compoclip.negatives.paraphrase import BESIDE
from compoclip.negatives.view import THINGS_IN_ING, CaptionView

ARTICLES = words("kinds", "boundaries.articles")
_BEFORE_NOUNS = words("kinds", "boundaries.before_nouns")
_HEADS = words("kinds", "boundaries.heads")
_OF_LISTS = words("kinds", "boundaries.of_lists")
_OWN = words("kinds", "boundaries.own")
_SIDES = BESIDE - {"with", "by"}


class Need(NamedTuple):
    """What the end of a piece calls for."""

    follows: int  # the first token after the piece
    noun: int  # the noun that the last words belong to or govern
    whole: int  # the noun that this one is a part of
    adjective: bool  # do they say more of it than an article does?


def boundaries(
    view: CaptionView, pieces: list[list[int]]
) -> tuple[dict[int, Need], dict[int, tuple[int, int, bool]], dict[int, int]]:
    """What pieces need, and what each brings to the piece before it, by their first tokens; and what is torn.

    Torn are the pieces that start amid the words of one noun; the third dict names the piece that each one followed.

    A piece brings a noun that it holds, the noun that this one is a part of, and whether it has an article or the like.
    Articles alone need none: "a | train | at a station" says the same without the first one.
    """
    needs: dict[int, Need] = {}
    brings: dict[int, tuple[int, int, bool]] = {}
    torn: dict[int, int] = {}
    reach = _reach(view)
    tags, lower, deps = view.parsed.tags, view.lower, view.parsed.deps
    for piece in pieces:
        start = piece[0]
        noun = _noun_at(view, start)
        if 0 <= noun <= piece[-1]:
            brings[start] = noun, _root(view, noun), deps[start] in _OWN
    for piece, after in pairwise(pieces):
        start, last = after[0], piece[-1]
        article = lower[last] in ARTICLES
        if _in_a_noun_phrase(view, start, reach):
            noun, torn[start] = reach[start], piece[0]
            if article and len(piece) > 1:
                needs[piece[0]] = Need(start, noun, _root(view, noun), False)
            elif not article:
                needs[piece[0]] = Need(start, noun, noun, True)
        elif tags[last][:2] in ("IN", "VB", "TO", "RP") and not _both_ways(view, last):
            noun = _noun_at(view, start)
            if noun >= 0:
                needs[piece[0]] = Need(start, noun, _root(view, noun), False)
    return needs, brings, torn


def crossed_boundaries(
    view: CaptionView, pieces: list[list[int]], needs: dict[int, Need], brings: dict[int, tuple[int, int, bool]]
) -> set[tuple[int, int]]:
    """The neighbours, by their first tokens, that give a verb, a preposition or the words of one noun another noun.

    "Sitting next to | a man | a horse", "grass a zebra | standing on the | bed". Without any, whole phrases only change
    places ("through a desert walks a horse"), at most with an article left over ("bed a cat sleeps on a").
    """
    found = set()
    bringing = [(after, brings[after[0]]) for after in pieces if after[0] in brings]
    for piece in pieces:
        need = needs.get(piece[0])
        if need is None:
            continue
        for after, brought in bringing:
            if need.follows == after[0] or (need.adjective and brought[2]):
                continue  # "down a snow covered | a woman": no word of the first noun is said of the second
            if need.whole == brought[0 if need.adjective else 1] or _alike(view, piece, after):
                continue
            if need.adjective or not _listed(view, need.noun, brought[0]):
                found.add((piece[0], after[0]))
    return found


def joins(view: CaptionView, mixed: list[list[int]], needs: dict[int, Need], torn: dict[int, int]) -> bool:
    """Does a noun torn from its article come to another noun, verb or preposition? "A bicycle | street sits on a"."""
    tags = view.parsed.tags
    for piece, after in pairwise(mixed):
        if torn.get(after[0], piece[0]) == piece[0] or tags[piece[-1]][:2] not in _HEADS:
            continue
        need = needs.get(piece[0])
        own = need is not None and need.noun == _noun_at(view, after[0])  # "with | walls" of "with | blue and white"
        if not (own or _alike(view, piece, after) or _listed(view, piece[-1], after[0])):
            return True
    return False


def _both_ways(view: CaptionView, position: int) -> bool:
    """Does what the word says hold the other way round too?

    "An older man next to | a woman", "sitting with | a toy", "there is | an elephant | standing near".
    """
    tags, lower = view.parsed.tags, view.lower
    head = view.parsed.heads[position]
    word = lower[position]
    if word in _SIDES or (word == "with" and head < position and tags[head][:2] == "VB"):
        return True
    return word in ("is", "are") and position > 0 and lower[position - 1] == "there"


def _listed(view: CaptionView, a: int, b: int) -> bool:
    """Do only the words of a list stand between the two nouns, whatever the parser made of it?"""
    tags = view.parsed.tags[min(a, b) + 1 : max(a, b)]
    return ("CC" in tags or "," in tags) and all(tag in _OF_LISTS for tag in tags)


def _alike(view: CaptionView, piece: list[int], after: list[int]) -> bool:
    """Did the same word stand before the second piece? "A city | bus in a city | street"."""
    return view.lower[piece[-1]] == view.lower[after[0] - 1]


def _noun_at(view: CaptionView, start: int) -> int:
    """The noun whose phrase starts (or goes on) at `start`; -1 where there is none."""
    parsed = view.parsed
    if parsed.deps[start] in _BEFORE_NOUNS and parsed.heads[start] > start:
        return parsed.heads[start]
    return start if parsed.tags[start][:2] == "NN" and not _is_verb(view, start) else -1


def _root(view: CaptionView, head: int) -> int:
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


def _is_verb(view: CaptionView, position: int) -> bool:
    """Did the parser take a verb for a noun? "A man on a surfboard | riding a wave"."""
    word = view.lower[position]
    return word.endswith("ing") and word not in THINGS_IN_ING


def _in_a_noun_phrase(view: CaptionView, start: int, reach: list[int]) -> bool:
    """Does a word before `start` belong to a noun that stands at `start` or later?"""
    return reach[start] >= start and not _is_verb(view, start)


def _reach(view: CaptionView) -> list[int]:
    """For each position the farthest noun that a word before it belongs to; -1 where there is none."""
    parsed, reach = view.parsed, [-1]
    for dep, head in zip(parsed.deps, parsed.heads):
        reach.append(head if dep in _BEFORE_NOUNS and head > reach[-1] else reach[-1])
    return reach
