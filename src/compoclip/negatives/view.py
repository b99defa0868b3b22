"""A parsed caption as the kinds see it, and the way back from changed tokens to a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from compoclip.language.classes import COLLOCATIONS, MASS
from compoclip.language.inflect import PAIRS, indefinite_article
from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.parser import Parsed
from compoclip.language.verb_alternatives import LIFELESS
from compoclip.language.words import words
from compoclip.negatives.types import Edit

PRONOUN_LIKE = words("captions", "view.pronoun_like")
RELATIONAL = words("captions", "view.relational")
MEASURES = words("captions", "view.measures")
COLOUR_NAMES = words("captions", "view.colour_names")
THINGS_IN_ING = words("captions", "view.things_in_ing")
SECOND_HALVES = words("captions", "view.second_halves")
PLURALS = words("captions", "view.plurals")
IDIOMS = words("captions", "view.idioms")
NOMINAL = (["NN"], ["NNS"], ["JJ"])
DETERMINERS = words("captions", "view.determiners")
_ARTICLES = words("captions", "view.articles")


class Noun(NamedTuple):
    """A noun with the compound before it ("fire hydrant"): tokens start to head, both in."""

    head: int
    start: int
    lemma: str
    plural: bool
    phrase: int  # where its noun phrase starts (article, numeral and adjectives included)
    article: int  # position of a, an, the or another determiner; -1 for none
    counted: bool  # a numeral or a quantifier stands before it
    adjectives: tuple[int, ...]
    mass: bool  # cannot be counted: no article of its own where a count noun would have one


class CaptionView:
    """One caption's tokens, the first one without its sentence-initial capital, and its nouns."""

    __slots__ = (
        "_nouns",
        "_pairs",
        "capitals",
        "children",
        "described",
        "lower",
        "others",
        "parsed",
        "read",
        "sound",
        "starts_upper",
        "words",
    )

    def __init__(self, parsed: Parsed, others: frozenset[str] = frozenset()) -> None:
        self.parsed = parsed
        self.words = list(parsed.words)
        self.others = others  # lower-case words of other true captions of the same image
        self.starts_upper = False
        if self.words:
            first = self.words[0]
            self.starts_upper = first[0].isupper()
            ordinary = len(first) == 1 or first[1:].islower()
            if self.starts_upper and ordinary and first != "I" and parsed.tags[0] not in ("NNP", "NNPS"):
                self.words[0] = first.lower()
        self.lower = [word.lower() for word in self.words]
        self.children: list[list[int]] = [[] for _ in self.words]
        for position, head in enumerate(parsed.heads):
            if head != position:
                self.children[head].append(position)
        self._nouns: list[Noun] | None = None
        self.sound: list[Noun] | None = None  # those that may be swapped, once a swap has asked for them
        self.described: list[tuple[int, int]] | None = None  # (adjective, noun), once a kind has asked for them
        self.read: tuple[list[str], list[str]] | None = None  # the words for a language model, once one has asked
        self._pairs: frozenset[tuple[str, str]] | None = None
        self.capitals = parsed.text.isupper()

    @property
    def nouns(self) -> list[Noun]:
        """Common nouns that name things, left to right."""
        if self._nouns is None:
            self._nouns = [
                noun for i, tag in enumerate(self.parsed.tags) if tag in ("NN", "NNS") and (noun := self._noun(i))
            ]
        return self._nouns

    def _names_a_thing(self, head: int) -> bool:
        """May the word be the head of a noun that names a thing, as far as its neighbours tell?"""
        parsed, lower = self.parsed, self.lower
        word = lower[head]
        if (
            parsed.deps[head] in ("compound", "nmod", "amod", "advmod", "npadvmod", "quantmod")
            or not word.isalpha()
            or len(word) < 2
        ):
            return False
        if word in PRONOUN_LIKE or word in RELATIONAL or self.glued(head):
            return False
        if word in COLOUR_NAMES or (word in IDIOMS and parsed.deps[head] == "pobj" and parsed.heads[head] == head - 1):
            return False
        following = head + 1 < len(lower)
        if following and lower[head + 1] == "of" and (word in MEASURES or lemma(word, "n") in MEASURES):
            return False
        if following and parsed.tags[head + 1] in ("NN", "NNS"):
            return False  # "a window sill" that the parser took apart, "a couple vases"
        return not word.endswith("ing") or word in THINGS_IN_ING  # else "a zebra standing", a verb taken for a noun

    def _noun(self, head: int) -> Noun | None:
        if not self._names_a_thing(head):
            return None
        parsed, lower = self.parsed, self.lower
        word = lower[head]
        start = phrase = head
        article, counted = -1, False
        adjectives = []
        for child in reversed(self.children[head]):
            if child >= head:
                continue
            dep = parsed.deps[child]
            if dep in ("compound", "nmod") and child == start - 1:
                start = self._left_edge(child)
                phrase = min(phrase, start)
            elif dep == "amod":
                adjectives.append(child)
                phrase = min(phrase, self._left_edge(child))
            elif dep in ("det", "poss", "predet"):
                article, phrase = child, min(phrase, self._left_edge(child))
            elif dep in ("nummod", "quantmod"):
                counted, phrase = True, min(phrase, self._left_edge(child))
            elif dep == "punct" and lower[child] == "-" and child == start - 1:
                start = child
        while start < head and (
            parsed.tags[start] in ("DT", "PRP$", "CD") or lower[start] in COLOUR_NAMES
        ):  # "a" of "a fire hydrant" hung on "fire"
            if parsed.tags[start] == "CD":
                counted = True
            elif lower[start] in COLOUR_NAMES:
                adjectives.append(start)
            elif article < 0:
                article = start
            start += 1
        if any(lower[child] in ("many", "several", "few", "multiple", "various", "numerous") for child in adjectives):
            counted = True
        if self._misread(phrase, start, head, adjectives):
            return None
        plural = parsed.tags[head] == "NNS" or word in PLURALS
        stem = word if word in PAIRS else lemma(word, "n") if plural else word
        if (
            adjectives
            and adjectives[0] == start - 1
            and self.collocated(start - 1, stem if start == head else lower[start])
        ):
            start = adjectives.pop(0)
        bare = article < 0 and not counted and not plural
        several = counted and not plural and "one" not in lower[phrase:start]
        if (bare or several) and _animate(stem):  # "a herd of zebra", "two cat": a plural without an ending
            bare, plural = False, True
        return Noun(
            head,
            start,
            "person" if stem == "people" else stem,
            plural,
            phrase,
            article,
            counted,
            tuple(adjectives),
            bare or (stem in MASS and not plural),
        )

    def _misread(self, phrase: int, start: int, head: int, adjectives: list[int]) -> bool:
        """Is the head, with the words before it, something else than the parser took it for?"""
        tags, lower = self.parsed.tags, self.lower
        following = head + 1 < len(lower)
        if not all((w.isalpha() or w == "-") and w not in PRONOUN_LIKE for w in lower[start:head]):
            return True
        if start + 1 < head and any(w.endswith("ing") and w not in THINGS_IN_ING for w in lower[start + 1 : head]):
            return True  # "kitten drinking water"
        if following and lower[head + 1] in ("lined", "covered", "capped") and tags[head + 2 :][:1] in NOMINAL:
            return True  # "the tree lined highway"; but "a table covered in"
        if (following and lower[head + 1] in SECOND_HALVES) or any(lower[i] in SECOND_HALVES for i in adjectives):
            return True  # "leather bound books"
        holding = (i for i in range(phrase + 1, start) if lower[i].endswith("ing"))
        return any(tags[i - 1].startswith("N") for i in holding)  # "a couch holding food"

    def collocated(self, adjective: int, noun: str) -> bool:
        """Do the adjective and the noun after it name one thing, as "hot dog" does?"""
        return f"{self.lower[adjective]}_{noun}" in COLLOCATIONS

    def _left_edge(self, position: int) -> int:
        edge = position
        while (below := self.children[edge]) and below[0] < edge:  # children stand in order
            edge = below[0]
        return edge

    def glued(self, position: int) -> bool:
        """Is the token stuck to a hyphen or slash, as in "black-and-white"?"""
        words, spaces = self.parsed.words, self.parsed.spaces
        after = position + 1 < len(words) and not spaces[position] and words[position + 1] in ("-", "/", "'s", "’s")
        return after or (position > 0 and not spaces[position - 1] and words[position - 1] in ("-", "/"))

    def said(self, start: int, end: int) -> str:
        """The words of tokens start to end (end not in), spaced as in the caption, without a sentence's capital."""
        left, right = self.span(start, end)
        return self.words[start] + self.parsed.text[left + len(self.words[start]) : right]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Character span of tokens start to end (end not in)."""
        parsed = self.parsed
        return parsed.starts[start], parsed.starts[end - 1] + len(parsed.words[end - 1])

    def edit(self, start: int, end: int, new: str) -> Edit:
        left, right = self.span(start, end)
        return Edit(left, right, self.parsed.text[left:right], new)

    def rewrite(self, changes: Sequence[tuple[int, int, str]]) -> str:
        """The caption with token spans (start, end, new text) replaced; empty spans insert, empty texts delete."""
        words: list[str] = []
        spaces: list[bool] = []
        at = 0
        for start, end, new in sorted(changes):
            words += self.words[at:start]
            spaces += self.parsed.spaces[at:start]
            pieces = new.split()
            if pieces:
                words += pieces
                spaces += [True] * (len(pieces) - 1)
                spaces.append(True if end == start else self.parsed.spaces[end - 1])
            elif spaces and end > start:
                spaces[-1] = spaces[-1] and self.parsed.spaces[end - 1]
            at = end
        words += self.words[at:]
        spaces += self.parsed.spaces[at:]
        return self.sentence(words, spaces)

    def sentence(self, words: list[str], spaces: Sequence[bool]) -> str:
        """Join tokens; correct "a" and "an" before words that have not stood there, and the sentence's capitals."""
        if self._pairs is None:
            self._pairs = frozenset(zip(self.lower, self.lower[1:]))
        last = len(words) - 1
        for position in [at for at, word in enumerate(words) if word in _ARTICLES and at < last]:
            article, following = words[position], words[position + 1]
            if (article, following) in self._pairs:
                continue
            if following[0].isalnum() and (article.lower(), following.lower()) not in self._pairs:
                right = indefinite_article(following)
                words[position] = right.capitalize() if article[0] == "A" else right
        if self.starts_upper and words:
            words[0] = words[0][:1].upper() + words[0][1:]
        text = "".join([word + " " if space else word for word, space in zip(words, spaces)])
        return (text.upper() if self.capitals else text).strip()


@cache
def _animate(word: str) -> bool:
    """Is the commonest sense of this noun an animal (WordNet's lexicographer file 5)?"""
    senses = shared_lexicon().senses(word, "n")
    return bool(senses) and shared_lexicon().lexfile(senses[0].synset) == 5 and word not in MASS | LIFELESS
