"""Replacements of verbs and adverbs (CLoVe, Castro et al. 2024; FSC-CLIP, Oh et al. 2024, 4.1)."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.inflect import inflect
from compoclip.language.lexicon import lemma
from compoclip.language.nouns import NOUN_CLASSES
from compoclip.language.places import INCLINES
from compoclip.language.verb_alternatives import PERCHED, RIDDEN, other_verbs
from compoclip.language.words import word_set, words
from compoclip.negatives.candidates import adverb_candidates, is_animate, verb_table, visible_field
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.phrases import doer_of
from compoclip.negatives.kinds.replace import drawn
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView
from compoclip.negatives.vocabulary import Vocabulary

MOVES = words("kinds", "verbs.moves")
_TAGS = words("kinds", "verbs.tags")
_GROUPS = words("kinds", "verbs.groups")
_LIFELESS = words("kinds", "verbs.lifeless")
_BIRDS = frozenset(NOUN_CLASSES["bird"].split()) | {"bird", "hawk", "gull", "sparrow", "vulture", "crow", "peacock"}
_LOOSE = words("kinds", "verbs.loose")
_ALONG = words("kinds", "verbs.along")
_IN_HAND = words("kinds", "verbs.in_hand")
_BOUND = {verb: _LOOSE | {"for", "on"} for verb in ("wait", "pose", "talk", "smile", "watch", "work", "play")}
# What is done to a thing on its way ("rides a bike down the road"), and the words that tell the way.
_ON_THE_WAY = _ALONG | {"around", "sideways", "out", "to"}
_AIMED = words("kinds", "verbs.aimed")
_CARRYING = words("kinds", "verbs.carrying")
_TOOLS = words("kinds", "verbs.tools")
_BY_HAND = words("kinds", "verbs.by_hand")
_AWAKE = words("kinds", "verbs.awake")
_UPRIGHT = words("kinds", "verbs.upright")
_WALKS_THERE = words("kinds", "verbs.walks_there")
_WHICH = words("kinds", "verbs.which")
_ON_SCREEN = words("kinds", "verbs.on_screen")
ALONE = word_set("together apart")
_STANCE = words("kinds", "verbs.stance")
_SHINE = words("kinds", "verbs.shine")
_NO_ROOM = words("kinds", "verbs.no_room")
_LOW = words("kinds", "verbs.low")
_HIGH = words("kinds", "verbs.high")
_PACES = words("kinds", "verbs.paces")
_WHITHER = words("kinds", "verbs.whither")
_ON_FOOT = words("kinds", "verbs.on_foot")
_SEATS = words("kinds", "verbs.seats")
_LEAPS = words("kinds", "verbs.leaps")
_FROM_ABOVE = words("kinds", "verbs.from_above")
_JOINING = words("kinds", "verbs.joining")


def replace_verbs(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A verb gives way to another that the same doer could do to the same thing."""
    parsed = view.parsed
    found = [
        i
        for i, tag in enumerate(parsed.tags)
        if tag in _TAGS and parsed.deps[i] not in ("aux", "auxpass", "amod", "compound", "pobj")
    ]
    said = {lemma(word, "v") for word in view.lower}
    for i in draw.shuffled(found):
        things = [c for c in view.children[i] if parsed.deps[c] in ("dobj", "ccomp", "xcomp", "prt", "nsubjpass")]
        doer = _doer(view, doer_of(view, i))
        if not doer or any(parsed.deps[c] != "dobj" for c in things):
            continue
        thing = lemma(view.lower[things[0]], "n") if things else None
        verb = lemma(view.lower[i], "v")
        if _is_tied(view, i, verb, thing, said):
            continue
        if things and "no" in view.lower[max(0, things[0] - 2) : things[0]]:
            continue  # who wears no shirt holds none either
        after = set(view.lower[things[0] + 1 :] if things else ())
        if things and (after & _IN_HAND or any(parsed.tags[c] == "VB" and c > things[0] for c in _below(view, i))):
            continue  # "in his hand", "watching a man play"
        if things and view.collocated(things[0] - 1, str(thing)):
            thing = f"{view.lower[things[0] - 1]}{thing}"  # a hotdog is no dog
        if thing == "game" and view.lower[things[0] - 1] in _ON_SCREEN:
            thing = "videogame"  # who plays it watches it
        if thing in ("piece", "slice") and view.lower[things[0] + 1 : things[0] + 2] == ["of"]:
            of = [c for c in view.children[things[0] + 1] if parsed.deps[c] == "pobj"]
            thing = lemma(view.lower[of[0]], "n") if of else thing
        lives = thing is not None and is_animate(thing) and view.lower[things[0] - 1] not in _LIFELESS
        others = other_verbs(verb, thing, lives, doer)
        way = view.lower[i + 1 : i + 2] if i + 1 < len(view.lower) and parsed.deps[i + 1] == "prep" else []
        if not things and (_ALONG & set(view.lower[i + 1 : i + 2]) or way == ["to"] or _heads(view, i)):
            others = tuple(other for other in others if other in MOVES or other == "crawl")
        others = tuple(other for other in others if not _at_odds(view, i, verb, other, said, things))
        table = verb_table(others, vocabulary)
        # A common verb gives way only as often as captions tell of the others: else text alone would tell.
        if not table.words or not draw.chance(table.cumulative[-1], vocabulary.lemma_count(verb, "v")):
            continue
        for number, word in enumerate(drawn(table, draw)):
            if number and not draw.chance(vocabulary.lemma_count(word, "v"), vocabulary.lemma_count(verb, "v")):
                continue  # nor does a rare verb come in the place of every common one
            form = inflect(word, parsed.tags[i])
            if word in said or form in view.others:
                continue
            yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)


