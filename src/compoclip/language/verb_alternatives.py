"""What one could do instead: verbs that exclude each other, by what they are done to. The lists are ours."""

from __future__ import annotations

from functools import cache

from compoclip.language.words import table, word_set, words

FOODS = words("things", "verb_alternatives.foods")
BALLS = words("things", "verb_alternatives.balls")
RIDDEN = words("things", "verb_alternatives.ridden")
BEASTS = words("things", "verb_alternatives.beasts")
WORN = words("things", "verb_alternatives.worn")
GAMES = words("things", "verb_alternatives.games")
PAPERS = words("things", "verb_alternatives.papers")
PICTURES = words("things", "verb_alternatives.pictures")
DRINKS = words("things", "verb_alternatives.drinks")
WATERWAYS = word_set("wave")
BODY = words("things", "verb_alternatives.body")
LIFELESS = words("things", "verb_alternatives.lifeless")
_ALIKE = frozenset({("run", "walk"), ("swim", "walk")})  # in an animal
HUMAN = words("things", "verb_alternatives.human")
PERCHED = words("things", "verb_alternatives.perched")

TRICKS = word_set("trick stunt")
OBJECT_SETS = {
    "food": FOODS,
    "ball": BALLS,
    "ridden": RIDDEN,
    "beast": BEASTS,
    "worn": WORN,
    "games": GAMES,
    "videogame": frozenset({"videogame"}),
    "papers": PAPERS,
    "pictures": PICTURES,
    "drinks": DRINKS,
    "wave": WATERWAYS,
    "tricks": TRICKS,
}


@cache
def verb_alternatives() -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """verb lemma -> (sort of object, other verbs), the narrower sorts first."""
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for line in table("verb_alternatives")["verb_alternatives"]:
        verb, sort, *others = line.split()
        found.setdefault(verb, []).append((sort, tuple(sorted(others))))
    return {verb: tuple(rows) for verb, rows in found.items()}


def other_verbs(verb: str, thing: str | None, animate: bool, doer: str = "person") -> tuple[str, ...]:
    """Deeds that cannot be true with this one, done to the same `thing` (a noun lemma; None for nothing), sorted.

    `animate` says whether the thing lives; `doer` is "person", "animal" or "bird".
    """
    others = next((others for sort, others in verb_alternatives().get(verb, ()) if _of_sort(sort, thing, animate)), ())
    if doer != "person":  # whether a dog walks or runs is hard to see
        others = tuple(other for other in others if other not in HUMAN and (verb, other) not in _ALIKE)
    if doer == "bird":
        others = tuple(other for other in others if other not in PERCHED)
    return others


def _of_sort(sort: str, thing: str | None, animate: bool) -> bool:
    if thing is None or sort == "-":
        return thing is None and sort == "-"
    if sort == "creature":
        return animate
    if sort == "thing":
        return not animate and thing not in BODY
    return thing in OBJECT_SETS[sort]
