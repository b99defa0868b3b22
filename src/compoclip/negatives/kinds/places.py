"""Relations and prepositions of place give way to those that exclude them before such a thing.

replace-relations turns a relation round (SugarCrepe's swap of relations; ARO's left and right), replace-prepositions
puts one preposition in place of another (CLoVe, Castro et al. 2024; FSC-CLIP, Oh et al. 2024, 4.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.places import ANYWHERE, EXCLUDED, MOVING, opposite_ways, sort_of_thing
from compoclip.language.words import word_set
from compoclip.negatives.candidates import VISIBLE, is_animate
from compoclip.negatives.draw import Draw
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

Proposal = tuple[str, tuple[Edit, ...]]
LONGEST = 5
_KNOWN = frozenset({relation for row in EXCLUDED.values() for relation in row} | {*ANYWHERE, *MOVING, "up", "down"})
_STARTS = frozenset(relation.split()[0] for relation in _KNOWN)
_GOING = word_set(
    """
    walk run go ride ski drive climb travel move look fly slide roll step get head swim pull dive
    gaze stare peer emerge wade
    """
)
# Verbs that own the preposition after them: "playing with", "covered in", "dressed in", "focus on".
_OWNED = word_set(
    """
    cover dress fill top focus base decorate wrap soak coat smother work play draw print paint write lean hang mount
    attach carry wear throw pour land display deal help talk speak surround make depend rely zip bite chew smell
    snack feed nibble munch graze bend advertise
    """
)
_NOT_AFTER = word_set("top front each one to of just only")
_BODY, _CLOTHES = 8, word_set("shirt dress hat jacket coat suit uniform pants jeans shorts clothes outfit helmet gear")


def relations(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[Proposal]:
    """A relation gives way to one that excludes it, several words long or one."""
    yield from _replaced(view, draw, vocabulary, single=False)


def prepositions(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[Proposal]:
    """One preposition of place gives way to another that excludes it."""
    yield from _replaced(view, draw, vocabulary, single=True)


def _replaced(view: View, draw: Draw, vocabulary: Vocabulary, single: bool) -> Iterator[Proposal]:
    found: list[tuple[int, int, tuple[str, ...]]] = []
    at = 0
    while at < len(view.lower):
        match = _match(view, at, single) if view.lower[at] in _STARTS else None
        if match:
            found.append(match)
            at = match[1]
        else:
            at += 1
    shout = view.parsed.text.isupper()
    for start, end, opposites in draw.shuffled(found):
        weights = {new: _said(new, vocabulary) for new in opposites if not single or " " not in new}
        # A common relation gives way only as often as captions say the others: else text alone would tell.
        others, own = sum(weights.values()), _said(" ".join(view.lower[start:end]), vocabulary)
        if others < own and not draw.chance(3 * others, 4 * own):
            continue
        for new in draw.by_weight(weights):
            text = view.rewrite([(start, end, new)])
            yield (text.upper() if shout else text), (view.edit(start, end, new),)


def _said(relation: str, vocabulary: Vocabulary) -> int:
    """How often captions say it: for several words, the rarest of them."""
    return min(vocabulary.word(word) for word in relation.split())


def _match(view: View, at: int, single: bool) -> tuple[int, int, tuple[str, ...]] | None:
    """Where the relation that begins at `at` ends, and what excludes it there."""
    parsed, lower = view.parsed, view.lower
    for length in range(LONGEST, 1, -1):
        relation = " ".join(lower[at : at + length])
        end = at + length
        if relation not in _KNOWN or end >= len(lower) or lower[end] in ("each", "one", "another", "there", "to"):
            continue
        if single or (at and lower[at - 1] in ("made", "not", "up")):
            return None
        if relation in ANYWHERE:
            return at, end, ANYWHERE[relation]
        if relation in MOVING:
            return (at, end, MOVING[relation]) if _governor(view, at) in _GOING else None
        opposites = _excluded(view, relation, _object_after(view, end))
        if relation == "next to":
            tree = _object_after(view, end)
            opposites = () if tree is not None and _stem(view, tree) == "tree" else opposites
        return (at, end, opposites) if opposites else None
    word = lower[at]
    if parsed.tags[at] not in ("IN", "RP", "RB", "TO") or parsed.deps[at] not in ("prep", "advmod", "ROOT", "pcomp"):
        return None
    thing = _object(view, at)
    if at and lower[at - 1] in ("focus", "view", "lots", "take", "towed"):
        return None
    if thing is None or (
        at + 1 < len(lower) and lower[at + 1] in ("top", "front", "each", "one", "to", "of", "just", "only")
    ):
        return None
    if word in ANYWHERE:
        return at, at + 1, ANYWHERE[word]
    if word in MOVING:
        return (at, at + 1, MOVING[word]) if _governor(view, at) in _GOING else None
    if word in ("up", "down"):
        opposites = opposite_ways(word, _stem(view, thing))
    elif _governor(view, at) in _OWNED or (word == "by" and at and parsed.tags[at - 1] in ("VBN", "VBD")):
        return None
    else:
        opposites = _excluded(view, word, thing)
    return (at, at + 1, opposites) if opposites else None


def _excluded(view: View, relation: str, thing: int | None) -> tuple[str, ...]:
    if thing is None or view.parsed.tags[thing] not in ("NN", "NNS"):
        return ()
    noun = next((noun for noun in view.nouns if noun.head == thing), None)
    if noun is None or (thing + 1 < len(view.lower) and view.parsed.tags[thing + 1].startswith("NN")):
        return ()
    stem = "person" if noun.lemma == "people" else noun.lemma
    files = [shared_lexicon().lexfile(sense.synset) for sense in shared_lexicon().senses(stem, "n")[:2]]
    if not any(file in VISIBLE for file in files) or files[0] == _BODY or stem in _CLOTHES:
        return ()
    if noun.article < 0 and not noun.counted and not noun.plural and relation in ("in", "on", "at"):
        return ()  # "in bed", "on foot"
    return EXCLUDED.get(sort_of_thing(stem, is_animate(stem)), {}).get(relation, ())


def _object(view: View, at: int) -> int | None:
    return next((c for c in view.children[at] if view.parsed.deps[c] == "pobj" and c > at), None)


def _object_after(view: View, end: int) -> int | None:
    """The noun that a relation of several words ends before: the head of the phrase that starts at `end`."""
    return next((noun.head for noun in view.nouns if noun.phrase == end), None)


def _stem(view: View, position: int) -> str:
    return lemma(view.lower[position], "n")


def _governor(view: View, at: int) -> str:
    """The lemma of the verb that the preposition belongs to; "" where it belongs to a noun or nothing."""
    head = view.parsed.heads[at]
    return lemma(view.lower[head], "v") if head != at and view.parsed.tags[head].startswith("V") else ""
