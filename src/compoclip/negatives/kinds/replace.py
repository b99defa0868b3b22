"""Replacements: a word gives way to another of its class (CLoVe, Castro et al. 2024; FSC-CLIP, Oh et al. 2024, 4.1)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from functools import cache, lru_cache

from compoclip.language.adjective_nouns import also_against, describes
from compoclip.language.classes import ADJECTIVE_CLASSES, BOTH_WAYS, COLLOCATIONS, MASS, members
from compoclip.language.cooccurrence import fits, usually_there
from compoclip.language.inflect import PAIRS, inflect
from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.materials import MATERIALS, fitting, material
from compoclip.language.tag_repair import COLOURS
from compoclip.language.words import words
from compoclip.negatives.candidates import (
    NAMED,
    WeightedWords,
    adjective_candidates,
    compounds,
    is_animate,
    noun_candidates,
    weighted_words,
)
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.exchange import loss
from compoclip.negatives.kinds.replaceable import gives_way, preposition, really_plural, unborne
from compoclip.negatives.kinds.swap import described_things
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView, Noun
from compoclip.negatives.vocabulary import Vocabulary

PICTURES = words("kinds", "replace.pictures")
SIZES = frozenset(" ".join(ADJECTIVE_CLASSES[name] for name in ("size", "length", "height")).split())
NEAT = words("kinds", "replace.neat")
JUDGED = words("kinds", "replace.judged")
SHADES = words("kinds", "replace.shades")
MATTER = words("kinds", "replace.matter")
PATTERNS = frozenset(ADJECTIVE_CLASSES["pattern"].split())
FLOWERING = words("kinds", "replace.flowering")
DULL = words("kinds", "replace.dull")
VAST = words("kinds", "replace.vast")
MANY = words("kinds", "replace.many")
UNPEOPLED = words("kinds", "replace.unpeopled")
TINGED = words("kinds", "replace.tinged")
HALVES = words("kinds", "replace.halves")
VERY = words("kinds", "replace.very")
OPEN = 1.5  # nats that a word of no class may lose in its place, beyond being a rarer word
TRIES = 6  # draws a word before the next word of the caption is taken


def nouns(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A noun gives way to another thing of its class that the caption does not name and its scene does not imply.

    Nouns of the everyday classes come first, others only where a caption has none of them.
    """
    whole = [noun for noun in view.nouns if gives_way(view, noun, draw)]
    if not whole:
        return
    everyday = members("n")
    said = {*view.lower, *(noun.lemma for noun in view.nouns)}
    taken = said | view.others | usually_there(said)
    made = False
    for noun in sorted(draw.shuffled(whole), key=lambda noun: noun.lemma not in everyday):
        if made and noun.lemma not in everyday:
            return
        table, start = _table_of(view, noun, vocabulary, unborne(view, noun, draw))
        article = view.lower[noun.article] if noun.article >= 0 else ""
        place = preposition(view, noun)
        plural = really_plural(view, noun)
        for word in drawn(table, draw):
            mass = word in MASS
            if word in taken:
                continue
            named = whole_name(word, vocabulary, draw)
            if not said.isdisjoint(named.split()):
                continue
            if mass and word not in BOTH_WAYS and (noun.counted or article in ("a", "an")):
                continue
            form = inflect(named, "NNS") if plural and (not mass or word in BOTH_WAYS) else named
            if form in view.others or (word in PAIRS and (article in ("a", "an") or not plural)):
                continue
            if noun.lemma in PAIRS and word not in PAIRS and not noun.counted:
                continue  # one boy in "red shorts" wears no "red skirts"
            if not fits(place if place != "of" else view.lower[max(0, noun.phrase - 2)], word):
                continue
            changes = [(start, noun.head + 1, form)]
            if place == "of" and noun.lemma in MASS and not mass:
                continue  # "a new type of pizza"
            bare = noun.article < 0 and not noun.plural and not noun.counted
            if bare and noun.lemma in MASS and not mass:
                changes.append((noun.phrase, noun.phrase, "a"))  # "by water" -> "by a tree"
            if word not in _of_a_class(noun.lemma):
                rarer = math.log(max(1, vocabulary.noun(noun.lemma)) / vocabulary.noun(word))
                if loss(view, vocabulary, changes) - rarer > OPEN:
                    continue  # words of no class have to read well there
            text, made = view.rewrite(changes), True
            yield text, (view.edit(start, noun.head + 1, form),)


