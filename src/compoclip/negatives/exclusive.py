"""Whether two adjectives that change places leave the caption false: a thing cannot be both, or not be such at all.

"A black cat on a white sofa" is false swapped. "A black cat on a small desk" may be true of the same image either way:
the cat may be small and the desk black. "A young man with a blue bike" is false swapped: there are no blue men.
"""

from __future__ import annotations

from functools import cache

from compoclip.language.classes import ADJECTIVE_CLASSES, members, near_synonyms
from compoclip.language.lexicon import lemma, shared_lexicon
from compoclip.language.materials import MATERIALS, could_be, material
from compoclip.language.nouns import NOUN_CLASSES
from compoclip.language.words import word_set, words
from compoclip.negatives.candidates import is_animate, visible_field
from compoclip.negatives.paraphrase import MUTUAL_VERBS, POSTURE
from compoclip.negatives.view import COLOUR_NAMES, CaptionView

COLOURS = frozenset(ADJECTIVE_CLASSES["colour"].split())
MANY_COLOURS = words("captions", "exclusive.many_colours")
TINTS = COLOURS | COLOUR_NAMES | MANY_COLOURS
# A thing of wood has none of these colours, or nobody would have said that it is of wood.
_UNLIKE_WOOD = COLOURS - word_set("brown beige golden yellow orange red grey gray")
_SKIN = words("captions", "exclusive.skin")
_HIDES = words("captions", "exclusive.hides")
_BUILT_OF = words("captions", "exclusive.built_of")
_PERSON, _ANIMAL, _FOOD, _PLANT = 18, 5, 13, 20
_PLACES = words("captions", "exclusive.places")
_BIRDS = frozenset(NOUN_CLASSES["bird"].split())
# Said of these things and hardly of others.
_ONLY: tuple[tuple[str, frozenset[str]], ...] = (
    ("cloudy foggy smoggy grassy rocky lush choppy rainy hilly wooded overcast", _PLACES),
    ("wavy curly", word_set("hair mane fur wave line tail coat")),
    ("siamese tabby", word_set("cat kitten")),
    ("paved gravel cobblestone winding curvy", _PLACES | {"floor", "bridge", "track"}),
    (
        "wireless electric electronic",
        word_set("mouse keyboard device controller phone router toothbrush fan kettle train"),
    ),
)
_HAVING = words("captions", "exclusive.having")
_BESIDE = words("captions", "exclusive.beside")
_CONTAINERS = words("captions", "exclusive.containers")
_OF_THE_LIVING = words("captions", "exclusive.of_the_living")
_OF_HAIR = words("captions", "exclusive.of_hair")
_DRESSED = words("captions", "exclusive.dressed")
_PLACED = words("captions", "exclusive.placed")
_LANDSCAPES = words("captions", "exclusive.landscapes")
_GARMENTS = words("captions", "exclusive.garments")
_OF_FOOD = words("captions", "exclusive.of_food")


def distinguished(view: CaptionView, i: int, x: int, j: int, y: int) -> bool:
    """Adjectives i of noun x and j of noun y: is the caption false for certain once they have changed places?"""
    one, other = view.lower[i], view.lower[j]
    if other in near_synonyms(one):
        return False  # "a messy desk in a cluttered room"
    opposed = exclusive(one, other)
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
    dressed = not _DRESSED.isdisjoint(view.lower[x + 1 : j])
    if _astray(other, first, dressed or _worn(second)) or _astray(one, second, _worn(first)):
        return False
    return view.lower[x] != view.lower[y] or not _side_by_side(view, i, x, j)


def _side_by_side(view: CaptionView, i: int, x: int, j: int) -> bool:
    """Does nothing stand between that tells two things of one name apart: "a red square and a blue square"?"""
    return all(
        view.lower[k] in POSTURE
        or view.lower[k] in _BESIDE
        or view.lower[k] in ("a", "an", "the")
        or view.lower[k] in _HAVING
        or lemma(view.lower[k], "v") in MUTUAL_VERBS
        or view.lower[k] in view.lower[:i]  # "a man in a blue shirt and a man in a red shirt"
        or (view.parsed.tags[k] in ("JJ", "CC") and k + 1 < j)
        or (view.parsed.tags[k] == "NN" and not {"in", "at", "on"}.isdisjoint(view.lower[k - 2 : k]))
        or (view.parsed.tags[k].startswith("V") and view.lower[k + 1] in _BESIDE)  # "is running alongside"
        for k in range(x + 1, j)
    )


def _stem(view: CaptionView, noun: int) -> str:
    return lemma(view.lower[noun], "n") if view.parsed.tags[noun] == "NNS" else view.lower[noun]


def exclusive(one: str, other: str) -> bool:
    """Can nothing be both? Two colours, sizes, ages; colourful and of one colour; wooden and white."""
    if other in members("a").get(one, ()):
        return True
    pair = {one, other}
    if pair & MANY_COLOURS:
        return bool(pair & COLOURS)
    return bool(pair & {"wooden", "wood"}) and bool(pair & _UNLIKE_WOOD)


@cache
def _astray(adjective: str, noun: str, worn: bool) -> bool:
    """Does what was said of another thing make no sense of this one, or may it be said of it as loosely?

    No plaza is young. A man in green may pass for a green man, and white, black and brown are said of people's skin.
    """
    person = noun in ("person", "people") or (visible_field(noun) == _PERSON and is_animate(noun))
    living = person or (visible_field(noun) == _ANIMAL and is_animate(noun))
    if adjective in _OF_THE_LIVING:
        return not living and not (adjective in _OF_HAIR and noun in _OF_HAIR)
    if adjective in _LANDSCAPES:
        return noun not in _PLACES
    if adjective in _PLACED:
        return living
    return person and adjective in TINTS and (adjective in _SKIN or worn)


@cache
def _worn(noun: str) -> bool:
    """Is it a garment?"""
    lexicon = shared_lexicon()
    senses = lexicon.senses(noun, "n")
    return any(not _GARMENTS.isdisjoint(lexicon.words(above)) for s in senses for above in lexicon.ancestors(s.synset))


@cache
def never(adjective: str, noun: str) -> bool:
    """Is the adjective never said of such a thing: no young tables, no blue men, no rocky towers?"""
    field = _PERSON if noun in ("person", "people") else visible_field(noun)
    living = field in (_PERSON, _ANIMAL) and is_animate(noun)
    if adjective in _OF_FOOD:
        return field not in (_FOOD, _PLANT)
    if adjective in COLOURS and field == _PERSON:
        return living and adjective not in _SKIN
    if adjective in COLOURS:
        return living and adjective in _HIDES and noun not in _BIRDS
    if adjective in MATERIALS:
        return living or field == _FOOD or (adjective in _BUILT_OF and material(adjective) not in could_be(noun))
    return any(adjective in words.split() and noun not in things for words, things in _ONLY)
