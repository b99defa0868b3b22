"""Which relations exclude each other depends on the thing: one lies under a table, hardly under a beach.

Each sort of thing has, for a relation, those that cannot be true with it and still make sense before such a thing.
"""

from __future__ import annotations

from functools import lru_cache

from compoclip.language.words import frozen, table, words

GROUND = words("things", "places.ground")
WATER = words("things", "places.water")
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
INTERIORS = words("things", "places.interiors")
BUILDINGS = words("things", "places.buildings")
ROOMS = INTERIORS | BUILDINGS
VESSELS = words("things", "places.vessels")
INCLINES = words("things", "places.inclines")
UNPLACED = words("things", "places.unplaced")

EXCLUDED: dict[str, dict[str, tuple[str, ...]]] = frozen(table("relations")["excluded"])
_TRUNKS = ("tree",)
OF_SOMEBODY: dict[str, dict[str, tuple[str, ...]]] = frozen(table("relations")["of_somebody"])
_TOGETHER_KEYS = ("things", "relations", "others")
_TOGETHER = tuple(tuple(" ".join(row[key].split()) for key in _TOGETHER_KEYS) for row in table("relations")["together"])
ANYWHERE: dict[str, tuple[str, ...]] = frozen(table("relations")["anywhere"])
MOVING: dict[str, tuple[str, ...]] = frozen(table("relations")["moving"])


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
    for sort, things in (
        ("ground", GROUND),
        ("water", WATER),
        ("interior", INTERIORS),
        ("building", BUILDINGS),
        ("vessel", VESSELS),
    ):
        if noun in things:
            return sort
    return "creature" if animate else "solid"
