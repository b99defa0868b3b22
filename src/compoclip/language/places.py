"""Which relations exclude each other depends on the thing: one lies under a table, hardly under a beach.

Each sort of thing has, for a relation, those that cannot be true with it and still make sense before such a thing.
"""

from __future__ import annotations

from functools import lru_cache

from compoclip.language.words import word_set

GROUND = word_set(
    """
    street road sidewalk highway field grass beach sand snow floor ground court runway slope hill hillside dirt track
    trail path mountain pavement tarmac driveway alley shore land lawn yard pasture meadow forest jungle desert farm
    city town park lot corner intersection crosswalk footpath gravel mud countryside area base mound garden curb
    walkway harbor coast station airport zoo savanna prairie bank pier dock plain wild rain fog rail railroad terrain
    stage carpet rug surface plane tile enclosure pen market valley dark shade sunset side top edge
    landscape freeway ice patio roadway bridge overpass
    """
)
WATER = word_set("water ocean lake river pool pond sea creek stream waterway")
_GROUND_ENDS = (
    "shore",
    "shoreline",
    "sideline",
    "yard",
    "track",
    "ground",
    "field",
    "walk",
    "hillside",
)  # "seashore", "playground"
INTERIORS = word_set("kitchen bathroom bedroom office hallway room restroom classroom apartment")
BUILDINGS = word_set(
    """
    store restaurant building house church barn castle garage museum library hotel tent shop home hospital stadium
    gallery shed hut cabin mosque temple cathedral factory palace mansion cottage
    """
)
ROOMS = INTERIORS | BUILDINGS
VESSELS = word_set(
    """
    bowl cup glass mug jar pot pan box basket suitcase bag backpack purse vase drawer crate cage cart bucket container
    car truck van bus boat train trunk basin bathtub refrigerator oven fridge cabinet tub bin case luggage
    """
)
INCLINES = word_set("hill slope mountain hillside ramp stair step escalator ladder mountainside")
# "on the phone", "in a game", "on the wall": the relation is part of a turn of phrase, or none excludes it.
UNPLACED = word_set(
    """
    horizon flat skyline cityscape scape hole
    door night concrete tip catwalk lighting beech bay mural marina parasail channel
    sky air phone cellphone telephone television tv internet computer laptop game wall screen leash string line wire
    photographer heel ceiling
    picture photo photograph image scene display bike_rack window mirror team page wave show camera way job
    trip tour web fire body middle distance background foreground front back end row group pile bunch half variety
    number style wheel uniform color light sun weather sunlight sunshine day night time event race match parade
    competition ski snowboard surfboard skateboard board sauce skate cover paper course foot hair face art skies
    snowboards costume pool_table slice piece pair meal dinner lunch breakfast view space place spot motion flight
    action
    """
)

