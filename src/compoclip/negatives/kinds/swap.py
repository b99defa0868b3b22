"""Swaps: two words of one sort change places (NegCLIP, Yuksekgonul et al. 2023, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

from compoclip.language.classes import BOTH_WAYS as COUNTED_TOO
from compoclip.language.classes import MASS, members
from compoclip.language.inflect import INVARIABLE, PAIRS, inflect
from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.words import words
from compoclip.negatives.candidates import visible_field
from compoclip.negatives.draw import Draw
from compoclip.negatives.exclusive import TINTS, distinguished
from compoclip.negatives.kinds.exchange import Change, Swap, best_first, of_spans, unlike
from compoclip.negatives.kinds.swappable import sound_nouns, visible
from compoclip.negatives.paraphrase import same_meaning_nouns
from compoclip.negatives.types import Edit
from compoclip.negatives.view import SECOND_HALVES, CaptionView, Noun
from compoclip.negatives.vocabulary import Vocabulary

NOT_ATTRIBUTES = words("kinds", "swap.not_attributes")

STAYING = words("kinds", "swap.staying")
SHADES = words("kinds", "swap.shades")
HALVES = words("kinds", "swap.halves")
UNCOUNTED = words("kinds", "swap.uncounted")
NO_AMOUNTS = words("kinds", "swap.no_amounts")


def nouns(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Two nouns (with their compounds) change places; number and articles follow the place they come to."""
    pairs = [
        (a, b)
        for a, b in combinations(sound_nouns(view), 2)
        if a.lemma != b.lemma and a.head < b.phrase and not same_meaning_nouns(view, a, b)
    ]
    heads = {noun.head: noun for pair in pairs for noun in pair}
    fitted = {at: noun._replace(mass=_uncounted(view, vocabulary, noun)) for at, noun in heads.items()}
    swaps = (_swap(view, fitted[a.head], fitted[b.head]) for a, b in pairs)
    yield from best_first(view, draw, vocabulary, [swap for swap in swaps if swap])


def _swap(view: CaptionView, a: Noun, b: Noun) -> Swap | None:
    changes: list[Change] = []
    repairs: list[Change] = []
    for there, here in ((a, b), (b, a)):  # `here` moves to the place of `there`
        text = _fitted(view, here, there)
        if text is None:
            return None
        changes.append((there.start, there.head + 1, text))
        article = view.lower[there.article] if there.article >= 0 else ""
        if here.mass and article in ("a", "an"):  # "a man on grass" -> "grass on a man"
            own = here.article >= 0 and view.lower[here.article] == "the"
            repairs.append((there.article, there.article + 1, "the" if own else ""))
        elif there.mass and there.article < 0 and not here.mass and not here.plural and here.article >= 0:
            if there.phrase and view.parsed.tags[there.phrase - 1] in ("POS", "VBZ", "NN", "NNS", "JJ"):
                return None  # the phrase begins further left than the parser says
            if not _of(view, there):
                repairs.append((there.phrase, there.phrase, "a"))
    return Swap(changes[0], changes[1], tuple(repairs), unlike(a, b))


def _uncounted(view: CaptionView, vocabulary: Vocabulary, noun: Noun) -> bool:
    """Is it said without an article because it is a mass ("grass"), not for brevity ("a bin and clock")?"""
    if noun.article >= 0 and view.lower[noun.article] == "some" and not noun.plural:
        return True  # "some toast"
    if noun.lemma in UNCOUNTED and not noun.plural:
        return True
    if not noun.mass or (noun.article >= 0 and view.lower[noun.article] in ("a", "an", "another")):
        return False
    if noun.lemma in MASS:
        return noun.start == noun.head or noun.lemma not in COUNTED_TOO  # "light", but "a traffic light"
    if _of(view, noun) in NO_AMOUNTS:
        return False  # "a piece of carrot" is of a carrot
    if view.parsed.deps[noun.head] == "conj" and view.lower[noun.phrase - 1] in ("and", "or"):
        return False  # "a toilet and blue trashcan"
    if visible_field(noun.lemma) in (5, 6, 18):
        return False
    return not vocabulary.contexts.seen("a", *view.lower[noun.start : noun.head + 1][:2])


def _of(view: CaptionView, place: Noun) -> str:
    """What the place is a kind or an amount of ("pile" in "a pile of dirt"); "" for a place of another sort."""
    at = place.phrase - 1
    return view.lower[at - 1] if at > 0 and view.lower[at] == "of" and place.article < 0 else ""


