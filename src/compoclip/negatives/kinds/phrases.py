"""Swaps of whole phrases and of adverbs (the other three swaps of NegCLIP, Yuksekgonul et al. 2023, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from compoclip.language.classes import MASS, members
from compoclip.language.lexicon import lemma
from compoclip.language.verb_alternatives import LIFELESS
from compoclip.language.words import words
from compoclip.negatives.candidates import is_animate, visible_field
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.exchange import best_first, of_spans, unlike
from compoclip.negatives.kinds.swappable import sound_nouns
from compoclip.negatives.paraphrase import same_meaning_phrases
from compoclip.negatives.types import Edit
from compoclip.negatives.view import MEASURES, CaptionView, Noun
from compoclip.negatives.vocabulary import Vocabulary

WHOLE = 2.0  # nats; whole phrases carry their own best contexts along, so that the model sees less of what is wrong
_VERBS = words("kinds", "phrases.verbs")
_BE = words("kinds", "phrases.be")
_MAY_FOLLOW = words("kinds", "phrases.may_follow")
_OF_ONE = words("kinds", "phrases.of_one")
_NO_SWAP = words("kinds", "phrases.no_swap")


def noun_phrases(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Two noun phrases, articles and adjectives included, change places."""
    pairs = [
        (a, b)
        for a, b in combinations(sound_nouns(view), 2)
        if a.head < b.phrase
        and view.lower[a.phrase : a.head + 1] != view.lower[b.phrase : b.head + 1]
        and a.lemma != b.lemma  # "a man ... while another man"
        and (b.article < 0 or view.parsed.tags[b.article] != "PRP$")  # "his skis" of one who is yet to be named
        and (a.mass == b.mass or not {"is", "are", "has", "have"} & set(view.lower[a.head + 1 : a.head + 3]))
        and "'s" not in (view.lower[a.phrase - 1], view.lower[b.phrase - 1])
        and not (_amount(view, a, b) or _amount(view, b, a))
        and not (
            min(a.article, b.article) < 0
            and not a.plural
            and b.phrase == a.head + 2
            and view.parsed.tags[a.head + 1] == "VBG"
        )
        and not (_torn(view, a, b) or _torn(view, b, a))
        and not same_meaning_phrases(view, a, b)
        and a.plural == b.plural
    ]
    swaps = [of_spans(view, (a.phrase, a.head + 1), (b.phrase, b.head + 1), unlike(a, b) + WHOLE) for a, b in pairs]
    yield from best_first(view, draw, vocabulary, swaps)


def _amount(view: CaptionView, place: Noun, noun: Noun) -> bool:
    """Would the noun make it "a patch of a dog", "a plate of knife" or "all of coats"?"""
    if view.lower[place.phrase - 1] != "of":
        return False
    if place.article >= 0:
        return noun.article < 0
    return noun.article >= 0 or not (noun.plural or noun.lemma in MASS)


def _torn(view: CaptionView, noun: Noun, other: Noun) -> bool:
    """Does a list share one article that the swap would take away: "with a ball and small tire"?"""
    if _shares(view, noun.head) or (view.lower[noun.head + 1 : noun.head + 2] == ["of"] and is_animate(other.lemma)):
        return True  # "a wall of graffiti" makes no "person of graffiti"
    follower = next((child for child in view.children[noun.head] if _shares(view, child)), None)
    if follower is None:
        return False
    return other.article < 0 or any(_shares(view, child) for child in view.children[other.head])


def _shares(view: CaptionView, head: int) -> bool:
    """Is the noun one of a list, without a determiner, and not said without one?"""
    parsed, lower = view.parsed, view.lower
    if parsed.deps[head] != "conj" or parsed.tags[head] != "NN" or lower[head] in MASS:
        return False
    return not any(parsed.deps[child] in ("det", "poss", "nummod") for child in view.children[head])


