"""Whether two adjectives that change places leave the caption false: a thing cannot be both, or not be such at all.

"A black cat on a white sofa" is false swapped. "A black cat on a small desk" may be true of the same image either way:
the cat may be small and the desk black. "A young man with a blue bike" is false swapped: there are no blue men.
"""

from __future__ import annotations

from functools import cache

from compoclip.language.classes import ADJECTIVE_CLASSES, NOUN_CLASSES, members, near_synonyms
from compoclip.language.lexicon import lemma
from compoclip.language.materials import MATERIALS, could_be, material
from compoclip.language.words import word_set
from compoclip.negatives.candidates import is_animate, visible_field
from compoclip.negatives.meaning import POSTURE
from compoclip.negatives.view import COLOUR_NAMES, View

COLOURS = frozenset(ADJECTIVE_CLASSES["colour"].split())
MANY_COLOURS = word_set("colorful colourful multicolored rainbow")
TINTS = COLOURS | COLOUR_NAMES | MANY_COLOURS
# A thing of wood has none of these colours, or nobody would have said that it is of wood.
_UNLIKE_WOOD = COLOURS - word_set("brown beige golden yellow orange red grey gray")
_SKIN = word_set("white black brown tan golden beige grey gray blond blonde silver")
_HIDES = word_set("blue green pink purple teal turquoise cyan magenta violet lime")
_BUILT_OF = word_set("wooden wood brick stone concrete")
_PERSON, _ANIMAL, _FOOD, _PLANT = 18, 5, 13, 20
_PLACES = word_set(
    """
    field hill hillside mountain mountainside beach shore shoreline coast area land landscape ground slope street road
    path trail park sky day scene yard lawn meadow pasture desert forest island terrain bank countryside place location
    background surface river stream lake ocean sea water wave cliff canyon valley plain plains enclosure zoo city town
    sidewalk driveway runway court tree bush curb patch knoll embankment airport harbor
    """
)
_BIRDS = frozenset(NOUN_CLASSES["bird"].split())
# Said of these things and hardly of others.
_ONLY: tuple[tuple[str, frozenset[str]], ...] = (
    ("cloudy snowy foggy smoggy grassy rocky sandy lush choppy sunny rainy muddy hilly wooded overcast", _PLACES),
    ("wavy curly", word_set("hair mane fur wave line tail coat")),
    ("siamese tabby", word_set("cat kitten")),
    (
        "bald barefoot shirtless pregnant bearded topless",
        word_set("man woman boy girl person hair guy lady"),
    ),
    ("paved gravel cobblestone winding curvy", _PLACES | {"floor", "bridge", "track"}),
    (
        "wireless electric electronic",
        word_set("mouse keyboard device controller phone router toothbrush fan kettle train"),
    ),
)
_BESIDE = word_set("and or , beside near by to next with alongside")
_CONTAINERS = word_set("bowl vase plate cup bucket basket box tray pot platter bottle jar glass")
# Said of what lives, of food, of animals.
_OF_THE_LIVING = word_set("young male female elderly newborn smiling asian teenage")
_OF_FOOD = word_set("delicious tasty ripe juicy edible")


def told_apart(view: View, i: int, x: int, j: int, y: int) -> bool:
    """Adjectives i of noun x and j of noun y: is the caption false for certain once they have changed places?"""
    one, other = view.lower[i], view.lower[j]
    if other in near_synonyms(one):
        return False  # "a messy desk in a cluttered room"
    opposed = contrary(one, other)
    parted = (
        opposed and i < x < j - 1 and view.lower[x] not in TINTS and view.parsed.tags[j - 1] in ("CC", ",")
    )  # "black shirt and blue shorts"
    if not parted and all(view.parsed.tags[k] in ("JJ", "VBN", "NN", "HYPH", ",", "CC") for k in range(i + 1, j)):
        return False  # both of one thing, whatever the parser made of it
    if x < j and view.lower[x + 1] == "of" and not (opposed and view.lower[x] in _CONTAINERS):
        return False  # "a large bunch of green plantains"
    first, second = _stem(view, x), _stem(view, y)
    if not (opposed or never(other, first) or never(one, second)):
        return False
    return view.lower[x] != view.lower[y] or not _side_by_side(view, x, j)


def _side_by_side(view: View, x: int, j: int) -> bool:
    """Does nothing stand between that tells two things of one name apart: "a red square and a blue square"?"""
    rest = [word for word in view.lower[x + 1 : j] if word not in ("a", "an", "the")]
    return all(word in POSTURE or word in _BESIDE for word in rest)


def _stem(view: View, noun: int) -> str:
    return lemma(view.lower[noun], "n") if view.parsed.tags[noun] == "NNS" else view.lower[noun]


def contrary(one: str, other: str) -> bool:
    """Can nothing be both? Two colours, sizes, ages; colourful and of one colour; wooden and white."""
    if other in members("a").get(one, ()):
        return True
    pair = {one, other}
    if pair & MANY_COLOURS:
        return bool(pair & COLOURS)
    return bool(pair & {"wooden", "wood"}) and bool(pair & _UNLIKE_WOOD)


@cache
def never(adjective: str, noun: str) -> bool:
    """Is the adjective never said of such a thing: no young tables, no blue men, no rocky towers?"""
    field = _PERSON if noun in ("person", "people") else visible_field(noun)
    living = field in (_PERSON, _ANIMAL) and is_animate(noun)
    if adjective in _OF_THE_LIVING:
        return not living and field != _PLANT
    if adjective in _OF_FOOD:
        return field not in (_FOOD, _PLANT)
    if adjective in COLOURS and field == _PERSON:
        return living and adjective not in _SKIN
    if adjective in COLOURS:
        return living and adjective in _HIDES and noun not in _BIRDS
    if adjective in MATERIALS:
        return living or field == _FOOD or (adjective in _BUILT_OF and material(adjective) not in could_be(noun))
    return any(adjective in words.split() and noun not in things for words, things in _ONLY)
