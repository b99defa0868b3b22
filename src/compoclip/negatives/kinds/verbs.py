"""Replacements of verbs, adverbs and prepositions (CLoVe, Castro et al. 2024; FSC-CLIP, Oh et al. 2024, 4.1)."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.inflect import inflect
from compoclip.language.lexicon import lemma
from compoclip.language.words import word_set
from compoclip.negatives.candidates import adverb_candidates, is_animate, verb_candidates
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.phrases import doer_of
from compoclip.negatives.kinds.relations import is_placed_before_thing
from compoclip.negatives.kinds.replace import drawn
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

POSTURE = frozenset(["sit", "stand", "lie", "rest", "hang", "fly"])
MOVES = word_set(
    """
    walk run go come ride ski drive climb travel move look jump fly slide roll head point skate
    """
)
_TAGS = frozenset({"VBG", "VBZ", "VBP", "VBD", "VB"})
# Places that exclude each other, as single words, for a thing that can be seen.
PLACES: dict[str, tuple[str, ...]] = {
    "on": ("under", "behind", "below", "beside"),
    "in": ("outside", "behind", "above", "under"),
    "at": ("behind", "above", "under"),
    "by": ("inside", "on", "under"),
    "near": ("inside", "on", "under"),
    "beside": ("on", "under", "inside"),
    "under": ("on", "above", "behind"),
    "over": ("under", "behind", "inside"),
    "above": ("under", "below", "inside"),
    "below": ("above", "on"),
    "behind": ("on", "under", "inside"),
    "inside": ("outside", "above", "under"),
    "through": ("around", "over", "behind"),
    "into": ("under", "around", "behind"),
    "across": ("under", "behind", "above"),
    "around": ("inside", "through", "under"),
    "along": ("under", "above", "across"),
    "against": ("under", "behind", "above"),
    "down": ("up", "under", "behind"),
    "up": ("down", "under", "behind"),
    "from": ("to", "into"),
    "with": ("without",),
}


def replace_verbs(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A deed gives way to another that the same doer could do."""
    found = [
        i
        for i, tag in enumerate(view.parsed.tags)
        if tag in _TAGS and view.parsed.deps[i] not in ("aux", "auxpass", "amod", "compound") and not view.glued(i)
    ]
    for i in draw.shuffled(found):
        tag = view.parsed.tags[i]
        stem = lemma(view.lower[i], "v")
        doer = doer_of(view, i)
        if stem in POSTURE and (doer is None or not is_animate(lemma(view.lower[doer], "n"))):
            continue  # a clock that sits on a shelf stands on it too
        for word in drawn(verb_candidates(stem, vocabulary), draw):
            form = inflect(word, tag)
            if form in view.others or form in view.lower:
                continue
            yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)


def replace_adverbs(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """An adverb gives way to its opposite."""
    found = [
        i
        for i, tag in enumerate(view.parsed.tags)
        if view.parsed.deps[i] in ("advmod", "prt") and view.children[i] == [] and (tag == "RB" or _moves(view, i))
        if tag in ("RB", "RP")
    ]
    for i in draw.shuffled(found):
        for form in drawn(adverb_candidates(view.lower[i], vocabulary), draw):
            yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)


def _moves(view: View, particle: int) -> bool:
    """Does the particle say where a movement goes ("walking up"), rather than belong to the verb ("make up")?"""
    return lemma(view.lower[view.parsed.heads[particle]], "v") in MOVES


def replace_prepositions(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A preposition of place gives way to one that excludes it."""
    found = [i for i, word in enumerate(view.lower) if word in PLACES and is_placed_before_thing(view, i)]
    for i in draw.shuffled(found):
        for form in draw.shuffled([word for word in PLACES[view.lower[i]] if vocabulary.word(word)]):
            yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)
