"""Does a rewrite do what its kind asks for, and nothing else? Decided on words and the lexicon, without a parse."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from compoclip.language.lexicon import lemma
from compoclip.language.words import word_set
from compoclip.negatives.llm.kinds import LLM_KINDS
from compoclip.negatives.llm.parts import COUNTS, DETERMINERS, FUNCTION, SPATIAL, adjectival, can_be, is_phrase
from compoclip.negatives.paraphrase import POSTURE

_WORD = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*|'[a-z]+")
_ARTICLES = frozenset({"a", "an"})
_PRONOUNS = word_set("he she it they him her them his its their")  # they follow the noun that is exchanged
_NUMBERED = {
    "are": "is",
    "were": "was",
    "have": "has",
    "do": "does",
    "these": "this",
    "those": "that",
    "others": "other",
    **dict.fromkeys(_PRONOUNS, "he"),
}
_SAME = {"an": "a", **dict.fromkeys(_PRONOUNS, "he")}
_STOPS = word_set(
    "of at from with for to by into onto and or is are was were in on along across against toward towards the a an"
)
_SYMMETRIC = frozenset(
    {
        *("and", "or", "with", "beside", "near", "by", "alongside", "opposite", "facing"),
        *("next to", "close to", "adjacent to", "along with", "together with"),
    }
)
_TELLS_APART = word_set("with in who that which whose")
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
    if start and old[start - 1] not in DETERMINERS and any(word in _ARTICLES | {"the"} for word in before):
        return False  # "a red keyboard and a monitor": the first thing has a property that stays in its place
    if end and (old[-end] in _TELLS_APART or old[-end].endswith(("ing", "ed"))):
        return False  # "hikers rest beside donkeys carrying tents"
    one, other = _without_articles(before), _without_articles(after)
    for left in range(1, len(one)):
        for right in range(left + 1, len(one)):
            joint = one[left:right]
            if other == one[right:] + joint + one[:left]:
                kept = " ".join(word for word in joint if word not in POSTURE or word in ("and", "next"))
                if kept in ("and", "or") or (kept in _SYMMETRIC and _stands_alone(old[:start])):
                    return True
    return False


def _stands_alone(before: Sequence[str]) -> bool:
    """Nothing before says what is done to the first thing or where something is: "cutting a cake next to a pie"."""
    left = _without_articles(before)
    return not left or left[-1] in ("of", "with", "and", "is", "are")


def _without_articles(text: Sequence[str]) -> list[str]:
    return [word for word in text if word not in _ARTICLES and word != "the"]


def _reordered(kind: str, old: Sequence[str], new: Sequence[str]) -> bool:
    articles = sum(word in _ARTICLES for word in old) - sum(word in _ARTICLES for word in new)
    one = [singular(word) for word in old if word not in _ARTICLES]
    other = [singular(word) for word in new if word not in _ARTICLES]
    if abs(articles) > 1 or one == other or Counter(one) != Counter(other):
        return False
    if kind == "shuffle":
        return True
    moved = {word for span in _spans(one, other) for word in (*one[span.a : span.b], *other[span.c : span.d])}
    if kind == "swap-adjectives":
        return all(can_be(word, "a") or word in COUNTS for word in moved)
    return _skeleton(one) == _skeleton(other) and any(can_be(word, "n") and not adjectival(word) for word in moved)


def _skeleton(text: Sequence[str]) -> list[str]:
    """What stays in its place when nouns move with what belongs to them."""
    loose = DETERMINERS | COUNTS | {"of", "and", "he"}
    return [word for word in text if word not in loose and not can_be(word, "n") and not can_be(word, "a")]


def _replaced(kind: str, old: Sequence[str], new: Sequence[str]) -> bool:
    one, other = ([_SAME.get(word, word) for word in text] for text in (old, new))
    if Counter(map(singular, one)) == Counter(map(singular, other)):
        return False
    spans = [span for span in _spans(one, other) if {*one[span.a : span.b], *other[span.c : span.d]} - {"a", "the"}]
    gone_words = sum(span.b - span.a for span in spans)
    if len(spans) > 3 or gone_words > max(4, 0.4 * len(one)) or gone_words > 0.7 * len(one):
        return False
    if kind == "replace-relations":
        return all({*one[s.a : s.b], *other[s.c : s.d]} <= SPATIAL | DETERMINERS for s in spans)
    part = _PARTS[kind]
    return all(is_phrase(one, s.a, s.b, part) and is_phrase(other, s.c, s.d, part) for s in spans)


class _WordSpan(NamedTuple):
    a: int
    b: int
    c: int
    d: int


def _spans(one: Sequence[str], other: Sequence[str]) -> list[_WordSpan]:
    """Where the two differ: words a to b of the one stand where words c to d of the other do."""
    found = SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    return [_WordSpan(*place) for tag, *place in found if tag != "equal"]


@lru_cache(maxsize=50_000)
def singular(word: str) -> str:
    """One form for singular and plural, of nouns and of verbs."""
    if word in _NUMBERED:
        return _NUMBERED[word]
    stem = lemma(word, "n")
    return lemma(word, "v") if stem == word and word.endswith("s") and word not in FUNCTION else stem