@cache
def _of_a_class(noun: str) -> frozenset[str]:
    """What a class lets stand for the noun, wherever it stands."""
    return frozenset((*members("n").get(noun, ()), *members("n")[NAMED]))


def whole_name(word: str, vocabulary: Vocabulary, draw: Draw) -> str:
    """The noun, or a compound in which captions say it: "fire hydrant" more often than "hydrant"."""
    table = compounds(vocabulary).get(word)
    return table.words[draw.weighted(table.cumulative)] if table else word


def _table_of(
    view: CaptionView, noun: Noun, vocabulary: Vocabulary, unfit: frozenset[str]
) -> tuple[WeightedWords, int]:
    """Candidates that the caption bears, and where the words they replace start.

    A whole compound gives way, by the class of the compound ("living room") or else of its head ("fire hydrant").
    """
    if noun.start < noun.head:
        whole = " ".join([*view.lower[noun.start : noun.head], noun.lemma])
        known = whole in members("n") or noun.lemma not in members("n") or "_".join(whole.split()) in COLLOCATIONS
        if known and (whole in members("n") or shared_lexicon().senses(whole, "n")):
            table = noun_candidates(whole, vocabulary, unfit)
            if table.words:
                return table, noun.start
    if noun.lemma == "person" and noun.article < 0 and not noun.counted and view.parsed.tags[noun.head] == "NN":
        return noun_candidates(NAMED, vocabulary, unfit), noun.start  # "person" where a name stood: another role
    table = noun_candidates(noun.lemma, vocabulary, unfit)
    if unfit and not table.words and noun_candidates(noun.lemma, vocabulary).words and is_animate(noun.lemma):
        table = noun_candidates("person", vocabulary)  # "a girl with her dog" -> "a horse with her dog"
    return table, noun.start


