"""One word of a sentence and one of another change places (CLIC, arXiv 2505.24424).

Of two captions joined for two images that are joined, what each word names is in the picture all the same, and only
where it belongs is wrong. CLIC exchanges any two words of one part of speech, and about 72 % of its negatives are
ungrammatical; here they are things with things in the same number, what is said of things, verbs in the same form.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from compoclip.language.classes import members
from compoclip.language.lexicon import lemma
from compoclip.language.words import words
from compoclip.negatives.draw import Draw
from compoclip.negatives.judge import same_thing
from compoclip.negatives.kinds.exchange import LIMIT, SPREAD, STEPS, Change, loss, unlike
from compoclip.negatives.kinds.swap import alone, described_things, second_of_a_class
from compoclip.negatives.kinds.swappable import sound_nouns
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView, Noun
from compoclip.negatives.vocabulary import Vocabulary

VERB_TAGS = frozenset({"VBG", "VBZ", "VBP"})
PICTURES = words("kinds", "denial.pictures")
STAYING = words("kinds", "across.staying")

Proposal = tuple[str, tuple[Edit, ...]]


class Word(NamedTuple):
    """Tokens start to end of a sentence, what sort of word they are, their base form, and the thing that they describe
    or name."""

    start: int
    end: int
    sort: str
    base: str
    thing: int = -1
    noun: Noun | None = None


def sentences(
    one: CaptionView, other: CaptionView, draw: Draw, vocabulary: Vocabulary
) -> Iterator[tuple[Proposal, Proposal]]:
    """Both sentences with a word of the other one: what reads best first, and nothing that reads much worse."""
    ours, theirs = _words(one), _words(other)
    said = [{word.base for word in found} | set(view.lower) for found, view in ((ours, one), (theirs, other))]
    weighed = []
    for a, b in product(ours, theirs):
        if a.sort != b.sort or a.base in said[1] or b.base in said[0] or not _apart(one, a, other, b):
            continue
        changes = (a.start, a.end, other.said(b.start, b.end)), (b.start, b.end, one.said(a.start, a.end))
        lost = loss(one, vocabulary, [changes[0]]) + loss(other, vocabulary, [changes[1]])
        lost += unlike(a.noun, b.noun) if a.noun and b.noun else 0.0
        if lost <= LIMIT:
            weighed.append((lost + SPREAD * draw.below(STEPS) / STEPS, changes))
    for _, (mine, its) in sorted(weighed):
        yield _with(one, mine), _with(other, its)


def nothing(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[Proposal]:
    """What a single sentence gives."""
    return iter(())


def _with(view: CaptionView, change: Change) -> Proposal:
    return view.rewrite([change]), (view.edit(*change),)


def _apart(one: CaptionView, a: Word, other: CaptionView, b: Word) -> bool:
    """Are both sentences wrong with the other's word?"""
    if a.noun and b.noun:
        return not same_thing(a.base, b.base)
    if a.sort.startswith("adjective"):
        if b.base not in members("a").get(a.base, ()):
            return False
        return not (
            second_of_a_class(one, b.base, a.thing, a.start) or second_of_a_class(other, a.base, b.thing, b.start)
        )
    return True


def _words(view: CaptionView) -> list[Word]:
    parsed, lower = view.parsed, view.lower
    found = []
    for noun in (noun for noun in sound_nouns(view) if noun.lemma not in PICTURES):
        number = "mass" if noun.mass else "many" if noun.plural else "one"
        found.append(Word(noun.start, noun.head + 1, f"noun {number}", noun.lemma, noun.head, noun))
    for at, thing in described_things(view):
        if alone(view, at, thing):
            found.append(Word(at, at + 1, f"adjective {parsed.tags[at]}", lemma(lower[at], "a"), thing))
    for at, tag in enumerate(parsed.tags):
        acts = tag in VERB_TAGS and parsed.deps[at] not in ("aux", "auxpass", "amod", "compound", "xcomp")
        if acts and lower[at] not in STAYING and not _takes_on(view, at):
            done_to = any(parsed.deps[child] == "dobj" for child in view.children[at])
            found.append(Word(at, at + 1, f"verb {tag} {done_to}", lemma(lower[at], "v")))
        elif tag == "CD" and lower[at] != "one" and lower[at].isalpha() and parsed.deps[at] == "nummod":
            found.append(Word(at, at + 1, "number", lower[at]))
    return found


def _takes_on(view: CaptionView, at: int) -> bool:
    """Does the verb have a particle, or another verb, which would stay behind: "picking up", "is trying to pull"?"""
    return any(view.parsed.deps[child] in ("prt", "xcomp") for child in view.children[at])