# sort of thing -> relation -> relations that exclude it there
EXCLUDED: dict[str, dict[str, tuple[str, ...]]] = {
    "solid": {
        "on": ("under", "beneath", "underneath", "below", "behind", "beside", "next to", "in front of"),
        "on top of": ("under", "behind", "next to", "in front of", "beside"),
        "atop": ("under", "behind", "beside", "next to"),
        "under": ("on", "above", "on top of"),
        "beneath": ("on", "above", "on top of"),
        "underneath": ("on", "above", "on top of"),
        "above": ("under", "below"),
        "over": ("under", "below", "beneath"),
        "below": ("above", "on"),
        "behind": ("in front of", "on", "on top of"),
        "in front of": ("behind", "on", "on top of"),
        "next to": ("on top of", "on", "under"),
        "beside": ("on", "under", "on top of"),
    },
    "creature": {
        "on": ("under", "behind", "beside", "next to", "in front of"),
        "on top of": ("under", "behind", "next to", "in front of"),
        "behind": ("in front of",),
        "in front of": ("behind",),
        "next to": ("far from",),
    },
    "vessel": {
        "in": ("under", "beneath", "behind", "beside", "next to", "in front of", "outside"),
        "inside": ("under", "behind", "beside", "outside"),
        "outside": ("inside", "in"),
        "on": ("under", "beneath", "behind", "beside", "next to"),
        "on top of": ("under", "behind", "next to", "inside"),
        "behind": ("in front of", "on", "inside"),
        "in front of": ("behind",),
        "next to": ("on top of", "in", "inside", "under"),
        "beside": ("on", "in", "inside", "on top of"),
        "under": ("on", "on top of", "inside"),
        "above": ("under", "below"),
        "over": ("under",),
    },
    "interior": {
        "in": ("outside",),
        "inside": ("outside",),
        "outside": ("inside", "in"),
        "next to": ("inside", "in"),
    },
    "building": {
        "in": ("outside", "behind", "in front of", "next to"),
        "inside": ("outside", "behind", "in front of", "next to"),
        "outside": ("inside", "in"),
        "behind": ("in front of", "inside", "in", "on top of"),
        "in front of": ("behind", "inside", "in", "on top of"),
        "next to": ("inside", "in", "on top of"),
        "beside": ("inside", "in"),
        "above": ("below", "inside"),
        "on top of": ("inside", "in front of", "next to"),
    },
    "water": {
        "next to": ("in",),
        "beside": ("in",),
        "over": ("under",),
        "above": ("under",),
        "under": ("above",),
        "in front of": ("in",),
    },
    "ground": {
        "behind": ("in front of",),
        "in front of": ("behind",),
        "next to": ("far from",),
        "outside": ("in", "inside"),
        "inside": ("outside",),
    },
}
_TRUNKS = ("tree",)
SHELTERS = (
    "umbrella parasol canopy awning overhang arbor arch archway roof shelter sunshade pergola ledge cliff shower"
    " spotlight light lamp net chandelier"
)
# Where somebody is in the picture: who stands under a thing does not hang above it, who jumps over one is not below.
OF_SOMEBODY: dict[str, dict[str, tuple[str, ...]]] = {
    "solid": {
        "on": ("under", "beneath", "underneath", "behind", "beside", "next to", "in front of"),
        "under": ("on", "on top of", "beside", "next to", "behind"),
        "beneath": ("on", "on top of", "beside", "next to", "behind"),
        "underneath": ("on", "on top of", "beside", "next to", "behind"),
        "below": ("on", "on top of"),
        "over": ("under", "beneath"),
    },
    "water": {"over": (), "above": ()},
    "building": {"behind": ("inside", "in", "on top of")},  # where its front is depends on who looks
}
# What a thing does not exclude: (things, relations, others that may hold with these relations there).
_TOGETHER = (
    # a sign that hangs on a pole is in front of it and beside it; so is a bird on a branch
    ("pole post tower lamppost stick", "on,on top of,atop", "in front of,next to,beside"),
    ("branch tree", "on,on top of,atop", "in front of"),
    ("tree branch plant bush shrub", "next to,beside", "under"),
    ("plant", "next to,beside,in front of,behind", "on,on top of"),
    ("pole post tower lamppost stick", "under,beneath,underneath", "next to,beside"),
    ("rock boulder stone log hydrant", "next to,beside", "under"),
    ("tree bush shrub", "behind,in front of,next to,beside,under,beneath,underneath", "on"),
    # a crown is overhead, a trunk beside; nobody gets upon what shelters him
    ("tree", "under,beneath,underneath", "beside,next to,on top of,on"),
    (SHELTERS, "under,beneath,underneath", "on top of,on"),
    # who hangs on a thing is under it
    ("swing vine rope trapeze hammock", "on", "under,beneath,underneath,below"),
    # who looks at something behind a fence stands in front of it
    ("fence gate railing rail barrier net bar", "behind", "in front of"),
    # the tables outside a restaurant are the restaurant's
    ("restaurant", "in front of,outside", "in,inside"),
    # behind bars
    ("cage", "in,inside", "behind"),
)
# Whatever the thing is.
ANYWHERE: dict[str, tuple[str, ...]] = {
    "to the left of": ("to the right of",),
    "to the right of": ("to the left of",),
    "on the left of": ("on the right of",),
    "on the right of": ("on the left of",),
    "on the left side of": ("on the right side of",),
    "on the right side of": ("on the left side of",),
    "left of": ("right of",),
    "right of": ("left of",),
    "at the top of": ("at the bottom of",),
    "at the bottom of": ("at the top of",),
    "close to": ("far from",),
    "far from": ("close to",),
    "away from": ("toward",),
    "inside of": ("outside of",),
    "outside of": ("inside of",),
    "toward": ("away from",),
    "towards": ("away from",),
}
# Only after a verb of going or looking.
MOVING: dict[str, tuple[str, ...]] = {"into": ("out of",), "out of": ("into",), "onto": ("off of",)}


def opposite_ways(relation: str, noun: str) -> tuple[str, ...]:
    """Up and down exclude each other on an incline; a street runs both ways."""
    ways = {"up": ("down",), "down": ("up",)}
    return ways.get(relation, ()) if noun in INCLINES else ()


@lru_cache(maxsize=20_000)
def excluded(relation: str, noun: str, animate: bool, somebody: bool = False) -> tuple[str, ...]:
    """The relations to a thing (a noun lemma) that cannot hold together with this one and still make sense.

    `somebody` says that the caption tells of a person or an animal, whom less is likely of than of a thing.
    """
    sort = sort_of_thing(noun, animate)
    others = EXCLUDED.get(sort, {}).get(relation, ())
    if somebody:
        others = OF_SOMEBODY.get(sort, {}).get(relation, others)
        if relation in ("under", "beneath", "underneath") and noun not in _TRUNKS:
            others = tuple(other for other in others if other != "behind")
    for nouns, relations, together in _TOGETHER:
        if noun in nouns.split() and relation in relations.split(","):
            others = tuple(other for other in others if other not in together.split(","))
    return others


def sort_of_thing(noun: str, animate: bool) -> str:
    """The row of `EXCLUDED` for a noun lemma that names something one can see; "" for what has no row."""
    if noun in UNPLACED:
        return ""
    if noun not in ROOMS and noun.endswith(_GROUND_ENDS):
        return "ground"
    for sort, words in (
        ("ground", GROUND),
        ("water", WATER),
        ("interior", INTERIORS),
        ("building", BUILDINGS),
        ("vessel", VESSELS),
    ):
        if noun in words:
            return sort
    return "creature" if animate else "solid"
