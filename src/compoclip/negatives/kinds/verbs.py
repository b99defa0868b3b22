"""Replacements of verbs and adverbs (CLoVe, Castro et al. 2024; FSC-CLIP, Oh et al. 2024, 4.1)."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.deeds import other_deeds
from compoclip.language.inflect import inflect
from compoclip.language.lexicon import lemma
from compoclip.language.nouns import NOUN_CLASSES
from compoclip.language.places import INCLINES
from compoclip.language.words import word_set
from compoclip.negatives.candidates import adverb_candidates, is_animate, verb_table, visible_field
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.phrases import doer_of
from compoclip.negatives.kinds.replace import drawn
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

MOVES = word_set(
    """
    walk run go come ride ski drive climb travel move look jump fly slide roll head point skate
    """
)
_TAGS = frozenset({"VBG", "VBZ", "VBP", "VBD", "VB"})
# Groups whose members do what the caption says; and what only looks like a doer.
_GROUPS = word_set(
    """
    group herd flock bunch pair couple crowd team family row line lot number variety pack class trio lots
    """
)
_LIFELESS = word_set("toy stuffed teddy statue plastic carved wooden fake inflatable painted ceramic plush cartoon hot")
_BIRDS = frozenset(NOUN_CLASSES["bird"].split()) | {"bird", "hawk", "gull", "sparrow", "vulture", "crow", "peacock"}
# Words after a verb without an object that make one turn of phrase with it, or fit no other deed.
_LOOSE = word_set("out off over away air phone cell around up onto into together apart at after")
_ALONG = word_set("towards toward past through into down up along across from over")
_IN_HAND = word_set("hand hands mouth arm arms palm lap finger fingers over up")
_BOUND = {verb: _LOOSE | {"for", "on"} for verb in ("wait", "pose", "talk", "smile", "watch", "work", "play")}
ALONE = word_set("together apart")
_JOINING = word_set("close very taking putting")


def replace_verbs(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A deed gives way to another that the same doer could do to the same thing."""
    parsed = view.parsed
    found = [
        i
        for i, tag in enumerate(parsed.tags)
        if tag in _TAGS and parsed.deps[i] not in ("aux", "auxpass", "amod", "compound", "pobj") and not view.glued(i)
    ]
    said = {lemma(word, "v") for word in view.lower}
    for i in draw.shuffled(found):
        things = [c for c in view.children[i] if parsed.deps[c] in ("dobj", "ccomp", "xcomp", "prt", "nsubjpass")]
        doer = _doer(view, doer_of(view, i))
        if not doer or any(parsed.deps[c] != "dobj" for c in things):
            continue
        thing = lemma(view.lower[things[0]], "n") if things else None
        verb = lemma(view.lower[i], "v")
        if thing is None and _BOUND.get(verb, _LOOSE) & set(view.lower[i + 1 : i + 2]):
            continue
        if thing is None and "air" in view.lower[i + 1 : i + 5]:
            continue
        after = set(view.lower[things[0] + 1 :] if things else ())
        if things and (after & _IN_HAND or any(parsed.tags[c] == "VB" and c > things[0] for c in _below(view, i))):
            continue  # "in his hand", "watching a man play"
        if things and view.collocated(things[0] - 1, str(thing)):
            thing = f"{view.lower[things[0] - 1]}{thing}"  # a hotdog is no dog
        others = other_deeds(verb, thing, thing is not None and is_animate(thing), doer)
        if not things and _ALONG & set(view.lower[i + 1 : i + 2]):
            others = tuple(other for other in others if other in MOVES or other == "crawl")
        table = verb_table(others, vocabulary)
        # A common deed gives way only as often as captions tell of the others: else text alone would tell.
        if not table.words or not draw.chance(table.cumulative[-1], vocabulary.lemma_count(verb, "v")):
            continue
        for word in drawn(table, draw):
            form = inflect(word, parsed.tags[i])
            if word in said or form in view.others:
                continue
            yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)


def _below(view: View, at: int) -> list[int]:
    """Children of the token and of its children."""
    return [c for child in view.children[at] for c in (child, *view.children[child])]


def _doer(view: View, doer: int | None) -> str:
    """Who does it: "person", "animal" or "bird", also as a group of them; "" for what does nothing of itself."""
    if doer is None:
        return ""
    parsed = view.parsed
    if any(view.lower[c] in _LIFELESS for c in view.children[doer]) or view.lower[doer] in _LIFELESS:
        return ""
    stem = lemma(view.lower[doer], "n")
    if stem in _GROUPS:
        of = [c for c in view.children[doer] if view.lower[c] == "of"]
        members = [c for c in view.children[of[0]] if parsed.deps[c] == "pobj"] if of else []
        return _doer(view, members[0]) if members else "person"
    if stem in ("people", "person", "other"):
        return "person"
    if not is_animate(stem):
        return ""
    return "bird" if stem in _BIRDS else "animal" if visible_field(stem) == 5 else "person"


def replace_adverbs(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """An adverb gives way to its opposite."""
    found = [
        i
        for i, tag in enumerate(view.parsed.tags)
        if tag in ("RB", "RP") and view.parsed.deps[i] in ("advmod", "prt") and _free(view, i)
    ]
    for i in draw.shuffled(found):
        table = adverb_candidates(view.lower[i], vocabulary)
        if not table.words or not draw.chance(table.cumulative[-1], vocabulary.word(view.lower[i])):
            continue
        for form in drawn(table, draw):
            text = view.rewrite([(i, i + 1, form)])
            yield (text.upper() if view.parsed.text.isupper() else text), (view.edit(i, i + 1, form),)


def _free(view: View, at: int) -> bool:
    """Is the adverb a statement of its own? Not a verb's particle ("make up"), nor half of a phrase ("up close")."""
    lower, parsed = view.lower, view.parsed
    word, head = lower[at], parsed.heads[at]
    after = lower[at + 1] if at + 1 < len(lower) else ""
    if view.children[at] or view.glued(at):
        return False
    if word in ("up", "down"):
        moves = lemma(lower[head], "v") in MOVES and after != "close"
        along = after in ("a", "an", "the", "some", "one", "train", "railroad", "tracks", "his", "her")
        inclined = any(lemma(other, "n") in INCLINES for other in lower[at + 1 : at + 7])
        return moves and (inclined if along else lemma(lower[head], "v") == "look")
    if word in ALONE:
        joined = lower[at - 1] in _JOINING or lemma(lower[head], "v") in (
            "gather",
            "cluster",
            "snuggle",
            "huddle",
            "crowd",
        )
        return parsed.tags[head].startswith("V") and not joined
    if word in ("outside", "inside", "outdoors", "indoors"):
        return after in ("", ".", ",", "with", "while", "under", "near", "eating") and lower[at - 1] != "leading"
    if word in ("fast", "slow", "high", "low", "well", "fully", "partially"):
        return parsed.tags[head].startswith("V") and after not in ("asleep", "up", "beating")
    return True
