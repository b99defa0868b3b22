"""What is usually there: things that a caption need not name to be in the picture of its scene, and what fits where.

A noun that gives way to one of these may leave the caption true: a bathroom with a toilet has a mirror too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from compoclip.language.words import table, words

SCENES: tuple[tuple[str, str], ...] = tuple(
    (row["cues"].strip(), row["things"].strip()) for row in table("cooccurrence")["scenes"]
)

ENCLOSED = words("things", "cooccurrence.enclosed")
FLAT = words("things", "cooccurrence.flat")
NOT_AT = words("things", "cooccurrence.not_at")
_ON = words("things", "cooccurrence.on")
_IN = words("things", "cooccurrence.in")
NOT_THROUGH = words("things", "cooccurrence.not_through")
_WEARING = words("things", "cooccurrence.wearing")
CARRIED = words("things", "cooccurrence.carried")
_AT = words("things", "cooccurrence.at")
_DOWN = words("things", "cooccurrence.down")
LENGTHWISE = words("things", "cooccurrence.lengthwise")


@cache
def _expected() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for cues, things in SCENES:
        for cue in cues.split():
            found.setdefault(cue.replace("_", " "), set()).update(things.split())
    return {cue: frozenset(things) for cue, things in found.items()}


def usually_there(words: Iterable[str]) -> frozenset[str]:
    """Things to expect in the scene that these words (lower case, lemmas or not) give away."""
    expected = _expected()
    return frozenset().union(*(expected[word] for word in words if word in expected))


def fits(preposition: str, noun: str) -> bool:
    """Can the noun stand after this preposition? Not "in a beach", "on a kitchen", "around a shelf"."""
    if preposition == "through":
        return noun not in NOT_THROUGH
    if preposition in _WEARING:
        return noun not in CARRIED
    if preposition in _ON:
        return noun not in ENCLOSED
    if preposition in _IN:
        return noun not in FLAT
    if preposition in _AT:
        return noun not in NOT_AT
    return preposition not in _DOWN or noun in LENGTHWISE
