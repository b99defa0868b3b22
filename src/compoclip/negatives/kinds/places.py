"""Relations and prepositions of place give way to those that exclude them before such a thing.

replace-relations turns a relation round (SugarCrepe's swap of relations; ARO's left and right), replace-prepositions
puts one preposition in place of another (CLoVe, Castro et al. 2024; FSC-CLIP, Oh et al. 2024, 4.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.places import (
    ANYWHERE,
    EXCLUDED,
    GROUND,
    MOVING,
    ROOMS,
    WATER,
    excluded,
    opposite_ways,
    sort_of_thing,
)
from compoclip.language.words import word_set, words
from compoclip.negatives.candidates import VISIBLE, is_animate
from compoclip.negatives.draw import Draw
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView
from compoclip.negatives.vocabulary import Vocabulary

Proposal = tuple[str, tuple[Edit, ...]]
LONGEST = 5
_KNOWN = frozenset({relation for row in EXCLUDED.values() for relation in row} | {*ANYWHERE, *MOVING, "up", "down"})
_STARTS = frozenset(relation.split()[0] for relation in _KNOWN)
_GOING = words("kinds", "places.going")
_OWNED = words("kinds", "places.owned")
_NOT_BEFORE = words("kinds", "places.not_before")
_SEEN_OVER = words("kinds", "places.seen_over")
_NO_WAY_BACK = words("kinds", "places.no_way_back")
_FROM = words("kinds", "places.from")
_FLYING = words("kinds", "places.flying")
_CROSSING = words("kinds", "places.crossing")
_RAISED = words("kinds", "places.raised")
_SOMEBODY = words("kinds", "places.somebody")
_OPEN_AIR = word_set("outside outdoors")
_PLACED = words("kinds", "places.placed")
_OUTDOORS = words("kinds", "places.outdoors")
_SUPPORTS = frozenset({"on", "on top of", "atop", "in", "inside"})
_UNDER = words("kinds", "places.under")
_AIR = word_set("air midair")
_CLAUSES = words("kinds", "places.clauses")
_TABLES = words("kinds", "places.tables")
_BESIDE = frozenset({"next to", "beside", "in front of", "behind"})
_HOLDING = frozenset({"in", "inside"})
_OUTSIDE = frozenset({"outside"})
_BODY = 8  # WordNet's lexicographer file of parts of the body
_CLOTHES = words("kinds", "places.clothes")


def relations(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[Proposal]:
    """A relation gives way to one that excludes it, several words long or one."""
    yield from _replaced(view, draw, vocabulary, single=False)


def prepositions(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[Proposal]:
    """One preposition of place gives way to another that excludes it."""
    yield from _replaced(view, draw, vocabulary, single=True)


def _replaced(view: CaptionView, draw: Draw, vocabulary: Vocabulary, single: bool) -> Iterator[Proposal]:
    found: list[tuple[int, int, tuple[str, ...]]] = []
    at = 0
    while at < len(view.lower):
        match = _match(view, at, single) if view.lower[at] in _STARTS else None
        if match:
            found.append(match)
            at = match[1]
        else:
            at += 1
    for start, end, opposites in draw.shuffled(found):
        weights = {new: _said(new, vocabulary) for new in opposites if not single or " " not in new}
        # A common relation gives way only as often as captions say the others: else text alone would tell.
        others, own = sum(weights.values()), _said(" ".join(view.lower[start:end]), vocabulary)
        if others < own and not draw.chance(3 * others, 4 * own):
            continue
        for number, new in enumerate(draw.by_weight(weights)):
            if single and number and not draw.chance(weights[new], own):
                continue
            yield view.rewrite([(start, end, new)]), (view.edit(start, end, new),)


def _said(relation: str, vocabulary: Vocabulary) -> int:
    """How often captions say it: for several words, the rarest of them."""
    return min(vocabulary.word(word) for word in relation.split())


def _match(view: CaptionView, at: int, single: bool) -> tuple[int, int, tuple[str, ...]] | None:
    """Where the relation that begins at `at` ends, and what excludes it there."""
    parsed, lower = view.parsed, view.lower
    for length in range(LONGEST, 1, -1):
        relation = " ".join(lower[at : at + length])
        end = at + length
        if relation not in _KNOWN or end >= len(lower) or lower[end] in ("each", "one", "another", "there", "to"):
            continue
        if single or (at and lower[at - 1] in _NOT_BEFORE):
            return None
        if (relation in MOVING or relation in ANYWHERE) and (
            _FROM.intersection(lower[max(0, at - 4) : at]) or _NO_WAY_BACK.intersection(lower[end : end + 3])
        ):
            return None
        if relation in ANYWHERE:
            return None if relation == "away from" and lower[at - 1] == "get" else (at, end, ANYWHERE[relation])
        if relation in MOVING:
            return (at, end, MOVING[relation]) if _governor(view, at) in _GOING else None
        opposites = _excluded(view, relation, _object_after(view, end), at)
        return (at, end, opposites) if opposites else None
    word = lower[at]
    if parsed.tags[at] not in ("IN", "RP", "RB", "TO") or parsed.deps[at] not in ("prep", "advmod", "ROOT", "pcomp"):
        return None
    thing = _object(view, at)
    if at and lower[at - 1] in _NOT_BEFORE:
        return None
    if thing is None or (
        at + 1 < len(lower) and lower[at + 1] in ("top", "front", "each", "one", "to", "of", "just", "only")
    ):
        return None
    if (word in MOVING or word in ANYWHERE) and (
        _FROM.intersection(lower[max(0, at - 4) : at]) or _NO_WAY_BACK.intersection(lower[at + 1 : at + 4])
    ):
        return None
    if word in ANYWHERE:
        return at, at + 1, ANYWHERE[word]
    if word in MOVING:
        return (at, at + 1, MOVING[word]) if _governor(view, at) in _GOING else None
    if word in ("up", "down"):
        if _governor(view, at) in ("fall", "tumble", "parachute"):
            return None
        opposites = opposite_ways(word, _stem(view, thing))
    elif _governor(view, at) in _OWNED or (
        word == "over" and _governor(view, at) == "look" and _stem(view, thing) not in _SEEN_OVER
    ):
        return None
    else:
        opposites = _excluded(view, word, thing, at)
    return (at, at + 1, opposites) if opposites else None


def _excluded(view: CaptionView, relation: str, thing: int | None, at: int) -> tuple[str, ...]:
    """What excludes the relation that begins at `at`, for the thing and for all that is joined to it by "and"."""
    others = _excluded_for(view, relation, thing)
    if not others or thing is None:
        return ()
    for noun in view.nouns:  # the parser may join the second noun to the "front" of "in front of"
        joined = noun.head
        if joined > thing and view.parsed.deps[joined] == "conj" and at <= view.parsed.heads[joined] <= thing:
            stem = _stem(view, joined)
            also = excluded(relation, stem, is_animate(stem), _tells_of_somebody(view))
            others = tuple(other for other in others if other in also)
    governor = _governor(view, at)
    flies = _in_water(view, thing) and any(lemma(word, "v") in _FLYING for word in view.lower[:at])
    if relation in ("over", "above", "under") and (flies or _AIR.intersection(view.lower)):
        return ()  # "flying under the ocean"
    if relation == "over" and _jumped(view, thing, at):
        return ()  # nobody jumps beneath a rock
    less: frozenset[str] = frozenset()
    place = _place(view, at)
    if place and place not in ROOMS:
        apart = _stem(view, thing) in ROOMS and place != "tree" and sort_of_thing(place, False) not in _OUTDOORS
        less |= _SUPPORTS - _HOLDING if apart else _SUPPORTS  # a table can be in a house
    if governor in ("stand", "walk", "run") and relation in _BESIDE:
        less |= _UNDER  # "standing under a hydrant"
    if not _OPEN_AIR.isdisjoint(view.lower[:at]):
        less |= _HOLDING | _OUTSIDE
    if _UNDER.intersection(view.lower) or "PRP$" in view.parsed.tags[at:thing]:
        less |= _UNDER
    if _stem(view, thing) in _TABLES and _has_gone_before(view, at):
        less |= _BESIDE  # who eats a pizza on a table is beside it
    if GROUND.intersection(view.lower[max(0, at - 4) : at]) and not _in_water(view, thing):
        less |= _HOLDING  # "in a field in a building"
    if governor == "look":
        less |= _OUTSIDE
    return tuple(other for other in others if other not in less) if less else others


def _has_gone_before(view: CaptionView, at: int) -> bool:
    """Does the word before the relation belong to what somebody does ("eats a pizza on", "stands near a cake on")?"""
    dep, head = view.parsed.deps[at - 1], view.parsed.heads[at - 1]
    follows = at > 0 and (dep == "dobj" or (dep == "pobj" and view.lower[head] != "of"))
    return follows and any(is_animate(noun.lemma) for noun in view.nouns if noun.head < at - 1)


def _jumped(view: CaptionView, thing: int, at: int) -> bool:
    """Does somebody jump over what nobody gets under, or off something and over the thing?"""
    before = view.lower[:at]
    crosses = any(lemma(word, "v") in _CROSSING for word in before)
    return (crosses and _stem(view, thing) not in _RAISED) or "off" in before


def _tells_of_somebody(view: CaptionView, end: int | None = None) -> bool:
    """Is there a person or an animal among the words before `end`?"""
    return any(
        word in _SOMEBODY or (tag.startswith("NN") and is_animate(lemma(word, "n")))
        for word, tag in zip(view.lower[:end], view.parsed.tags[:end], strict=True)
    )


def _place(view: CaptionView, at: int) -> str:
    """Where the clause says before the relation that somebody is: "curb" of "sits on the curb next to"; "" nowhere."""
    parsed, lower = view.parsed, view.lower
    for before in range(at - 1, max(-1, at - 9), -1):
        if parsed.tags[before].startswith("V") or lower[before] in _CLAUSES:
            return ""
        if lower[before] in _PLACED:
            thing = _object(view, before)
            stem = lower[before] if thing is None else _stem(view, thing)
            somebody = stem in _AIR or _tells_of_somebody(view, before)
            return stem if somebody and stem not in _CLOTHES else ""
    return ""


def _in_water(view: CaptionView, thing: int) -> bool:
    return _stem(view, thing) in WATER


def _excluded_for(view: CaptionView, relation: str, thing: int | None) -> tuple[str, ...]:
    if thing is None or view.parsed.tags[thing] not in ("NN", "NNS"):
        return ()
    noun = next((noun for noun in view.nouns if noun.head == thing), None)
    if noun is None:
        return ()
    stem = "person" if noun.lemma == "people" else noun.lemma
    files = [shared_lexicon().lexfile(sense.synset) for sense in shared_lexicon().senses(stem, "n")[:2]]
    if not any(file in VISIBLE for file in files) or files[0] == _BODY or stem in _CLOTHES:
        return ()
    if noun.article < 0 and not noun.counted and not noun.plural and relation in ("in", "on", "at"):
        return ()  # "in bed", "on foot"
    others = excluded(relation, stem, is_animate(stem), _tells_of_somebody(view))
    if noun.plural:  # "in tall buildings", "inside cars"
        others = tuple(other for other in others if other not in _HOLDING)
    return others


def _object(view: CaptionView, at: int) -> int | None:
    return next((c for c in view.children[at] if view.parsed.deps[c] == "pobj" and c > at), None)


def _object_after(view: CaptionView, end: int) -> int | None:
    """The noun that a relation of several words ends before: the head of the phrase that starts at `end`."""
    return next((noun.head for noun in view.nouns if noun.phrase == end), None)


def _stem(view: CaptionView, position: int) -> str:
    return lemma(view.lower[position], "n")


def _governor(view: CaptionView, at: int) -> str:
    """The lemma of the verb that the preposition belongs to; "" where it belongs to a noun or nothing."""
    head = view.parsed.heads[at]
    return lemma(view.lower[head], "v") if head != at and view.parsed.tags[head].startswith("V") else ""