def _is_tied(view: CaptionView, at: int, verb: str, thing: str | None, said: set[str]) -> bool:
    """Is the verb part of a turn of phrase, or does the rest of the caption take it for granted?"""
    parsed, lower = view.parsed, view.lower
    if thing is None and (_BOUND.get(verb, _LOOSE) & set(lower[at + 1 : at + 2]) or "air" in lower[at + 1 : at + 5]):
        return True
    if verb in _BOUND and any(lower[child] in ("to", "about") for child in view.children[at]):
        return True  # "talking to a woman"
    if verb == "stand" and not {"legs", "feet", "paws", "head", "hands", "toes"}.isdisjoint(lower[at + 1 : at + 6]):
        return True  # "standing on its hind legs"
    # "food which people line up to eat"
    return parsed.tags[at] == "VB" and thing is None and bool(_WHICH.intersection(lower[:at]))


def _at_odds(view: CaptionView, at: int, verb: str, other: str, said: set[str], things: list[int]) -> bool:
    """Does the other verb make no sense with what else the caption says?"""
    if other == "sleep":
        return bool(_AWAKE & (said - {verb}))
    if verb in _AWAKE and other in _ON_FOOT | _UPRIGHT and said & PERCHED:
        return True  # "sits at a table and runs"
    if not things:
        where, what = _there(view, at)
        if (where == "on" and what in RIDDEN and other in _ON_FOOT) or (
            where == "in" and what in _SEATS and other in _UPRIGHT | _ON_FOOT
        ):
            return True  # "walks on his bike", "standing in chairs"
        return (verb, other) == ("sit", "walk") and not _WALKS_THERE & set(view.lower[at + 1 : at + 2])
    after = view.lower[things[0] + 1 :]
    if "with" in after and _TOOLS & set(after):
        return other in _BY_HAND
    if after[:1] in (["at"], ["directly"]):
        return verb in _AIMED and other not in _AIMED
    return bool(_ON_THE_WAY & set(after[:1])) and other not in _CARRYING


