"""The one judge: what no negative may be, whoever proposes it. Every refusal is counted by its gate's name.

A question looks at the pair of caption and negative and at what was changed, never at the rule that made it, so that
rules and language models are held to the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from compoclip.language.classes import near_synonyms
from compoclip.language.lexicon import is_blocked, lemma, shared_lexicon
from compoclip.language.words import words
from compoclip.negatives.safety import harmful
from compoclip.negatives.scope import clashes, under_denial_or_bound
from compoclip.negatives.types import Edit

_NOT_WORDS = re.compile(r"[^\w]+")
READ = 60  # words of a caption that surely fit CLIP's 77 tokens; a difference after them may be none
_NEAR_SENSES = 2

GATES = {
    "same-as-caption": "equal to its caption after case, punctuation and white space",
    "true-of-image": "equal to another true caption of the same image",
    "repeated": "equal to an earlier negative of the same caption",
    "cut-off": "differs from its caption only after what a text tower reads",
    "blocked-word": "brings in a slur, an insult or an obscenity",
    "harmful": "a minor and something sensitive, a person turned into an animal or given a colour, harm to a person",
    "denied-or-bounded": "changes what stands under a negation or a bound, so that it may still hold",
    "same-thing": "puts a synonym, a more general or a more special word in a word's place",
    "contradicts-itself": "a new state that the rest of the caption contradicts",
}


@lru_cache(maxsize=4096)
def normalised(text: str) -> str:
    """Case, punctuation and white space taken out."""
    return _NOT_WORDS.sub(" ", text.lower()).strip()


class Judge:
    """Judges the negatives of one caption, in the order in which they are proposed.

    others: true captions of the same image, which no negative may equal.

    >>> Judge("A man with no hat.").refuses("A man with no tie.")
    'denied-or-bounded'
    """

    def __init__(self, caption: str, others: Iterable[str] = ()) -> None:
        self.caption, self.own = caption, normalised(caption)
        self._own_words = self.own.split()
        self._said = frozenset(self._own_words)
        self._truths = frozenset(map(normalised, others))
        self._earlier: set[str] = set()

    def refuses(self, text: str, edits: Sequence[Edit] = ()) -> str | None:
        """The name of the gate that refuses the negative, or None: then no later one may equal it."""
        plain = _NOT_WORDS.sub(" ", text.lower()).strip()
        if plain == self.own or not plain:
            return "same-as-caption"
        if plain in self._truths:
            return "true-of-image"
        if plain in self._earlier:
            return "repeated"
        gate = self._faults(text, plain.split(), edits)
        if gate is None:
            self._earlier.add(plain)
        return gate

    def _faults(self, text: str, now: list[str], edits: Sequence[Edit]) -> str | None:
        if len(self._own_words) >= READ and now[:READ] == self._own_words[:READ]:
            return "cut-off"
        came = [word for word in now if word not in self._said]
        if came and any(map(is_blocked, came)):
            return "blocked-word"
        if harmful(self.caption, text):
            return "harmful"
        if under_denial_or_bound(self.caption, text):
            return "denied-or-bounded"
        for edit in edits:
            if edit.old and edit.new and same_thing(edit.old.lower(), edit.new.lower()):
                return "same-thing"
        if came and clashes(self._own_words, now):
            return "contradicts-itself"
        return None


@lru_cache(maxsize=50_000)
def same_thing(old: str, new: str) -> bool:
    """May the two words be said of one thing: synonyms, or one more general than the other?

    Only single words of one part of speech are compared; whole phrases are left to the rule that swaps them.
    """
    uncompared = words("judge", "relations") | words("judge", "general")
    if " " in old or " " in new or old in uncompared or new in words("judge", "relations"):
        return False
    for pos in "nav":
        one, other = lemma(old, pos), lemma(new, pos)
        if one == other:
            continue
        if other in near_synonyms(one):
            return True
        lexicon = shared_lexicon()
        first = {sense.synset for sense in lexicon.senses(one, pos)[:_NEAR_SENSES]}
        second = {sense.synset for sense in lexicon.senses(other, pos)[:_NEAR_SENSES]}
        if first & second:
            return True
        if pos == "n" and first and second:
            above = {up for synset in list(first)[:1] for up in lexicon.ancestors(synset)}
            below = {up for synset in list(second)[:1] for up in lexicon.ancestors(synset)}
            if above & second or below & first:
                return True
    return False
