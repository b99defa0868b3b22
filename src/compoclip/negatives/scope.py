"""What stands under a negation or a bound, where a change may leave a caption as true as it was.

"A man with no hat" stays true with "no tie"; "at least two dogs" with "at least one". Read off the words alone, so that
the same rule serves parsed captions and rewrites of a language model; where a scope ends is rather taken too far.
Source of the word classes: `language/tables/scope.yaml`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from compoclip.language.words import table, words

_TOKEN = re.compile(r"n't|[a-z0-9]+(?:-[a-z0-9]+)*|'[a-z]+|[^\w\s]")
_CLAUSE = re.compile(r"[a-z]+(?:ing|s)\Z")
_NUMBERS = words("scope", "numbers")
_SWAPPED = 5  # pieces into which two exchanged words cut a caption at most
_DETERMINERS = words("scope", "determiners")
_DENY = words("scope", "deny")
_ENDS = words("scope", "ends")
_EXACT = words("scope", "exact")
_ONE_OF_SEVERAL = words("scope", "one_of_several")
_WATCHED = _DENY | _NUMBERS


def tokens(text: str) -> list[str]:
    """Lower-case words and marks; "isn't" gives "is", "n't"."""
    return _TOKEN.findall(text.lower().replace("’", "'").replace("n't", " n't").replace("cannot", "can not"))


@lru_cache(maxsize=4096)
def denied(lower: tuple[str, ...]) -> tuple[bool, ...]:
    """For each of a caption's lower-case tokens: does it deny, or stand under a denial?"""
    under = [False] * len(lower)
    for at, word in enumerate(lower):
        if word in _DENY and not _affirmed(lower, at):
            for i in range(at, _end(lower, at)):
                under[i] = True
    return tuple(under)


def _affirmed(lower: Sequence[str], at: int) -> bool:
    """ "A few dogs", "not only a dog", "no doubt": nothing is denied."""
    before, after = lower[at - 1] if at else "", lower[at + 1] if at + 1 < len(lower) else ""
    return (lower[at] == "few" and before in ("a", "the", "quite", "these", "first", "last", "past")) or after in (
        "only",
        "doubt",
        "matter",
    )


def _end(lower: Sequence[str], at: int) -> int:
    """Where what the word at `at` denies ends: at a mark, at "but" or "while", at an "and" that begins anew."""
    for i in range(at + 1, len(lower)):
        word, after = lower[i], lower[i + 1] if i + 1 < len(lower) else ""
        if word in _ENDS:
            return i
        if word in ("and", ",") and (after in _DETERMINERS or _CLAUSE.match(after)):
            return i
    return len(lower)


def bounded(lower: Sequence[str], at: int) -> bool:
    """Is the number at `at` a bound or a guess: "at least two", "about ten", "no more than three"?"""
    before = " ".join(lower[max(0, at - 3) : at])
    after = " ".join(lower[at + 1 : at + 3])
    return any(before == phrase or before.endswith(" " + phrase) for phrase in _phrases("bounds")) or after.startswith(
        tuple(_phrases("bounds_after"))
    )


@lru_cache(maxsize=8)
def _phrases(key: str) -> tuple[str, ...]:
    return tuple(table("scope")[key])


def existential(lower: Sequence[str], at: int) -> bool:
    """Does "one" at `at` say that there is such a one, not that there is no other: "one of", "one image"?"""
    after = lower[at + 1] if at + 1 < len(lower) else ""
    return after in _ONE_OF_SEVERAL or "other" in lower or "another" in lower


def only(lower: Sequence[str], at: int) -> bool:
    """Does "only", "exactly" or "just" before the number say that there are no more?"""
    return bool(_EXACT & {*lower[max(0, at - 2) : at]})


def clashes(old: Sequence[str], new: Sequence[str]) -> bool:
    """Does the rest of the caption contradict a state that came in: "a cloudy sky with no clouds"?"""
    states = table("scope")["states"]
    under: tuple[bool, ...] | None = None
    for state in [word for word in new if word in states]:
        if state in old:
            continue
        told = states[state]
        for word in told.get("has", "").split():
            if word in new:
                under = under or denied(tuple(new))
                if under[list(new).index(word)]:
                    return True
        if not set(told.get("lacks", "").split()).isdisjoint(set(old) & set(new)):
            return True
    return False


def under_denial_or_bound(caption: str, negative: str) -> bool:
    """Does the negative change what its caption denies or bounds, so that the result may still hold?

    >>> under_denial_or_bound("A bench with no people.", "A bench with no dogs.")
    True
    """
    old, watched = _caption_tokens(caption)
    if not watched:
        return False
    new = tuple(tokens(negative))
    if old == new:
        return False
    under = denied(old)
    if not any(under):
        if len(old) == len(new) and all(new[at] == old[at] for at in watched):
            return False  # every number stays where it is
        if sorted(old) == sorted(new):
            return False  # no number comes or goes
    elif sum(word in _DENY for word in new) > sum(word in _DENY for word in old):
        return True  # "no girl with no hat"
    changes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    if Counter(old) == Counter(new):
        if len(changes) > _SWAPPED:
            return any(under)  # words in another order: who is denied what is anybody's guess
        return any(any(under[start:end]) for tag, start, end, _, _ in changes if tag != "equal")
    for tag, start, end, first, last in changes:
        if tag == "equal":
            continue
        if any(under[start:end]) or (start == end and 0 < start < len(old) and under[start - 1] and under[start]):
            return not _lifted(old[start:end], new[first:last])
        if any(_counted_still(old, i, new[first:last]) for i in range(start, end)):
            return True
    return False


def _lifted(old: Sequence[str], new: Sequence[str]) -> bool:
    """Does only the denial itself go: "with no hat" -> "with a hat"?"""
    return bool(old) and set(old) <= {"no", "not", "n't", "without", "never"} and _DENY.isdisjoint(new)


def _counted_still(old: Sequence[str], at: int, new: Sequence[str]) -> bool:
    """May the caption hold with these words in the place of the number at `at`?"""
    if old[at] not in _NUMBERS:
        return False
    if bounded(old, at):
        return True
    if old[at] in ("one", "1"):
        return existential(old, at) and not only(old, at)
    return not {"one", "1", "a", "an"}.isdisjoint(new) and not only(old, at)


@lru_cache(maxsize=256)
def _caption_tokens(caption: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """A caption's tokens, and where those are that deny or count."""
    found = tuple(tokens(caption))
    return found, tuple(at for at, word in enumerate(found) if word in _WATCHED)
