"""Which swaps leave the meaning as it was: plain conjuncts, and relations that hold both ways."""

from __future__ import annotations

from compoclip.language.classes import ADJECTIVE_CLASSES, near_synonyms
from compoclip.language.words import words
from compoclip.negatives.candidates import is_animate, visible_field
from compoclip.negatives.view import CaptionView, Noun

BOTH_WAYS = words("captions", "paraphrase.both_ways")
BESIDE = words("captions", "paraphrase.beside")
PLACES = words("captions", "paraphrase.places")
WATERS = words("captions", "paraphrase.waters")
WAYS = words("captions", "paraphrase.ways")
ALONG = words("captions", "paraphrase.along")
SUPPORTS = words("captions", "paraphrase.supports")
ROOMS = words("captions", "paraphrase.rooms")
HAVING = words("captions", "paraphrase.having")
WORN = words("captions", "paraphrase.worn")
NAMING = words("captions", "paraphrase.naming")
SHOWN = words("captions", "paraphrase.shown")
VIVID = words("captions", "paraphrase.vivid")
GENERIC = words("captions", "paraphrase.generic")
TOUCHING = words("captions", "paraphrase.touching")
WAVES = words("captions", "paraphrase.waves")
BOARDS = words("captions", "paraphrase.boards")
STANDING = (BESIDE | PLACES) - {"with", "to", "of"}
EXCLUSIVE = frozenset(" ".join(ADJECTIVE_CLASSES[name] for name in ("colour", "material", "pattern")).split())
COMPANIONS = words("captions", "paraphrase.companions")
ANIMALS, PEOPLE = 5, 18  # WordNet's lexicographer files
_APART = words("captions", "paraphrase.apart")
MUTUAL_VERBS = words("captions", "paraphrase.mutual_verbs")
POSTURE = words("captions", "paraphrase.posture")


def conjuncts(view: CaptionView, a: int, b: int) -> bool:
    """Do tokens a and b stand in one coordination ("a, b and c")?"""
    return _chain(view, a) == _chain(view, b)


def _chain(view: CaptionView, position: int) -> int:
    parsed = view.parsed
    while parsed.deps[position] == "conj" and parsed.heads[position] != position:
        position = parsed.heads[position]
    return position


def same_meaning_nouns(view: CaptionView, a: Noun, b: Noun) -> bool:
    """Would swapping the nouns say the same? "keyboard and monitor", "a dog next to a cat"."""
    if same_things(a, b) and {a.lemma, b.lemma} & GENERIC:
        return True  # "a man" is "a person" too, be there two of the others
    return same_meaning_phrases(view, a, b) and not _distinguished(view, a, b)


def same_things(a: Noun, b: Noun) -> bool:
    """Can one thing be called either? "A man" is "a person" too."""
    return b.lemma in near_synonyms(a.lemma)


def same_meaning_phrases(view: CaptionView, a: Noun, b: Noun) -> bool:
    """Would swapping the nouns with everything that stands before them say the same?"""
    if conjuncts(view, a.head, b.head) or same_things(a, b) or _of_another(view, a, b) or _mates(view, a, b):
        return True
    if (a.mass and view.lower[a.head] in view.lower[b.start : b.head + 1]) or (
        b.mass and view.lower[b.head] in view.lower[a.start : a.head]
    ):
        return True  # "a luggage rack" and "luggage"
    if (a.lemma in WAVES and b.lemma in BOARDS) or (a.lemma in BOARDS and b.lemma in WAVES):
        return True  # "riding a wave on a board" or a board on a wave
    rest = _between(view, a, b)
    if all(word in BOTH_WAYS for word in rest):
        return True  # one list, whatever the parser made of it, or one beside the other
    if any(word in BESIDE for word in rest) and all(word in BOTH_WAYS or word in PLACES for word in rest):
        return True  # "a muffin on a plate with a fork"
    if rest == ["of"]:
        return True  # "the door of a kitchen"
    if _places_alike(view, a, b, rest):
        return True
    if "along" in rest and "side" in view.lower[a.head + 1 : b.phrase]:
        return True  # "along side of"
    if NAMING.intersection(rest):
        return True  # "a plate of food including bread"
    if (
        a.lemma in ROOMS | WAYS
        and view.lower[b.phrase - 1] in ("on", "in", "of")
        and _things(view, a.head + 1, b.phrase)
        and not HAVING.isdisjoint(view.lower[a.head + 1 : b.phrase])
    ):
        return True  # "a kitchen with fruit on its table"
    if a.lemma in SUPPORTS and b.lemma in SUPPORTS and _things(view, a.head + 1, b.phrase):
        return True  # "a plate holding a pizza on a table"
    if set(rest) <= TOUCHING:
        return True  # "its nose pressed to the ground"
    return len(rest) == 1 and rest[0].rstrip("es") in MUTUAL_VERBS


