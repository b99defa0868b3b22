"""Does a rewrite do what its kind asks for, and nothing else? Decided on words and the lexicon, without a parse."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

from compoclip.language.classes import members
from compoclip.language.lexicon import POS, lemma, shared_lexicon
from compoclip.language.words import word_set
from compoclip.negatives.llm.kinds import LLM_KINDS
from compoclip.negatives.meaning import POSTURE

_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*|'[a-z]+")
_ARTICLES = frozenset({"a", "an"})
_NUMBERED = {"are": "is", "were": "was", "have": "has", "do": "does", "these": "this", "those": "that", "don": "does"}
_DETERMINERS = word_set("a an the this that these those his her its their my your our some any each every no another")
_SPATIAL = word_set(
    """
    above across against ahead along alongside amid among amidst apart around aside at atop away back backward
    before behind below beneath beside besides between beyond bottom by close direction distance down edge end
    facing far forward forwards from front high in inside into left low middle near nearby next of off on onto
    opposite out outside over outdoors indoors past right round side through throughout to together top toward
    towards under underneath up upon upside with within without corner center centre backwards upstairs downstairs
    """
)
_FUNCTION = (
    _DETERMINERS
    | _SPATIAL - {"back", "bottom", "top", "side", "edge", "end", "corner", "front", "middle", "distance"}
    | word_set(
        """
        and or but nor while as if than then who which whose whom that where when what there here is are was were be
        been being am has have had do does did can could will would may might must should not it he she they them
        him i you we me us for like during about until after because so very too also just only 's 't 're 'll 've
        """
    )
)
_STOPS = word_set("of at from with for to by into onto and or is are was were in on the a an")
_SYMMETRIC = frozenset(
    {
        *("and", "or", "with", "beside", "near", "by", "alongside", "opposite", "facing"),
        *("next to", "close to", "adjacent to", "along with", "together with"),
    }
)
_LEAST_SHARE = 0.08  # of a word's uses in WordNet's concordance; below, it is not taken for that part of speech
_PARTS = {"replace-nouns": "n", "replace-adjectives": "a", "replace-verbs": "v"}


def words(text: str) -> list[str]:
    """Lower-case words and 's, without punctuation."""
    plain = unicodedata.normalize("NFKC", text).replace("’", "'").lower()
    return _WORD.findall(plain)


def keeps_rule(kind: str, old: Sequence[str], new: Sequence[str]) -> bool:
    """Is `new` a rewrite of `old` (both as `words` gives them) after the kind's rule, as far as words can tell?"""
    if LLM_KINDS[kind].family == "reorder":
        return _reordered(kind, old, new)
    return _replaced(kind, old, new)


def reads_broken(text: Sequence[str]) -> bool:
    """Ends in a word that must go on, or has an article before a word that can have none."""
    if not text or text[-1] in ("a", "an", "the", "and", "or", "of"):
        return True
    return any(one in ("a", "an", "the") and other in _STOPS for one, other in pairwise(text))


