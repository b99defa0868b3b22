"""Negation: a caption that denies what the picture shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from compoclip.language.lexicon import lemma
from compoclip.language.words import words
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.exchange import Change
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView, Noun
from compoclip.negatives.vocabulary import Vocabulary

AMOUNTS = words("kinds", "denial.amounts")
PARTIAL = words("kinds", "denial.partial")
LOOSELY = words("kinds", "denial.loosely")
DENIED = words("kinds", "denial.denied")
DENIES = DENIED | {"no"}
COUNTED = words("kinds", "denial.counted")
VAGUE = words("kinds", "denial.vague")
MINE = words("kinds", "denial.mine")
BODY = words("kinds", "denial.body")
WITH_ONLY = words("kinds", "denial.with_only")
HAVING = words("kinds", "denial.having")
BREAKS = words("kinds", "denial.breaks")
JOINING = words("kinds", "denial.joining")
PICTURES = words("kinds", "denial.pictures")
SOON = 6  # so near after a denial "some" should be "any"


def negate(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A verb, or the presence of a thing, is denied: "not riding a horse", "without a hat", "there is no dog"."""
    parsed, lower = view.parsed, view.lower
    changes: list[Change] = []
    for i, word in enumerate(lower):
        after = lower[i + 1] if i + 1 < len(lower) else ""
        if after in ("not", "n't", "no", "never"):
            continue
        if word in ("is", "are", "was", "were"):
            if "there" in lower[max(0, i - 1) : i]:
                if after in ("a", "an") and lower[i + 2 : i + 3] and lower[i + 2] not in AMOUNTS:
                    changes.append((i + 1, i + 2, "no"))
            elif after.isalpha() and _clear(view, i):
                changes.append((i, i + 1, f"{word} not"))
        elif parsed.tags[i] == "VBG" and parsed.deps[i] == "acl" and parsed.heads[i] == i - 1:
            if _clear(view, i):
                changes.append((i, i, "not"))
        elif word == "with" and parsed.tags[i - 1] not in ("VBN", "VBD", "JJ") and parsed.deps[i] == "prep":
            changes.extend(_lacking(view, i))
    absent = (change for noun in draw.shuffled(view.nouns) for change in _absent(view, noun))
    for denied in chain(([change] for change in draw.shuffled(changes)), absent):
        denied += [some for some in _any(view, denied[0]) if some[0] not in {start for start, *_ in denied}]
        yield view.rewrite(denied), tuple(_edit(view, *one) for one in denied)


def _edit(view: CaptionView, start: int, end: int, new: str) -> Edit:
    left = view.parsed.starts[start]
    return Edit(left, left, "", new) if start == end else view.edit(start, end, new)


def _any(view: CaptionView, denial: Change) -> list[Change]:
    """The first "some" that follows a "no" or "not" closely becomes "any", as English has it."""
    lower, at = view.lower, denial[1]
    if denial[2].startswith("with"):
        return []
    for i in range(at, min(at + SOON, len(lower))):
        if lower[i] in BREAKS:
            break  # another clause, or the next of a list
        if lower[i] == "some":
            return [(i, i + 1, "any")] if view.parsed.heads[i] > i else []
    return []


def _absent(view: CaptionView, noun: Noun) -> Iterator[list[Change]]:
    """The thing is not there, nor what is listed with it: "no dog and no cat", "eating no bananas"."""
    parsed, lower, at = view.parsed, view.lower, noun.phrase
    first, before = lower[at], parsed.tags[at - 1]
    done = parsed.deps[noun.head] == "dobj" and before.startswith("V")
    if (done and not PARTIAL.isdisjoint(lower[:2])) or at + 1 >= len(lower):
        return  # "some children playing no games"
    if (done and lower[at - 2 : at - 1] == ["to"]) or not DENIES.isdisjoint(lower):
        return  # "tries to climb no stairs", "no girls with no hats"
    if not done and noun.lemma in PICTURES:
        return  # "no blurred picture of a dog"
    if not (done or parsed.deps[noun.head] in ("ROOT", "nsubj", "nsubjpass", "attr")):
        return
    listed = _listed(view, noun)
    one = noun.article == at and first in ("a", "an") and lower[at + 1] not in AMOUNTS
    if one or (first in COUNTED and lower[at + 1] not in VAGUE and parsed.tags[at + 1] != "CD"):
        if all(lower[other] in ("a", "an", "some") for other in listed):
            yield [(other, other + 1, "no") for other in (at, *listed)]
        return
    # Else nouns and their adjectives are taken for verbs: "a racquet balances", "with vending machines".
    surely = lower[at - 1] in HAVING or (before == "VBG" and parsed.tags[at - 2][:2] in ("NN", "VB", "CC"))
    bare = noun.article < 0 and not noun.counted and first not in VAGUE | AMOUNTS
    if done and surely and bare and not listed:
        yield [(at, at, "no")]


def _clear(view: CaptionView, at: int) -> bool:
    """Is "not" before (or after an "is" at) this token a plain denial, of all that the sentence is about?"""
    parsed, lower = view.parsed, view.lower
    if not (LOOSELY.isdisjoint(lower[at + 1 : at + 2]) and DENIED.isdisjoint(lower)):
        return False
    article, amount = [*lower[at + 1 : at + 3], "", ""][:2]
    if article in ("a", "an") and amount in AMOUNTS:
        return False  # "is a bit out of focus"
    verb = parsed.heads[at] if parsed.deps[at] in ("aux", "auxpass") else at
    doers = [parsed.heads[at]] if parsed.deps[at] == "acl" else [c for c in view.children[verb] if c < at]
    if parsed.deps[verb] == "relcl":
        doers.append(parsed.heads[verb])
    for doer in doers:
        above = parsed.heads[doer]
        if parsed.deps[doer] == "pobj" and lower[above] == "of":  # "a lot of people"
            doers.append(parsed.heads[above])
        if lower[doer] in PARTIAL or any(lower[c] in PARTIAL for c in view.children[doer] if c < doer):
            return False
    return True


def _lacking(view: CaptionView, at: int) -> Iterator[Change]:
    """Without what the caption says is there after this "with"."""
    parsed, lower = view.parsed, view.lower
    thing = next((noun for noun in view.nouns if parsed.heads[noun.head] == at), None)
    if thing is None or thing.phrase != at + 1 or _listed(view, thing):
        return
    first, second = lower[at + 1], lower[at + 2] if at + 2 < len(lower) else ""
    if {lower[at - 1], lemma(lower[at - 1], "v"), lemma(lower[parsed.heads[at]], "v")} & WITH_ONLY:
        return
    if first in MINE and thing.lemma in BODY:
        return  # "with his head on a pillow"
    if first in ("a", "an") or first in COUNTED:
        if second not in AMOUNTS and second not in VAGUE and parsed.tags[at + 2] != "CD":
            yield at, at + 2, "with no"
    elif first not in VAGUE:
        yield at, at + 1, "without"


def _listed(view: CaptionView, noun: Noun) -> list[int]:
    """Articles and numbers of the things listed with it: "no dog and a cat" leaves open which is denied."""
    parsed = view.parsed
    things, found = [noun.head], []
    for thing in things:
        for other in view.children[thing]:
            # "watch a skateboarder jump a staircase", read as a row of nouns, is no list
            joined = other > thing and not JOINING.isdisjoint(view.lower[thing + 1 : other])
            if joined and parsed.deps[other] in ("conj", "appos"):
                found += [child for child in view.children[other] if parsed.deps[child] in ("det", "nummod", "poss")]
                things.append(other)
    return found
