"""Which nouns of a caption can give way to another thing, and which things the rest of the caption does not bear."""

from __future__ import annotations

from compoclip.language.classes import members
from compoclip.language.lexicon import lemma
from compoclip.language.nouns import CHECKED, DIRECTED, NOT_REPLACED, NOUN_CLASSES
from compoclip.language.places import GROUND
from compoclip.language.words import word_set, words
from compoclip.negatives.candidates import is_animate
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.phrases import doer_of
from compoclip.negatives.paraphrase import conjuncts
from compoclip.negatives.view import MEASURES, PRONOUN_LIKE, RELATIONAL, CaptionView, Noun

WET = words("kinds", "replaceable.wet")
DRINKING = words("kinds", "replaceable.drinking")
BINDING = words("kinds", "replaceable.binding")
UNCOUNTED = words("kinds", "replaceable.uncounted")
FOR = words("kinds", "replaceable.for")
HALVES = words("kinds", "replaceable.halves")
LIMBS = words("kinds", "replaceable.limbs")
SHAPES = frozenset(NOUN_CLASSES["shape"].split())
GROWN = words("kinds", "replaceable.grown")
HOLDERS = words("kinds", "replaceable.holders")
SORTED = words("kinds", "replaceable.sorted")
SHOWING = words("kinds", "replaceable.showing")
CUT = words("kinds", "replaceable.cut")
RUNNY = word_set("salad pasta")  # no slice of it, nor a stack
HE = words("kinds", "replaceable.he")
SHE = words("kinds", "replaceable.she")
MEN = words("kinds", "replaceable.men")
WOMEN = words("kinds", "replaceable.women")
NOTHING: frozenset[str] = frozenset()
YOUNG = words("kinds", "replaceable.young")
PEOPLE = word_set("person man woman boy girl child")
ANIMALS = frozenset(word for word in (*CHECKED["man"], *DIRECTED["person"].split()))
ANIMAL_VERBS = words("kinds", "replaceable.animal_verbs")
# What is said of the noun -> who cannot be so.
FACIAL_HAIR = words("kinds", "replaceable.facial_hair")
UNFIT: dict[str, frozenset[str]] = {
    **dict.fromkeys(("old", "older", "elderly", "aged", "adult", "grown", "grey", "gray"), YOUNG),
    **dict.fromkeys(("bearded", "bald", "balding"), YOUNG | WOMEN),
    "pregnant": YOUNG | MEN,
}


def gives_way(view: CaptionView, noun: Noun, draw: Draw) -> bool:
    """Is the noun a whole name, not a part of one that the parser cut ("fire hydrant"), and free to give way?

    Words that seldom make a good negative do so where the draw is a loose one.
    """
    if noun.lemma in NOT_REPLACED and not draw.loose:
        draw.held = True
        return False
    tags, lower = view.parsed.tags, view.lower
    after, before = noun.head + 1, noun.start - 1
    if after < len(tags) and (tags[after][:2] == "NN" or tags[after] == "POS" or lower[after] in members("n")):
        return False
    if before >= 0 and tags[before][:2] == "NN":
        return False
    if before >= 0 and lower[before] in HALVES:
        return False
    if any(outer < noun.start for part in range(noun.start, noun.head) for outer in view.children[part]):
        return False  # "a four wheel drive car": what is said of the wheel would stay
    if noun.lemma == "camera" and preposition(view, noun) in FOR:
        return False  # it takes the picture
    if tags[noun.head] == "NNS" and lower[noun.head] == noun.lemma and noun.article >= 0 and not noun.counted:
        return False  # "the sheep": one or several
    if noun.lemma in UNCOUNTED and noun.article < 0 and not noun.counted and tags[noun.head] == "NN":
        return False
    if noun.start < noun.head and (noun.lemma in SHAPES or not NOT_REPLACED.isdisjoint(lower[noun.start : noun.head])):
        return False
    if noun.lemma in WET and not DRINKING.isdisjoint(lower):
        return False
    if noun.lemma in LIMBS and not _just_where(view, noun):
        return False
    if _half_of_two(view, noun) or _named_again(view, noun):
        return False
    if noun.phrase == noun.start:
        return True
    described = lower[noun.phrase : noun.start]
    return BINDING.isdisjoint(described) and (noun.lemma not in GROUND or GROWN.isdisjoint(described))