def keeps_meaning(old: Sequence[str], new: Sequence[str]) -> bool:
    """Have only two sides of "and", "next to" or the like changed places? "a dog near a cat", "a cat near a dog"."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    if start and old[start - 1] not in _DETERMINERS and any(word in _ARTICLES | {"the"} for word in before):
        return False  # "a red keyboard and a monitor": the first thing has a property that stays in its place
    one, other = _without_articles(before), _without_articles(after)
    for left in range(1, len(one)):
        for right in range(left + 1, len(one)):
            joint = one[left:right]
            if other == one[right:] + joint + one[:left]:
                kept = " ".join(word for word in joint if word not in POSTURE or word in ("and", "next"))
                if kept in _SYMMETRIC:
                    return True
    return False


def _without_articles(text: Sequence[str]) -> list[str]:
    return [word for word in text if word not in _ARTICLES and word != "the"]


def _reordered(kind: str, old: Sequence[str], new: Sequence[str]) -> bool:
    articles = sum(word in _ARTICLES for word in old) - sum(word in _ARTICLES for word in new)
    one = [_singular(word) for word in old if word not in _ARTICLES]
    other = [_singular(word) for word in new if word not in _ARTICLES]
    if abs(articles) > 1 or one == other or Counter(one) != Counter(other):
        return False
    if kind == "shuffle":
        return True
    moved = {word for tag, a, b, c, d in _spans(one, other) if tag != "equal" for word in (*one[a:b], *other[c:d])}
    if kind == "swap-adjectives":  # where each adjective goes with its noun, either may be said to have moved
        adjectives = [word for word in one if _can_be(word, "a")]
        return len(adjectives) > 1 and any(all(_can_be(word, part) for word in moved) for part in ("a", "n"))
    skeleton = [[word for word in text if not (_can_be(word, "n") or _can_be(word, "a"))] for text in (one, other)]
    return skeleton[0] == skeleton[1] and any(_can_be(word, "n") for word in moved)


def _replaced(kind: str, old: Sequence[str], new: Sequence[str]) -> bool:
    one = ["a" if word == "an" else word for word in old]
    other = ["a" if word == "an" else word for word in new]
    if Counter(one) == Counter(other):
        return False
    spans = [(one[a:b], other[c:d]) for tag, a, b, c, d in _spans(one, other) if tag != "equal"]
    changed = [(gone, come) for gone, come in spans if {*gone, *come} - _ARTICLES]
    gone_words = sum(len(gone) for gone, _ in changed)
    if len(changed) > 3 or gone_words > max(4, 0.4 * len(one)) or gone_words > 0.7 * len(one):
        return False
    if kind == "replace-relations":
        return all({*gone, *come} <= _SPATIAL | _DETERMINERS for gone, come in changed)
    part = _PARTS[kind]
    return all(_is_phrase(gone, one, part) and _is_phrase(come, other, part) for gone, come in changed)


def _is_phrase(span: Sequence[str], text: Sequence[str], part: str) -> bool:
    """Could these words, taken out of `text`, be one noun, adjective or verb with what belongs to it?"""
    content = [word for word in span if word not in _FUNCTION]
    if not content:
        return False
    if part == "n":  # "fire hydrant", "hot dog": the last word says what it is
        return _can_be(content[-1], "n") and all(_can_be(word, "n") or _can_be(word, "a") for word in content)
    if part == "v":  # "picks up", "is standing"
        return len(content) == 1 and _can_be(content[0], "v")
    return all(_can_be(word, "a") or _participle(word, text) for word in content)


def _participle(word: str, text: Sequence[str]) -> bool:
    """A form in -ing or -ed of a verb, between a determiner and another word: "a parked car"."""
    at = text.index(word)
    return word.endswith(("ing", "ed")) and 0 < at < len(text) - 1 and text[at - 1] in _DETERMINERS


@lru_cache(maxsize=50_000)
def _can_be(word: str, part: str) -> bool:
    """Is the word used as this part of speech often enough? Words that the lexicon does not know may be any."""
    if word in _FUNCTION:
        return False
    if word[0].isdigit() or (part in "an" and word in members(part)):
        return True
    known = shared_lexicon()
    uses = {pos: sum(sense.tagged + 1 for sense in known.senses(lemma(word, pos), pos)) for pos in POS}
    if not any(uses.values()):
        return "-" not in word or _can_be(word.rpartition("-")[2], part) or part == "a"
    return uses[part] >= _LEAST_SHARE * sum(uses.values())


@lru_cache(maxsize=50_000)
def _singular(word: str) -> str:
    """One form for singular and plural, of nouns and of verbs."""
    if word in _NUMBERED:
        return _NUMBERED[word]
    stem = lemma(word, "n")
    return lemma(word, "v") if stem == word and word.endswith("s") and word not in _FUNCTION else stem


def _spans(one: Sequence[str], other: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