def _heads(view: CaptionView, at: int) -> bool:
    """Does the act go somewhere, before the next verb or comma: "running on the sand towards a dog"?"""
    for word, tag in zip(view.lower[at + 1 :], view.parsed.tags[at + 1 :], strict=True):
        if tag.startswith("V") or word == "," or word in _WHITHER:
            return word in _WHITHER
    return False


def _there(view: CaptionView, at: int) -> tuple[str, str]:
    """The preposition right after the verb and the lemma of its object, "" for none."""
    for child in view.children[at]:
        if child == at + 1 and view.parsed.deps[child] == "prep":
            of = [c for c in view.children[child] if view.parsed.deps[c] == "pobj"]
            return view.lower[child], lemma(view.lower[of[0]], "n") if of else ""
    return "", ""


def _below(view: CaptionView, at: int) -> list[int]:
    """Children of the token and of its children."""
    return [c for child in view.children[at] for c in (child, *view.children[child])]


def _doer(view: CaptionView, doer: int | None) -> str:
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


def replace_adverbs(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
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
            if _impossible(view, i, form):
                continue
            yield view.rewrite([(i, i + 1, form)]), (view.edit(i, i + 1, form),)


def _impossible(view: CaptionView, at: int, form: str) -> bool:
    """Does the opposite make no sense there: "up at the ground", "on the lawn inside", "playing apart"?"""
    lower, parsed = view.lower, view.parsed
    head, near = lower[parsed.heads[at]], lower[at + 1 : at + 5]
    if form in ("up", "down"):
        if lemma(head, "v") == "look" and (
            (form == "up" and not _FROM_ABOVE.isdisjoint(lower))
            or (form == "down" and "head" in lower and not {"over", "above"}.isdisjoint(lower))
        ):
            return True  # "from atop a tree", "a ring over her head"
        hill = not {"downhill", "uphill", "again"}.isdisjoint(lower)
        if form == "up" and lemma(head, "v") in ("roll", "fall"):
            return True
        if near[:1] == ["from"] and not _LOW.isdisjoint(near):
            return True  # nobody looks down from the ground
        return hill or not (_LOW if form == "up" else _HIGH).isdisjoint(near) or (form == "down" and "air" in lower)
    if form in ("inside", "indoors"):
        return not _NO_ROOM.isdisjoint(lower[max(0, at - 5) : at]) or not {"building", "barn"}.isdisjoint(near)
    if form == "outside":  # what has something inside is a box
        return not parsed.tags[parsed.heads[at]].startswith("V") or lower[at - 1] in ("also", "looking")
    if form == "low" and lemma(head, "v") in _LEAPS:
        return True
    if form == "apart":
        return lemma(head, "v") not in _STANCE
    return form in ("dimly", "brightly") and lemma(head, "v") not in _SHINE


def _climbed(view: CaptionView, at: int) -> bool:
    """Is what "up" or "down" stands before an incline? The mountains "in the background" of a highway are not."""
    for i in range(at + 1, min(at + 7, len(view.lower))):
        if view.parsed.tags[i] == "IN" and view.lower[i] != "of":
            return False
        if lemma(view.lower[i], "n") in INCLINES:
            return True
    return False


def _free(view: CaptionView, at: int) -> bool:
    """Is the adverb a statement of its own? Not a verb's particle ("make up"), nor half of a phrase ("up close")."""
    lower, parsed = view.lower, view.parsed
    word, head = lower[at], parsed.heads[at]
    after = lower[at + 1] if at + 1 < len(lower) else ""
    if view.children[at] or view.glued(at) or lower[at - 1] in ("great", "up"):
        return False
    if word in _PACES:
        return False  # a picture stands still
    if word in ("up", "down"):
        moves = lemma(lower[head], "v") in MOVES and after not in ("close", "on")
        along = after in ("a", "an", "the", "some", "one", "train", "railroad", "tracks", "his", "her")
        inclined = _climbed(view, at)
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
    if word in ("high", "low", "well", "fully", "partially"):
        return parsed.tags[head].startswith("V") and after not in ("asleep", "up", "beating", "to", "in")
    return True
