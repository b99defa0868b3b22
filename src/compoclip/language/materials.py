"""What things are made of, and what else they could be made of and still make sense: no paper benches."""

from __future__ import annotations

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
        "building wall house church tower structure fireplace barn chimney castle shed cabin hut step stair arch",
        "wooden metal brick stone concrete glass",
    ),
    (
        "floor walkway path sidewalk bridge platform deck ledge ramp slab patio pier railing rail bridge wall barrier",
        "wooden metal brick stone concrete",
    ),
    ("fence gate post pole pen bar barricade beam", "wooden metal plastic concrete"),
    ("plate bowl dish platter tray cup mug saucer", "wooden metal plastic glass ceramic paper"),
    ("bottle jar vase pitcher pot container", "plastic glass metal ceramic"),
    ("fork knife spoon utensil cutlery tong handle chopstick", "wooden metal plastic"),
    ("bag", "plastic paper"),
    ("box crate basket case trunk", "wooden metal plastic cardboard"),
    ("door cabinet cabinetry cupboard window dresser drawer", "wooden metal glass"),
    ("jacket coat glove shoe boot vest", "leather wool cotton"),
    ("sweater hat scarf blanket", "wool cotton"),
    ("couch sofa", "leather wooden"),
    ("toilet sink bathtub tub counter", "metal plastic ceramic"),
    ("statue elephant horse figure figurine sculpture bear bird animal boat toy", "wooden metal plastic stone"),
    ("board spatula paddle racket rack ladder sled cart", "wooden metal plastic"),
    ("clock sign umbrella mirror lamp umbrella", "wooden metal plastic"),
    ("roof", "wooden metal"),
)
_BY_THING: dict[str, frozenset[str]] = {}
for _things, _stuff in _MADE_OF:
    for _thing in _things.split():
        _BY_THING[_thing] = _BY_THING.get(_thing, frozenset()) | word_set(_stuff)


def material(word: str) -> str:
    """The material a word names, in the form that stands before a noun; "" for a word that names none."""
    return _SAME.get(word, word) if word in MATERIALS else ""


def much_the_same(one: str, other: str) -> bool:
    """Materials that a picture hardly tells apart."""
    return {one, other} <= {"stone", "concrete", "marble", "granite"} or {one, other} <= {"brick", "stone"}


def could_be(thing: str) -> frozenset[str]:
    """Materials that a noun lemma may be said to be of; metal or plastic where nothing is known."""
    return _BY_THING.get(thing, frozenset({"metal", "plastic", "wooden"}))
