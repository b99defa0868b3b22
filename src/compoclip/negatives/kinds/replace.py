"""Replacements: a word gives way to another of its class (CLoVe, Castro et al. 2024; FSC-CLIP, Oh et al. 2024, 4.1)."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.classes import BOTH_WAYS, COLLOCATIONS, MASS, members
from compoclip.language.inflect import PAIRS, inflect
from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.negatives.candidates import Table, adjective_candidates, is_animate, noun_candidates
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.swap import described_things
from compoclip.negatives.types import Edit
from compoclip.negatives.view import Noun, View
from compoclip.negatives.vocabulary import Vocabulary

TRIES = 6  # draws a word before the next word of the caption is taken


def nouns(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A noun gives way to another thing of its class that the caption does not name."""
    taken = {noun.lemma for noun in view.nouns} | view.others
    for noun in draw.shuffled(view.nouns):
        table, start = _table_of(view, noun, vocabulary)
        article = view.lower[noun.article] if noun.article >= 0 else ""
        for word in drawn(table, draw):
            mass = word in MASS
            if word in taken or (mass and word not in BOTH_WAYS and (noun.counted or article in ("a", "an"))):
                continue
            form = inflect(word, "NNS") if noun.plural and (not mass or word in BOTH_WAYS) else word
            if form in view.others or (word in PAIRS and (article in ("a", "an") or not noun.plural)):
                continue
            changes = [(start, noun.head + 1, form)]
            if noun.lemma in MASS and not mass and noun.article < 0 and not noun.plural and not noun.counted:
                changes.append((noun.phrase, noun.phrase, "a"))  # "by water" -> "by a tree"
            yield view.rewrite(changes), (view.edit(start, noun.head + 1, form),)


def _table_of(view: View, noun: Noun, vocabulary: Vocabulary) -> tuple[Table, int]:
    """Candidates, and where the words they replace start.

    A whole compound gives way, by the class of the compound ("living room") or else of its head ("fire hydrant").
    """
    if noun.start < noun.head:
        whole = " ".join([*view.lower[noun.start : noun.head], noun.lemma])
        known = whole in members("n") or noun.lemma not in members("n") or "_".join(whole.split()) in COLLOCATIONS
        if known and shared_lexicon().senses(whole, "n"):
            table = noun_candidates(whole, vocabulary)
            if table.words:
                return table, noun.start
    return noun_candidates(noun.lemma, vocabulary), noun.start


def adjectives(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """An adjective gives way to one that cannot be true with it."""
    for i, thing in draw.shuffled(described_things(view)):
        yield from replaced(view, draw, vocabulary, i, thing)


def replaced(
    view: View, draw: Draw, vocabulary: Vocabulary, i: int, thing: int
) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """The caption with adjective `i` of noun `thing` replaced, a few times."""
    tag = view.parsed.tags[i]
    stem = lemma(view.lower[i], "a") if tag in ("JJR", "JJS") else view.lower[i]
    siblings = {view.lower[c] for c in view.children[thing]}
    if stem in ("old", "new", "young"):
        wrong = "new" if is_animate(lemma(view.lower[thing], "n")) else "young"
        if "brand" in view.lower[max(0, i - 1) : i]:
            return
    else:
        wrong = ""
    for word in drawn(adjective_candidates(stem, vocabulary), draw):
        form = inflect(word, tag) if tag in ("JJR", "JJS") else word
        if word == wrong or form in siblings or form in view.others:
            continue
        yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)


def drawn(table: Table, draw: Draw) -> Iterator[str]:
    """A few different words of the table, by weight."""
    if not table.words:
        return
    seen = set()
    for _ in range(TRIES):
        position = draw.weighted(table.cumulative)
        if position not in seen:
            seen.add(position)
            yield table.words[position]
