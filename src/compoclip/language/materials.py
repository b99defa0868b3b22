"""What things are made of, and what else they could be made of and still make sense: no paper benches."""

from __future__ import annotations

from collections.abc import Sequence

from compoclip.language.classes import ADJECTIVE_CLASSES
from compoclip.language.words import table, word_set, words

MATERIALS = frozenset(ADJECTIVE_CLASSES["material"].split()) | {
    "wood",
    "cardboard",
    "clay",
    "straw",
    "marble",
    "granite",
}
# Said before a noun by the noun itself ("a glass bottle"), by an adjective where there is one.
_SAME = {"wood": "wooden", "steel": "metal"}

_MADE_OF = tuple((row["things"].strip(), row["of"]) for row in table("cooccurrence")["made_of"])
_BY_THING: dict[str, frozenset[str]] = {}
for _things, _stuff in _MADE_OF:
    for _thing in _things.split():
        _BY_THING[_thing] = _BY_THING.get(_thing, frozenset()) | word_set(_stuff)


def material(word: str) -> str:
    """The material a word names, in the form that stands before a noun; "" for a word that names none."""
    return _SAME.get(word, word) if word in MATERIALS else ""


_ALIKE = (
    {"stone", "concrete", "marble", "granite"},
    {"brick", "stone"},
    {"plastic", "rubber"},
    {"paper", "cardboard"},
    {"clay", "ceramic"},
    {"wool", "cotton"},
)
_FRAMED = words("things", "materials.framed")


def much_the_same(one: str, other: str, thing: str = "") -> bool:
    """Materials that a picture hardly tells apart, or that both go into such a thing."""
    if {one, other} == {"glass", "metal"}:
        return thing in _FRAMED
    if {one, other} == {"glass", "plastic"}:
        return thing in ("display", "case", "screen", "shield")
    if {one, other} == {"leather", "wooden"}:
        return thing == "furniture"
    return any({one, other} <= alike for alike in _ALIKE)


_SOFT = words("things", "materials.soft")


def fitting(own: str, words: Sequence[str]) -> frozenset[str]:
    """Other materials than `own` for a thing named by these words, the last its lemma: "park", "bench".

    Whatever word among them names a thing of known materials has its say, for the parser may take "a leather jacket
    drinking coffee" for coffee.
    """
    *before, thing = words
    found = could_be(thing) if thing in _BY_THING or own not in _SOFT else frozenset({"plastic"})
    for word in before:
        found &= _BY_THING.get(word, found)
    return frozenset(other for other in found - {own} if not much_the_same(own, other, thing))


def could_be(thing: str) -> frozenset[str]:
    """Materials that a noun lemma may be said to be of; metal or plastic where nothing is known."""
    return _BY_THING.get(thing, frozenset({"metal", "plastic", "wooden"}))