def _just_where(view: CaptionView, noun: Noun) -> bool:
    """Does the part of a body only say where something is ("in his hand")? Else it is there, whatever others are."""
    bare = noun.phrase == noun.start or (noun.phrase == noun.article and noun.phrase + 1 == noun.start)
    return bare and noun.start == noun.head and preposition(view, noun) in ("in", "on", "over", "to")


def _half_of_two(view: CaptionView, noun: Noun) -> bool:
    """Is it bound to what "of" ties it to: "the intersection of two streets", "the lid of a toilet"?"""
    tags, lower = view.parsed.tags, view.lower
    after, at = noun.head + 1, noun.phrase - 1
    sorts = not SORTED.isdisjoint(lower[after + 1 : after + 2])
    if lower[after : after + 1] == ["of"] and not (sorts or noun.lemma in HOLDERS or is_animate(noun.lemma)):
        return True
    if at < 1 or lower[at] != "of" or tags[at - 1][:2] != "NN":
        return False
    whole = lower[at - 1]
    stem = lemma(whole, "n")
    return not any(word in known for word in (whole, stem) for known in (MEASURES, RELATIONAL, PRONOUN_LIKE, SHOWING))


def _named_again(view: CaptionView, noun: Noun) -> bool:
    """Does the caption compare it with another of its kind ("takes another man's frisbee")?"""
    others = [at for at, word in enumerate(view.lower) if word in ("another", "other")]
    return any(
        lemma(word, "n") == noun.lemma
        for at in others
        if not noun.phrase <= at < noun.head
        for word in view.lower[at + 1 : at + 3]
    )


def preposition(view: CaptionView, noun: Noun) -> str:
    """The preposition before the noun's phrase; for "on top of" the first of its words."""
    at = noun.phrase - 1
    if at >= 2 and view.lower[at - 1 : at + 1] == ["top", "of"]:
        return "on"
    return view.lower[at] if at >= 0 else ""


def unborne(view: CaptionView, noun: Noun, draw: Draw) -> frozenset[str]:
    """Who cannot stand in the noun's place: a girl "with his dog", an "old" boy, a horse that plays a game."""
    found = NOTHING
    if noun.lemma in PEOPLE and not (noun.lemma == "person" and draw.loose) and _does_what_people_do(view, noun):
        found |= ANIMALS
        draw.held = draw.held or noun.lemma == "person"  # who has nobody else to give way to
    if not HE.isdisjoint(view.lower):
        found |= WOMEN
    if not SHE.isdisjoint(view.lower):
        found |= MEN
    if preposition(view, noun) == "of" and view.lower[noun.phrase - 2] in CUT:
        found |= RUNNY
    for word in view.lower[noun.phrase : noun.head]:
        found |= UNFIT.get(word, NOTHING)
    return found if FACIAL_HAIR.isdisjoint(view.lower) else found | YOUNG | WOMEN


def _does_what_people_do(view: CaptionView, noun: Noun) -> bool:
    """Is something said to be done by the noun that no animal does?"""
    verbs = [at for at, tag in enumerate(view.parsed.tags) if tag[0] == "V"]
    doers = [doer_of(view, at) for at in verbs if lemma(view.lower[at], "v") not in ANIMAL_VERBS]
    return any(doer is not None and conjuncts(view, doer, noun.head) for doer in doers)


def really_plural(view: CaptionView, noun: Noun) -> bool:
    """Does the noun mean several? A bare "cat" at the head of a caption is one, "a herd of zebra" are not."""
    if noun.plural and view.lower[noun.article + 1] in ("few", "couple", "dozen"):
        return True  # "a few dogs"
    if noun.article >= 0 or noun.counted or not noun.plural:
        return noun.plural and (noun.article < 0 or view.lower[noun.article] not in ("a", "an"))
    return view.parsed.tags[noun.head] != "NN" or preposition(view, noun) == "of"