def _fitted(view: CaptionView, noun: Noun, place: Noun) -> str | None:
    """The noun in the number of its new place, or None where it cannot stand there."""
    words = view.said(noun.start, noun.head + 1)
    article = view.lower[place.article] if place.article >= 0 else ""
    whole = _of(view, place)
    amount = bool(whole) and whole not in NO_AMOUNTS
    if noun.plural and view.parsed.tags[noun.head] == "NN" and view.parsed.deps[noun.head] == "conj":
        return None  # "an officer and dog": one dog
    after = view.parsed.tags[place.head + 1 : place.head + 4]
    if noun.mass:
        if (place.plural and (place.counted or amount)) or "VBP" in after:
            return None  # "vegetables that include onions"
        return words
    if noun.lemma in PAIRS:
        return None if article in ("a", "an") or place.counted else words
    plural = (
        place.plural
        or article == "some"
        or (place.mass and (amount or (noun.plural and article not in ("a", "an") and whole not in NO_AMOUNTS)))
    )
    if plural and place.mass and "VBZ" in after:
        return None  # "grass is"
    if noun.plural == plural:
        return words
    if noun.lemma in MASS and not plural and noun.lemma not in COUNTED_TOO:
        return None  # "various meats"
    form = inflect(noun.lemma, "NNS") if plural else noun.lemma
    if form == view.lower[noun.head] and form not in INVARIABLE:
        return None  # "greens" has no singular
    return words[: len(words) - len(view.words[noun.head])] + form


def adjectives(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Two adjectives of different things change places, where one of the things cannot be both."""
    described = [(i, x) for i, x in described_things(view) if alone(view, i, x)]
    pairs = [
        (i, j)
        for (i, x), (j, y) in combinations(described, 2)
        if x != y
        and lemma(view.lower[i], "a") != lemma(view.lower[j], "a")
        and view.parsed.tags[i] == view.parsed.tags[j]
        and view.lower[i] not in _said_of(view, y)
        and view.lower[j] not in _said_of(view, x)
        and distinguished(view, i, x, j, y)
        and not (second_of_a_class(view, view.lower[i], y, j) or second_of_a_class(view, view.lower[j], x, i))
    ]
    yield from best_first(view, draw, vocabulary, [of_spans(view, (i, i + 1), (j, j + 1)) for i, j in pairs])


def alone(view: CaptionView, adjective: int, noun: int) -> bool:
    """Does the adjective belong to its noun alone: to no other adjective, and to no word that it forms one with?"""
    parsed, lower = view.parsed, view.lower
    if parsed.tags[adjective] == "JJR" or _coordinated(view, adjective) or lower[adjective] in STAYING:
        return False
    if not visible(_one(lower[noun])):
        return False  # "a gymnastic maneuver"
    if parsed.words[adjective][0].isupper() and adjective:
        return False  # "Asian"
    if parsed.deps[adjective] == "acomp":
        return lower[parsed.heads[adjective]] in ("is", "are", "was", "were")  # "the kitchen sits empty"
    if lower[adjective] in SHADES or (adjective and lower[adjective - 1] in SHADES):
        return False  # "light blue"
    if any(parsed.deps[child] == "advmod" for child in view.children[adjective]):
        return False  # "a nearly empty plate"
    return lower[adjective + 1] not in SECOND_HALVES and lower[adjective + 1] not in HALVES


def described_things(view: CaptionView) -> list[tuple[int, int]]:
    """(adjective, noun it describes) positions: "a red square", "the sky is blue"."""
    if view.described is None:
        view.described = _described_things(view)
    return view.described


def _described_things(view: CaptionView) -> list[tuple[int, int]]:
    parsed = view.parsed
    found = []
    for i, tag in enumerate(parsed.tags):
        word = view.lower[i]
        if tag not in ("JJ", "VBN", "JJR", "JJS") or word in NOT_ATTRIBUTES or not word.isalpha() or view.glued(i):
            continue
        if i and parsed.heads[i - 1] == i and parsed.tags[i - 1].startswith("N"):
            continue  # "snow covered", "neon lit"
        if tag == "JJ" and "a" + lemma(word, "a") not in shared_lexicon():
            continue  # "an oven" that the parser took for what a pot is like
        if parsed.deps[i] == "amod" and parsed.heads[i] > i and parsed.tags[parsed.heads[i]] in ("NN", "NNS"):
            noun = view.lower[parsed.heads[i]]
            if noun not in ("one", "ones") and not view.collocated(i, _one(view.lower[i + 1])):
                found.append((i, parsed.heads[i]))
        elif parsed.deps[i] == "acomp" and tag != "VBN":
            subjects = [c for c in view.children[parsed.heads[i]] if parsed.deps[c] == "nsubj"]
            if subjects and parsed.tags[subjects[0]] in ("NN", "NNS"):
                found.append((i, subjects[0]))
    return found


def second_of_a_class(view: CaptionView, word: str, noun: int, leaving: int) -> bool:
    """Would the adjective contradict one that stays with the noun: a second colour, "a larger small toilet"?"""
    others = {lemma(view.lower[child], "a") for child in view.children[noun] if child != leaving}
    return not others.isdisjoint(members("a").get(word, ())) or (word in TINTS and not others.isdisjoint(TINTS))


def _said_of(view: CaptionView, noun: int) -> list[str]:
    return [view.lower[child] for child in view.children[noun]]


@cache
def _one(word: str) -> str:
    return lemma(word, "n")


def _coordinated(view: CaptionView, adjective: int) -> bool:
    """One of several colours of one thing ("black and white") stays with the others."""
    deps = view.parsed.deps
    return deps[adjective] == "conj" or any(deps[child] in ("conj", "cc") for child in view.children[adjective])
