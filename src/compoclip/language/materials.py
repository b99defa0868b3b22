"""What things are made of, and what else they could be made of and still make sense: no paper benches."""

from __future__ import annotations

from collections.abc import Sequence

from compoclip.language.classes import ADJECTIVE_CLASSES
from compoclip.language.words import word_set

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

_MADE_OF: tuple[tuple[str, str], ...] = (
    ("table desk stand surface counter shelf countertop top", "wooden metal plastic glass stone"),
    ("bench stool chair seat bed frame headboard", "wooden metal plastic stone"),
    (
        "building wall house church tower structure fireplace place barn chimney castle shed cabin hut step stair arch",
        "wooden metal brick stone concrete glass",
    ),
    (
        "floor area walkway path sidewalk bridge platform deck ledge ramp slab patio pier railing rail wall barrier",
        "wooden metal brick stone concrete",
    ),
    ("fence gate post pole pen bar barricade", "wooden metal plastic concrete"),
    ("plate bowl dish platter tray cup mug saucer", "wooden metal plastic glass ceramic paper"),
    ("bottle jar vase pitcher pot container", "plastic glass metal ceramic"),
    ("fork knife spoon utensil cutlery tong handle chopstick", "wooden metal plastic"),
    ("bag", "plastic paper"),
    ("box crate basket case trunk", "wooden metal plastic cardboard"),
    ("purse handbag wallet belt strap", "leather plastic"),
    ("furniture", "leather plastic metal wooden"),
    ("door cabinet cabinetry cupboard dresser drawer", "wooden metal glass"),
    ("window pane windshield stove oven heater band duck towel clip candy ball", ""),  # a wooden window is of glass too
    ("jacket coat glove shoe boot vest", "leather wool cotton"),
    ("sweater hat scarf blanket", "wool cotton"),
    ("couch sofa", "leather wooden"),
    ("toilet sink bathtub tub counter", "metal plastic ceramic"),
    ("statue elephant horse figure figurine sculpture bear bird animal boat", "wooden metal plastic stone"),
    ("board spatula paddle racket rack ladder sled cart", "wooden metal plastic"),
    ("clock sign umbrella mirror lamp umbrella", "wooden metal plastic"),
    ("roof", "wooden metal"),
    ("scooter slide swing toy", "wooden metal plastic"),
    ("courtyard patio plaza yard street road square", "brick stone concrete"),
    ("cap pants trousers clothes clothing outfit suit shirt shorts skirt dress chap chaps robe", "leather wool cotton"),
    ("collar harness leash", "leather metal plastic"),
    # Of what they are made their names say, or there is nothing else that they could be of.
    ("foam wire link chain slat plank log mesh cable rope beam brush cliff rock hill face playground", ""),
)
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
# Of glass and metal at once, as a rule: towers and tables with metal frames.
_FRAMED = word_set("table desk stand shelf building house tower structure door passageway walkway shower case display")


def much_the_same(one: str, other: str, thing: str = "") -> bool:
    """Materials that a picture hardly tells apart, or that both go into such a thing."""
    if {one, other} == {"glass", "metal"}:
        return thing in _FRAMED
    if {one, other} == {"glass", "plastic"}:
        return thing in ("display", "case", "screen", "shield")
    if {one, other} == {"leather", "wooden"}:
        return thing == "furniture"
    return any({one, other} <= alike for alike in _ALIKE)


# What bends: nothing else of which we know nothing is so of wood or metal, no "wooden innertube".
_SOFT = word_set("rubber leather paper wool cotton")


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
