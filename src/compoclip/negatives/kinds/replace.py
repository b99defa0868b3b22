"""Replacements: a word gives way to another of its class (CLoVe, Castro et al. 2024; FSC-CLIP, Oh et al. 2024, 4.1)."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.inflect import inflect
from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.negatives.candidates import Table, adjective_candidates, noun_candidates
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.swap import described_things
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

TRIES = 6  # draws a word before the next word of the caption is taken


def nouns(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A noun gives way to another thing of its class that the caption does not name."""
    taken = {noun.lemma for noun in view.nouns} | view.others
    for noun in draw.shuffled(view.nouns):
        start = noun.head
        table = Table((), ())
        if noun.start < noun.head:
            whole = "_".join([*view.lower[noun.start : noun.head], noun.lemma])
            if shared_lexicon().senses(whole, "n"):
                table, start = noun_candidates(whole.replace("_", " "), vocabulary), noun.start
        if not table.words:
            table, start = noun_candidates(noun.lemma, vocabulary), noun.head
        for word in _drawn(table, draw):
            if word in taken:
                continue
            form = inflect(word, "NNS") if noun.plural else word
            if form in view.others:
                continue
            yield view.rewrite([(start, noun.head + 1, form)]), (view.edit(start, noun.head + 1, form),)


def adjectives(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """An adjective gives way to one that cannot be true with it."""
    for i, thing in draw.shuffled(described_things(view)):
        tag = view.parsed.tags[i]
        stem = lemma(view.lower[i], "a") if tag in ("JJR", "JJS") else view.lower[i]
        siblings = {view.lower[c] for c in view.children[thing]}
        for word in _drawn(adjective_candidates(stem, vocabulary), draw):
            form = inflect(word, tag) if tag in ("JJR", "JJS") else word
            if form in siblings or form in view.others:
                continue
            yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)


def _drawn(table: Table, draw: Draw) -> Iterator[str]:
    """A few different words of the table, by weight."""
    if not table.words:
        return
    seen = set()
    for _ in range(TRIES):
        position = draw.weighted(table.cumulative)
        if position not in seen:
            seen.add(position)
            yield table.words[position]