def adjectives(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """An adjective gives way to one that cannot be true with it."""
    for i, thing in draw.shuffled(described_things(view)):
        yield from replaced(view, draw, vocabulary, i, thing)


def replaced(
    view: CaptionView, draw: Draw, vocabulary: Vocabulary, i: int, thing: int
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """The caption with adjective `i` of noun `thing` replaced, a few times."""
    tag = view.parsed.tags[i]
    stem = lemma(view.lower[i], "a") if tag in ("JJR", "JJS") else view.lower[i]
    if _bound(view, i, stem):
        return
    siblings = {view.lower[c] for c in view.children[thing]} | set(view.lower[max(0, i - 4) : i])
    siblings |= set(view.lower[i + 1 : max(i + 4, thing)])  # "a red, white and blue kite"
    noun = lemma(view.lower[_real(view, i, thing)], "n")
    table = _said_against(stem, noun, vocabulary)
    if table.words and one_of_two(view, thing, noun, _of_its_class(stem, vocabulary)):
        return
    lush = view.lower[i - 1 : i] == ["lush"]
    amount = _how_much(view, i, thing, noun)
    stuff = fitting(material(stem), [*view.lower[i + 1 : thing], noun]) if stem in MATERIALS else None
    peopled = not MANY.isdisjoint(view.lower)
    for word in drawn(table, draw):
        form = inflect(word, tag) if tag in ("JJR", "JJS") else word
        if form in siblings or form in view.others or (lush and form not in FLOWERING):
            continue
        if word == "little" and amount:
            continue
        if form in DULL and i and view.lower[i - 1] == "bright":
            continue  # "a bright black shirt"
        if stuff is not None and word not in stuff:
            continue  # "a metal link wire bridge"
        if word in UNPEOPLED and peopled:
            continue
        yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)


@lru_cache(maxsize=20_000)
def _of_its_class(stem: str, vocabulary: Vocabulary) -> frozenset[str]:
    return frozenset((stem, *adjective_candidates(stem, vocabulary).words))


def _real(view: CaptionView, i: int, thing: int) -> int:
    """The noun that is meant where the parser took a verb for one: "a spotted white dog splashes in the water"."""
    if view.parsed.tags[thing] != "NNS" or thing - 1 <= i or view.parsed.tags[thing - 1] != "NN":
        return thing
    one = not {"a", "an"}.isdisjoint(view.lower[c] for c in view.children[thing])
    return thing - 1 if one or is_animate(view.lower[thing - 1]) else thing


def _how_much(view: CaptionView, i: int, thing: int, noun: str) -> bool:
    """Would "little" in this place say how much: "very little pizza", "little luggage", "a little cooked pizza"?"""
    after = view.lower[thing + 1] if thing + 1 < len(view.lower) else ""
    if any(word in MASS and word not in BOTH_WAYS for word in (noun, after)) or noun in (
        "number",
        "amount",
        "group",
        "crowd",
    ):
        return True
    if thing > i + 1 and view.lower[i + 1] not in COLOURS and view.parsed.tags[i + 1] in ("JJ", "VBN", "VBG", "RB"):
        return True
    return i > 0 and view.lower[i - 1] in VERY


@lru_cache(maxsize=50_000)
def _said_against(stem: str, noun: str, vocabulary: Vocabulary) -> WeightedWords:
    """The adjectives that contradict this one and can be said of this noun lemma, by how often captions use them."""
    words = (*adjective_candidates(stem, vocabulary).words, *also_against(stem, noun))
    return weighted_words(
        tuple(sorted({word for word in words if describes(word, stem, noun, is_animate(noun))})), vocabulary
    )


def one_of_two(view: CaptionView, thing: int, noun: str, class_: Collection[str]) -> bool:
    """Is another such thing named of which nothing of this class is said ("a deer next to a small deer")?

    Then what is denied of the one may be true of the other.
    """
    for j, word in enumerate(view.lower):
        if word == "another" and j > thing and view.lower[j + 1 : j + 2] == view.lower[thing - 1 : thing]:
            return True  # "a Dodge truck near another Dodge"
        if j == thing or not view.parsed.tags[j].startswith("NN") or lemma(word, "n") != noun:
            continue
        part = view.parsed.deps[j] in ("compound", "nmod", "amod", "npadvmod", "advmod")
        if part and view.parsed.tags[view.parsed.heads[j]] != "VBG":  # but "a deer standing"
            continue  # "a horse drawn carriage"
        said = {lemma(view.lower[child], "a") for child in view.children[j]}
        if said.isdisjoint(class_) and "baby" not in said:
            return True
    return False


def _bound(view: CaptionView, i: int, stem: str) -> bool:
    """Is the adjective half of a phrase that no other adjective fits ("brand new", "light brown", "half empty")?"""
    before = view.lower[i - 1] if i else ""
    after = view.lower[i + 1] if i + 1 < len(view.lower) else ""
    if view.words[i][0].isupper() and not view.parsed.text.isupper():
        return True  # "Reel Big Fish"
    if stem in SIZES and (SIZES | VAST) & {*view.lower[max(0, i - 2) : i], *view.lower[i + 1 : i + 3]}:
        return True  # "a small little bathroom"
    if stem in JUDGED or before in ("another", "otherwise", "itself", "themselves", "himself", "herself"):
        return True  # "of another young man", "an otherwise crowded stadium", "shakes itself dry"
    if after in ("colored", "coloured"):
        return True  # "bright solid colored shirts"
    if stem in NEAT and NEAT & {*view.lower[max(0, i - 2) : i], *view.lower[i + 1 : i + 6]}:
        return True  # "clean and tidy"
    if stem in COLOURS and (before in TINGED or before.endswith("ish") or after in COLOURS):
        return True  # "off white", "reddish orange", "a black brown cat"
    if after in HALVES:
        return True
    if stem in PATTERNS and is_animate(lemma(after, "n")):
        return True
    if before in ("already", "brand", "half", "mostly", "-", "nearly", "almost", "partly", "partially"):
        return True
    if stem in COLOURS and ((after == "and" and view.lower[i + 2 : i + 3] == ["white"]) or before == "and"):
        picture = set(view.lower[i + 1 : i + 6]) & PICTURES
        if picture:
            return True  # "a black and white photograph"
    if after in ("water", "birds") and stem in ("white", "angry"):
        return True  # "white water rafting"
    if "dark" in view.lower[max(0, i - 2) : i]:
        return True
    return stem in SHADES and after in COLOURS | MATTER


def drawn(table: WeightedWords, draw: Draw) -> Iterator[str]:
    """A few different words of the table, by weight."""
    if not table.words:
        return
    seen = set()
    for _ in range(TRIES):
        position = draw.weighted(table.cumulative)
        if position not in seen:
            seen.add(position)
            yield table.words[position]
