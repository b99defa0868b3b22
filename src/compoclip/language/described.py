"""Which adjectives can be said of which things: no old babies, no closed fields, no tall skirts."""

from __future__ import annotations

from compoclip.language.classes import ADJECTIVE_CLASSES, BOTH_WAYS, MASS
from compoclip.language.materials import MATERIALS, could_be
from compoclip.language.nouns import NOUN_CLASSES
from compoclip.language.words import word_set

CHILDREN = word_set(
    """
    boy girl child kid baby toddler lamb calf kitten puppy cub infant teenager foal colt pony giraffe adult player
    schoolboy schoolgirl schoolchild preschooler youngster youth teen chick duckling gosling piglet fawn joey
    """
)
_PERSONS = word_set("man woman boy girl person people child kid guy lady player couple")
_GIRLS_AND_BOYS = word_set("boy girl child kid baby toddler infant youngster schoolboy schoolgirl")
_OPENED = word_set(
    """
    door window umbrella laptop box refrigerator fridge book mouth cabinet suitcase drawer gate oven toilet lid case
    store shop trunk computer notebook freezer microwave container bag eye doors luggage shutter curtain
    """
)
_HOLLOW = word_set(
    """
    plate glass bowl bottle cup mug parking train bus bench jar stadium table pool refrigerator fridge restaurant
    bar box case shelf suitcase basket lot tray pot pan bin vase bag parking
    """
)
_SOAKED = word_set("grass sand road street ground dog hair floor field pavement sidewalk landscape dirt towel surface")
_SKIES = word_set("day sky evening morning afternoon night weather skies")
_WEATHER = word_set("sunny cloudy rainy snowy clear")
_WEATHERS = ({"sunny", "rainy"}, {"sunny", "cloudy"}, {"rainy", "snowy"})
_PALE = word_set("white gray grey silver")
_EARTHEN = word_set("dirt clay court brick building wall wood floor rock ground")
_PATTERNS = word_set("striped plaid spotted checkered solid")
_AGES = word_set("old young new")
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
_FUR = word_set("yellow brown golden tan beige")  # of one dog
_SIZES = frozenset(ADJECTIVE_CLASSES["size"].split())
_FRUIT = word_set("slice peel wedge segment rind zest tree grove section half")  # of an orange, not orange
_HAIRY = word_set("hair fur tail beard mane wig")
_NO_PLACE = word_set("area residence moment time day evening night morning afternoon life")  # "a quiet moment"
_EDIBLE = frozenset(" ".join(NOUN_CLASSES[name] for name in ("fruit", "vegetable", "meal")).split()) | word_set(
    "food fruit vegetable meat fish bread produce berry chicken"
)
_CROWDED = word_set("busy quiet crowded deserted")
_PEOPLED = word_set(
    """
    street road room sidewalk beach kitchen platform building airport city station market restaurant bar stadium park
    hallway plaza square bus train store intersection highway cafe
    """
)
_TALL = word_set(
    """
    building tower man woman tree giraffe clock pole grass mountain plant statue fence glass sign lamp post vase person
    sculpture stand boy girl sandwich wall church hill bird child tv bear animal structure cake house bush hedge
    """
)
_LONG = word_set(
    """
    train bus table bench hair neck tail line skirt sleeve road street dress knife spoon bridge bed counter desk
    rope pole leg ear row boat truck car beard nose tongue hallway stick grass horn dish branch coat couch hall
    """
)


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
    if new in ("fresh", "frozen", "rotten"):
        return noun in _EDIBLE
    if (new == "thick" and animate) or (new == "bald" and not animate):
        return False
    if new in ("curly", "straight"):
        return noun in _HAIRY
    if noun == "leaf" and {new, old} <= {"brown", "yellow", "orange", "red", "golden"}:
        return False
    if any(new in both and old in both for both in _ALIKE) or (animate and {new, old} <= _FUR):
        return False
    if noun in MASS - BOTH_WAYS and (new in _SIZES or old in _SIZES):
        return False  # "really small hair"
    if noun == "elephant" and old in ("gray", "grey", "brown") and new in ("gray", "grey", "brown", "black"):
        return False  # dust and mud
    if noun in ("shot", "view") and new in ("big", "small", "little", "tiny", "large", "huge", "giant"):
        return False
    if (noun in _PERSONS and old in ("black", "white")) or (noun == "light" and new == "black"):
        return False  # what a black light shows is blue
    if (old == "orange" and noun in _FRUIT) or (noun == "water" and {old, new} & {"clean", "dirty", "messy"}):
        return False
    if noun in _GIRLS_AND_BOYS and new == "large":
        return False  # a little girl is young, and may be large for her age
    if old in MATERIALS:
        return new in could_be(noun)
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
    if noun in ("sky", "skies", "cloud") and new in _PALE:
        return False  # a cloudy blue sky has white in it
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