def _places_alike(view: CaptionView, a: Noun, b: Noun, rest: list[str]) -> bool:
    """Do both nouns say where something is, or what it wears, so that each may stand first? rest: what is between."""
    before = view.lower[a.phrase - 1]
    around = {before, *rest}
    if before in PLACES and (rest == [before] or rest == ["and", before]):
        return True  # "in a train in a train station", "on the wall and on the floor"
    if around <= {"on", "of"} or (around <= {"on", "in", "over", "at", "of"} and {a.lemma, b.lemma} & WATERS):
        return True  # "on a bench on top of a pier", "on a boat in the water"
    if around <= ALONG | BESIDE and a.lemma in WAYS and b.lemma in WAYS:
        return True  # "down a path in tall grass"
    if around <= WORN and not {"wearing", "wears", "wear"}.isdisjoint(rest):
        return True  # "in a shirt wearing a tie", "with a coat wears a wig", "wearing a hat and also wearing a tie"
    at_last = before in ("at", "in", "on") and rest[-1:] == ["at"]
    return at_last and "DT" not in view.parsed.tags[a.head + 1 : b.phrase]  # "eating in a restaurant at a table"


def _of_another(view: CaptionView, a: Noun, b: Noun) -> bool:
    """Has one of two the one and another the other: "one is holding a camera and another a toy"?"""
    if view.parsed.deps[a.head] not in ("dobj", "pobj"):
        return False
    rest = view.lower[a.head + 1 : b.phrase]
    return any(
        word in ("another", "other", "others") and "each" not in rest[max(at - 1, 0) : at]
        for at, word in enumerate(rest)
    )


def _mates(view: CaptionView, a: Noun, b: Noun) -> bool:
    """Is one the other's friend, or do both do what is said: "his friend helps him", "a child swims with a woman"?"""
    one, other = (PEOPLE if noun.lemma == "person" else visible_field(noun.lemma) for noun in (a, b))
    if one == other == PEOPLE:
        owned = any(noun.article >= 0 and view.parsed.tags[noun.article] == "PRP$" for noun in (a, b))
        if owned or {a.lemma, b.lemma} & COMPANIONS:
            return True
    if one not in (ANIMALS, PEOPLE) or other not in (ANIMALS, PEOPLE) or view.lower[b.phrase - 1] != "with":
        return False
    between = range(a.head + 1, b.phrase - 1)
    if any(view.lower[i] in _APART or is_animate(view.lower[i]) for i in between):
        return False  # "a man watches a woman with a horse"
    return any(view.parsed.tags[i].startswith("V") for i in between)


def _things(view: CaptionView, start: int, end: int) -> bool:
    return any(tag in ("NN", "NNS") for tag in view.parsed.tags[start:end])


def _between(view: CaptionView, a: Noun, b: Noun) -> list[str]:
    """The words between two nouns' phrases that neither name or describe other things nor say how things stand."""
    tags, lower = view.parsed.tags, view.lower
    kept = []
    for i in range(a.head + 1, b.phrase):
        going = tags[i] in ("VBG", "VBZ", "VBP") and lower[i + 1] in STANDING  # "racing next to", "driving on"
        sliced = i == b.phrase - 1 and tags[i] in ("VBD", "VBN") and lower[i - 1] in ("and", ",")
        topped = i > a.head + 2 and tags[i] == "VBN" and tags[i - 1] in ("NN", "NNS")  # "on a table topped with"
        named = tags[i] in ("NN", "NNS", "NNP", "DT", "CD", "JJ", "PRP$") and lower[i] not in BOTH_WAYS
        if not (going or sliced or topped or named or lower[i] in POSTURE or lower[i] in SHOWN):
            kept.append(lower[i])
    return kept


def _distinguished(view: CaptionView, a: Noun, b: Noun) -> bool:
    """Does each noun have its own number or colour, so that the swap changes who has which?

    Sizes and the like do not distinguish: "a large airplane and a truck" may well show a large truck. Nor does what is
    said of one alone, if it is common: where "a white toilet and a bath" are, the bath may be white.
    """
    if "other" in view.lower[a.head + 1 : b.head]:
        return False  # "broccoli and other vegetables"
    if b.phrase == b.start and conjuncts(view, a.head, b.head):
        return bool(_numeral(view, a)) and not b.plural  # "in hot pink gloves, skirt and heels" is all in pink
    one, other = _numeral(view, a), _numeral(view, b)
    if one != other and (one or not a.plural) and (other or not b.plural):
        return True  # but "two signs with arrows" may be two arrows with signs
    first, second = ({view.lower[i] for i in noun.adjectives} & EXCLUSIVE for noun in (a, b))
    return first != second and bool((first and second) or (first ^ second) & VIVID)


def _numeral(view: CaptionView, noun: Noun) -> set[str]:
    return {view.lower[c] for c in view.children[noun.head] if c < noun.head and view.parsed.deps[c] == "nummod"}