def verb_phrases(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """What two different things are doing changes places: "a man eating a cake near a dog chasing a cat"."""
    found = []
    for i, tag in enumerate(view.parsed.tags):
        end, doer = (_end(view, i), doer_of(view, i)) if tag in _VERBS and view.lower[i] not in _BE else (0, None)
        stuck = i > 0 and not view.parsed.spaces[i - 1]
        if end and doer is not None and not stuck and _lives(view, doer) and _complete(view, i, end):
            found.append((i, end, doer))
    pairs = [
        (a, b)
        for a, b in combinations(found, 2)
        if a[1] <= b[0]
        and not a[0] < b[2] < a[1]
        and view.lower[a[2]] not in view.lower[b[0] : b[1]]
        and view.lower[b[2]] not in view.lower[a[0] : a[1]]  # "another child pushes a child"
        and not _stays_behind(view, a, b)
        and view.lower[a[2]] != view.lower[b[2]]
        and view.parsed.tags[a[0]] == view.parsed.tags[b[0]]
        and _undetermined(view, a[0], a[1]) != _undetermined(view, b[0], b[1])
    ]
    yield from best_first(view, draw, vocabulary, [of_spans(view, a[:2], b[:2]) for a, b in pairs])


def _lives(view: CaptionView, doer: int) -> bool:
    """A park does not play, and a couple of screens does not either."""
    who = lemma(view.lower[doer], "n")
    of_many = view.lower[doer + 1 : doer + 2] == ["of"] and who in MEASURES
    if of_many or who in LIFELESS or not view.parsed.tags[doer].startswith("N"):
        return False
    return visible_field(who) in (5, 18) and is_animate(who)


def _complete(view: CaptionView, start: int, end: int) -> bool:
    """Does nothing of the verb's stay behind ("walking around", "trying to get"), and no pronoun come along?"""
    tags, lower = view.parsed.tags, view.lower
    if any(tags[i] in ("PRP", "PRP$") for i in range(start, end)):
        return False
    if not _OF_ONE.isdisjoint(lower[start:end]):
        return False  # "holding one dog while another dog"
    after = lower[end] if end < len(lower) else "."
    return after in _MAY_FOLLOW or (after == "in" and lower[end + 1 : end + 2] == ["front"])


def _stays_behind(view: CaptionView, a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
    """Does a pronoun stay that stands for what one of them names: "focuses on the ball as he prepares to hit it"?"""
    rest = (*range(a[1], b[0]), *range(b[1], len(view.lower)))
    return any(view.lower[i] in ("it", "them") for i in rest)


def _undetermined(view: CaptionView, start: int, end: int) -> list[str]:
    """The words without articles: holding a kite and holding another kite is one act."""
    return [view.lower[i] for i in range(start, end) if view.parsed.tags[i] != "DT"]


def doer_of(view: CaptionView, verb: int) -> int | None:
    """The noun that does it: what a participle describes, or the subject; for a second verb that of the first."""
    parsed = view.parsed
    for _ in range(4):
        if parsed.deps[verb] == "acl" and parsed.tags[parsed.heads[verb]].startswith("N"):
            return parsed.heads[verb]
        subjects = [c for c in view.children[verb] if parsed.deps[c] in ("nsubj", "nsubjpass") and c < verb]
        if subjects:
            return subjects[0]
        if parsed.deps[verb] not in ("conj", "advcl", "xcomp"):
            return None
        verb = parsed.heads[verb]
    return None


def _end(view: CaptionView, verb: int) -> int:
    """Where the verb's phrase ends: after its objects and particles, before other clauses; 0 where it has none."""
    end = verb + 1
    for child in view.children[verb]:
        if child > verb and view.parsed.deps[child] in ("dobj", "prt", "prep") and child >= end:
            edge = _right_edge(view, child)
            if view.parsed.deps[child] == "prep" and child != end:
                break
            if any(view.parsed.tags[i] in _VERBS for i in range(child, edge + 1)):
                return 0 if end == verb + 1 else end
            end = edge + 1
    return end


def _right_edge(view: CaptionView, position: int) -> int:
    edge = position
    while view.children[edge] and max(view.children[edge]) > edge:
        edge = max(view.children[edge])
    return edge


def adverbs(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Two adverbs of different words change places."""
    parsed = view.parsed
    found = [
        i
        for i, tag in enumerate(parsed.tags)
        if (
            tag == "RB"
            and parsed.deps[i] == "advmod"
            and view.lower[i] not in _NO_SWAP
            and view.lower[i].endswith("ly")
        )
        or _free(view, i)
    ]
    pairs = [
        (i, j)
        for i, j in combinations(found, 2)
        if view.lower[i] != view.lower[j]
        and parsed.heads[i] != parsed.heads[j]
        and j > i + 1
        and (view.lower[i].endswith("ly") == view.lower[j].endswith("ly"))
        and (view.lower[i].endswith("ly") or view.lower[j] in members("r").get(view.lower[i], ()))
    ]
    yield from best_first(view, draw, vocabulary, [of_spans(view, (i, i + 1), (j, j + 1)) for i, j in pairs])


def _free(view: CaptionView, position: int) -> bool:
    """Is it one of a pair of opposites that says by itself how or where: "fast", "inside", but not "up a hill"?"""
    word = view.lower[position]
    return (
        word in members("r")
        and word not in _NO_SWAP
        and view.parsed.deps[position] in ("advmod", "prep", "acomp")
        and view.parsed.tags[position] in ("RB", "IN", "JJ")
        and view.lower[view.parsed.heads[position]] not in _BE
        and not any(child > position for child in view.children[position])
    )
