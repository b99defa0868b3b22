"""Relations give way to their opposites: left of and right of, above and below, in front of and behind."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.lexicon import shared_lexicon
from compoclip.language.words import word_set
from compoclip.negatives.candidates import VISIBLE
from compoclip.negatives.draw import Draw
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

# Said of any two things. Longest first where one begins another.
ALWAYS: dict[str, tuple[str, ...]] = {
    "to the left of": ("to the right of",),
    "to the right of": ("to the left of",),
    "on the left of": ("on the right of",),
    "on the right of": ("on the left of",),
    "on the left side of": ("on the right side of",),
    "on the right side of": ("on the left side of",),
    "left of": ("right of",),
    "right of": ("left of",),
    "in front of": ("behind",),
    "on top of": ("underneath", "under"),
    "on the top of": ("under the bottom of",),
    "at the top of": ("at the bottom of",),
    "at the bottom of": ("at the top of",),
    "out of": ("into",),
    "next to": ("on top of", "under", "far from"),
    "close to": ("far from",),
    "far from": ("close to",),
    "away from": ("toward", "into"),
    "inside of": ("outside of",),
    "outside of": ("inside of",),
    "above": ("below", "under"),
    "below": ("above",),
    "behind": ("in front of",),
    "beneath": ("above", "on top of"),
    "under": ("on top of", "above"),
    "underneath": ("on top of", "above"),
    "over": ("under", "below"),
    "inside": ("outside",),
    "outside": ("inside",),
    "into": ("out of",),
    "onto": ("off",),
    "toward": ("away from",),
    "towards": ("away from",),
    "beside": ("on top of", "under", "far from"),
    "near": ("far from", "on top of", "under"),
    "without": ("with",),
}
# Said of place only before a thing that can be seen.
BEFORE_THINGS: dict[str, tuple[str, ...]] = {
    "on": ("under", "beside", "below"),
    "in": ("outside", "behind", "in front of"),
    "with": ("without",),
    "through": ("around",),
    "up": ("down",),
    "down": ("up",),
    "against": ("away from",),
    "atop": ("underneath",),
}
UNPLACED = word_set(
    """
    sky air phone cellphone telephone television internet computer game
    """
)
LONGEST = 5
_STARTS = frozenset(relation.split()[0] for relation in (*ALWAYS, *BEFORE_THINGS))
_BODY, _CLOTHES = (
    8,
    word_set(
        """
    shirt dress hat jacket coat suit uniform pants jeans shorts clothes outfit helmet gear
    """
    ),
)


def propose(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    found: list[tuple[int, int, tuple[str, ...]]] = []
    lower = view.lower
    at = 0
    while at < len(lower):
        if lower[at] in _STARTS:
            match = _match(view, at)
            if match:
                found.append(match)
                at = match[1]
                continue
        at += 1
    for start, end, opposites in draw.shuffled(found):
        for new in draw.shuffled([new for new in opposites if _sayable(new, vocabulary)]):
            yield view.rewrite([(start, end, new)]), (view.edit(start, end, new),)


def _sayable(relation: str, vocabulary: Vocabulary) -> bool:
    return all(vocabulary.word(word) for word in relation.split())


def _match(view: View, at: int) -> tuple[int, int, tuple[str, ...]] | None:
    parsed, lower = view.parsed, view.lower
    for length in range(LONGEST, 1, -1):
        relation = " ".join(lower[at : at + length])
        if (
            relation in ALWAYS
            and at + length < len(lower)
            and lower[at + length] not in ("each", "one")
            and not (at and lower[at - 1] in ("made", "not"))
        ):
            return at, at + length, ALWAYS[relation]
    word = lower[at]
    if word == "with" and at and parsed.tags[at - 1] in ("VBN", "VBD"):
        return None  # "filled with", "topped with"
    if parsed.tags[at] not in ("IN", "RP", "RB", "TO") or parsed.deps[at] not in ("prep", "advmod", "ROOT", "pcomp"):
        return None
    objects = [child for child in view.children[at] if parsed.deps[child] == "pobj"]
    if not objects or objects[0] < at or (lower[objects[0]] in UNPLACED and word in ("into", "on", "in", "through")):
        return None
    if word in ALWAYS:
        return at, at + 1, ALWAYS[word]
    if word in BEFORE_THINGS and _is_thing(view, objects[0], word):
        return at, at + 1, BEFORE_THINGS[word]
    return None


def is_placed_before_thing(view: View, at: int) -> bool:
    """Is the token at `at` a preposition with an object after it that can be seen?"""
    if view.parsed.tags[at] not in ("IN", "RP", "RB", "TO") or view.parsed.deps[at] not in ("prep", "ROOT", "pcomp"):
        return False
    if at and view.lower[at] == "with" and view.parsed.tags[at - 1] in ("VBN", "VBD"):
        return False
    objects = [child for child in view.children[at] if view.parsed.deps[child] == "pobj" and child > at]
    return bool(objects) and _is_thing(view, objects[0], view.lower[at])


def _is_thing(view: View, position: int, relation: str) -> bool:
    noun = next((noun for noun in view.nouns if noun.head == position), None)
    if noun is None:
        return False
    files = [shared_lexicon().lexfile(sense.synset) for sense in shared_lexicon().senses(noun.lemma, "n")[:2]]
    if noun.lemma in UNPLACED or not any(file in VISIBLE for file in files):
        return False
    if relation == "in":
        return files[0] != _BODY and noun.lemma not in _CLOTHES and noun.article >= 0
    return True
