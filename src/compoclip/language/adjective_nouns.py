"""Which adjectives can be said of which things: no old babies, no closed fields, no tall skirts."""

from __future__ import annotations

from compoclip.language.classes import ADJECTIVE_CLASSES, BOTH_WAYS, MASS
from compoclip.language.materials import MATERIALS, could_be
from compoclip.language.words import word_set, words

CHILDREN = words("things", "adjective_nouns.children")
_PERSONS = words("things", "adjective_nouns.persons")
_GIRLS_AND_BOYS = words("things", "adjective_nouns.girls_and_boys")
_NOT_OF_PEOPLE = words("things", "adjective_nouns.not_of_people")
_NOT_OF_ANIMALS = words("things", "adjective_nouns.not_of_animals")
_COLOURFUL = words("things", "adjective_nouns.colourful")
_OPENED = words("things", "adjective_nouns.opened")
_HOLLOW = words("things", "adjective_nouns.hollow")
_SOAKED = words("things", "adjective_nouns.soaked")
_SKIES = words("things", "adjective_nouns.skies")
_WEATHER = words("things", "adjective_nouns.weather")
_WEATHERS = ({"sunny", "rainy"}, {"sunny", "cloudy"}, {"rainy", "snowy"})
_PALE = words("things", "adjective_nouns.pale")
_EARTHEN = words("things", "adjective_nouns.earthen")
_PATTERNS = words("things", "adjective_nouns.patterns")
_AGES = words("things", "adjective_nouns.ages")
_ALIKE = (  # colours that two people looking at one thing may both say
    word_set("pink red"),
    word_set("orange brown golden"),
    word_set("red brown"),
    word_set("black brown"),
    word_set("black navy"),
    word_set("black gray"),
    word_set("black grey"),
    word_set("white gray"),
    word_set("white grey"),
    word_set("blue purple"),
)
_FUR = words("things", "adjective_nouns.fur")
_SIZES = frozenset(ADJECTIVE_CLASSES["size"].split())
_FRUIT = words("things", "adjective_nouns.fruit")
_HAIRY = words("things", "adjective_nouns.hairy")
_NO_PLACE = words("things", "adjective_nouns.no_place")
_CROWDED = words("things", "adjective_nouns.crowded")
_PEOPLED = words("things", "adjective_nouns.peopled")
_TALL = words("things", "adjective_nouns.tall")
_LONG = words("things", "adjective_nouns.long")


def also_against(old: str, noun: str) -> tuple[str, ...]:
    """What contradicts `old` of such a noun beside its own class: a street is empty or crowded, not full."""
    if noun in _PEOPLED:
        if old == "empty":
            return ("crowded",) if noun in ("room", "kitchen", "bar", "bus", "train") else ("crowded", "busy")
        return ("empty",) if old in ("crowded", "busy") else ()
    return ()


def describes(new: str, old: str, noun: str, animate: bool) -> bool:
    """May the adjective `new` stand before this noun lemma, in place of `old`, so that the caption is false of it?"""
    if new in _AGES:
        return (animate and noun not in CHILDREN) if "young" in (new, old) else not animate
    if new in _PATTERNS and old in _PATTERNS:
        return not animate
    if new in also_against(old, noun):
        return True
    if new in _CROWDED:
        if old == "empty" or (old, new) == ("crowded", "quiet"):  # a crowd can be silent
            return False
        return noun not in _NO_PLACE
    if new == "bald" and not animate:
        return False
    if new in ("curly", "straight"):
        return noun in _HAIRY
    if _told_alike(new, old, noun, animate):
        return False
    return new in could_be(noun) if old in MATERIALS else _said_of(new, old, noun)


def _told_alike(new: str, old: str, noun: str, animate: bool) -> bool:
    """May two people who look at the thing say the one and the other, or does nobody say the new one of it?"""
    if noun == "leaf" and {new, old} <= {"brown", "yellow", "orange", "red", "golden"}:
        return True
    if new in (_NOT_OF_PEOPLE if noun in _PERSONS | CHILDREN else _NOT_OF_ANIMALS if animate else ()):
        return noun not in _COLOURFUL
    if any(new in both and old in both for both in _ALIKE) or (animate and {new, old} <= _FUR):
        return True
    if noun in MASS - BOTH_WAYS and (new in _SIZES or old in _SIZES):
        return True  # "really small hair"
    if (noun in _PERSONS and old in ("black", "white")) or (noun == "light" and new == "black"):
        return True  # what a black light shows is blue
    if (old == "orange" and noun in _FRUIT) or (noun == "water" and {old, new} & {"clean", "dirty", "messy"}):
        return True
    if noun in _GIRLS_AND_BOYS and new == "large":
        return True  # a little girl is young, and may be large for her age
    return noun in ("sky", "skies", "cloud") and new in _PALE  # a cloudy blue sky has white in it


def _said_of(new: str, old: str, noun: str) -> bool:
    """Is the new adjective said of such things at all?"""
    if new in ("open", "closed"):
        return noun in _OPENED
    if new in ("full", "empty"):
        return noun in _HOLLOW
    if new in ("wet", "dry"):
        return noun in _SOAKED
    if new in _WEATHER:
        if noun in ("sky", "skies"):
            return {new, old} == {"cloudy", "clear"}
        return noun in _SKIES and {new, old} in _WEATHERS
    if noun in _EARTHEN and {new, old} <= {"brown", "red", "orange", "beige", "tan", "yellow"}:
        return False
    if new == "tall" or (new == "short" and old == "tall"):
        return noun in _TALL
    if new in ("long", "short"):
        return noun in _LONG
    if new in ("hot", "cold"):
        return noun in ("drink", "beverage", "coffee", "tea", "day", "food")
    if new in ("heavy", "light", "hard", "soft", "deep"):
        return noun in ("snow", "rain", "traffic", "water") and new not in ("hard", "soft")
    if new in ("bright", "dark"):
        return noun in (
            "room",
            "kitchen",
            "day",
            "hallway",
            "tunnel",
            "bathroom",
            "bedroom",
            "colour",
            "color",
        )
    if new in ("left", "right", "front", "back", "upper", "lower", "top", "bottom"):
        return old in ("left", "right", "front", "back", "upper", "lower", "top", "bottom")
    return True
