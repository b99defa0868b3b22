"""Which nouns may change places: things that can be seen, where the parser is likely to have read them right."""

from __future__ import annotations

from collections import Counter
from functools import cache

from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.words import words
from compoclip.negatives.candidates import is_animate, mostly_noun, visible_field
from compoclip.negatives.view import RELATIONAL, THINGS_IN_ING, CaptionView, Noun

UNSEEN = words("kinds", "swappable.unseen")
PARTS = words("kinds", "swappable.parts")
_MAKING = words("kinds", "swappable.making")
_BEFORE = words("kinds", "swappable.before")
_NO_PHRASE = words("kinds", "swappable.no_phrase")
_PAST = frozenset({"VBN", "VBD"})
_NAMES = frozenset({"NN", "NNS"})
_SORTS = words("kinds", "swappable.sorts")
_PLAYING = words("kinds", "swappable.playing")
_OF_TWO = frozenset({"another", "other"})
_JOINING = words("kinds", "swappable.joining")
_AGAIN = words("kinds", "swappable.again")
_TOPS, _GROUPS = 3, 14  # WordNet's lexicographer files of "person" and "animal", and of "crowd"


def sound_nouns(view: CaptionView) -> list[Noun]:
    """The nouns that name visible things, whose number and part of speech the parser is likely to have right."""
    if view.sound is None:
        again = _named_again(view)
        view.sound = [
            noun
            for noun in view.nouns
            if noun.head not in again
            and not _unseen(view, noun)
            and _sound(view, noun)
            and _begins(view, noun)
            and _ends(view, noun)
        ]
    return view.sound


def _unseen(view: CaptionView, noun: Noun) -> bool:
    if noun.lemma == "game" and view.lower[noun.head - 1] in ("video", "computer", "board"):
        return False
    return noun.lemma in UNSEEN or noun.lemma in RELATIONAL or not visible(noun.lemma)


@cache
def visible(word: str) -> bool:
    """Has the word a sense that can be seen, or is it a group of such, or none that WordNet has?"""
    senses = shared_lexicon().senses(word, "n")
    return not senses or visible_field(word) > 0 or shared_lexicon().lexfile(senses[0].synset) in (_TOPS, _GROUPS)


def _named_again(view: CaptionView) -> set[int]:
    """The nouns that a later one takes up: "a baby ... an adult holding the baby"."""
    names = [(i, lemma(view.lower[i], "n")) for i, tag in enumerate(view.parsed.tags) if tag in _NAMES]
    counts = Counter(name for _, name in names)
    return {
        i
        for i, name in names
        if counts[name] > 1
        and any(
            j > i and name == other and (view.lower[j - 1] in _AGAIN or view.parsed.deps[j] == "conj")
            for j, other in names
        )
    }


@cache
def _only_noun(word: str) -> bool:
    lexicon = shared_lexicon()
    return bool(lexicon.senses(word, "n")) and not lexicon.senses(word, "a")


def _known(word: str) -> bool:
    return bool(shared_lexicon().senses(lemma(word, "n"), "n"))


def _sound(view: CaptionView, noun: Noun) -> bool:
    """Do number and determiner agree, and is the word mostly a noun?"""
    before = view.lower[noun.phrase : noun.start]
    if noun.counted and not noun.plural and "one" not in before and "1" not in before:
        return False  # "two shelfs"
    if noun.plural and noun.article >= 0 and view.lower[noun.article] in ("a", "an"):
        return False  # "a women"
    if "no" in before:
        return False
    if not _OF_TWO.isdisjoint(before):
        return False  # "another girl" would come before the one
    if (noun.phrase == noun.head or noun.lemma.endswith("s")) and not _known(noun.lemma):
        return False  # "takes offf as others watch", "a surfer surfs across"
    return mostly_noun(noun.lemma)


def _begins(view: CaptionView, noun: Noun) -> bool:
    """Does the noun phrase begin where the parser says, and not further left?"""
    lower, tags, at = view.lower, view.parsed.tags, noun.phrase
    names = lower[noun.start : noun.head]
    if names and (names[0] in _SORTS or not _JOINING.isdisjoint(names)):
        return False  # and no "and white cattle dog"
    if any(tags[i] == "JJ" and _only_noun(lower[i]) for i in noun.adjectives):
        return False  # "a hula hoop", whatever the parser made of "hula"
    if at and tags[at - 1] == "VBG" and lower[at - 1] in THINGS_IN_ING:
        return False  # "icing flowers"
    if at > 2 and lower[at - 1] == "in" and tags[at - 2] in ("VBN", "JJ") and tags[at - 3] == "DT":
        return False  # "a fenced in area"
    if at > 1 and lower[at - 1] == "of" and lemma(lower[at - 2], "n") in UNSEEN:
        return False  # "a game of balloons"
    if not at or noun.article >= 0:
        return True
    if not noun.plural and lower[at - 1] in _PLAYING:
        return False  # "playing jump rope"
    if at > 1 and tags[at - 1] == "," and tags[at - 2] in ("JJ", "VBN"):
        return False  # "a long haired, black cat"
    if at > 1 and lower[at - 1] in _MAKING and tags[at - 1] in _PAST and tags[at - 2] in _NAMES:
        return False  # "a tree lined highway"
    return noun.counted or tags[at - 1] not in _BEFORE


def _ends(view: CaptionView, noun: Noun) -> bool:
    """Does the noun phrase end with its noun, and is this no verb?"""
    lower, tags, after = view.lower, view.parsed.tags, noun.head + 1
    if after >= len(lower):
        return True
    if lower[after] in THINGS_IN_ING and tags[after] == "VBG":
        return False  # "leans over bridge railing"
    if tags[after] == "VBP" and not noun.plural:
        return False  # "a couple hold each other"
    if lower[after] == "of":
        return noun.lemma in PARTS  # "a vase of flowers" is no vase without them
    if lower[after] == "on" and (after + 1 == len(lower) or tags[after + 1] in _NO_PHRASE):
        return False  # "with a necklace on plays in"
    if lower[after] == "hydrant":
        return False  # "a fire hydrant next to"
    frosted = tags[after] in _PAST and after + 1 < len(tags) and tags[after + 1] in _NAMES
    return noun.plural or not frosted or is_animate(noun.lemma)  # "a chocolate frosted donut"
