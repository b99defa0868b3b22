"""Absence: a caption that says of a thing which is there that it is not, and a true twin that says it of another.

As negation methods pair them (NegationCLIP, arXiv 2501.10913; TNG-CLIP, arXiv 2505.18434): "a dog on grass with no
frisbee" is false where another caption of the image tells of a frisbee, "a dog on grass with no kite" true as far as
captions tell. Without its twin, the word "no" alone would give the negative away.
"""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.data.extras import Twinned
from compoclip.language.cooccurrence import usually_there
from compoclip.language.lexicon import lemma
from compoclip.language.nouns import NOUN_CLASSES
from compoclip.language.tag_repair import COLOURS
from compoclip.language.words import words
from compoclip.negatives.candidates import noun_candidates
from compoclip.negatives.draw import Draw
from compoclip.negatives.judge import same_thing
from compoclip.negatives.kinds.replace import drawn
from compoclip.negatives.kinds.swappable import sound_nouns
from compoclip.negatives.safety import harmful
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView
from compoclip.negatives.vocabulary import Vocabulary

DENYING = words("scope", "deny")
PICTURES = words("kinds", "denial.pictures")
UNSEEN = words("captions", "units.unseen")
THINGS = frozenset(" ".join(NOUN_CLASSES[name] for name in words("kinds", "absence.classes")).split())


def deny(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """ "... with no X" at the caption's end, X being what another caption of the image tells of; then, in place of the
    caption, the first thing it names "with no X", X being another thing that it names."""
    caption, lower = view.parsed.text, view.lower
    ends = [i for i, word in enumerate(view.words) if word[-1].isalnum()]
    if not ends or not DENYING.isdisjoint({*lower, *view.others}):
        return
    cut = view.span(ends[-1], ends[-1] + 1)[1]
    things = [noun for noun in sound_nouns(view) if noun.lemma not in UNSEEN | PICTURES]
    for thing in draw.shuffled(sorted(_told_by_others(view))):
        if (other := _not_there(view, thing, draw, vocabulary)) is not None:
            text, twin = (f"{caption[:cut]} with no {word}{caption[cut:]}" for word in (thing, other))
            if not harmful(caption, twin):
                yield Twinned(text, twin), (Edit(cut, cut, "", f"with no {thing}"),)
    for noun in draw.shuffled([noun for noun in things[1:] if noun.lemma in THINGS]):
        if noun.lemma == things[0].lemma or same_thing(noun.lemma, things[0].lemma):
            continue
        if (other := _not_there(view, noun.lemma, draw, vocabulary)) is not None:
            whole = view.said(things[0].phrase, things[0].head + 1)
            text, twin = (f"{whole} with no {word}" for word in (noun.lemma, other))
            if not harmful(caption, twin):
                yield Twinned(text, twin), (Edit(0, len(caption), caption, text),)


def _told_by_others(view: CaptionView) -> set[str]:
    """Things that other captions of the image name, and this one does not, in any word for them."""
    said = {*view.lower, *(noun.lemma for noun in view.nouns)}
    found = {lemma(word, "n") for word in view.others - COLOURS} & THINGS - said
    return {stem for stem in found if not any(same_thing(stem, noun.lemma) for noun in view.nouns)}


def _not_there(view: CaptionView, thing: str, draw: Draw, vocabulary: Vocabulary) -> str | None:
    """Another thing of its class that no caption of the image names and its scene does not imply."""
    said = {*view.lower, *view.others, *(noun.lemma for noun in view.nouns)}
    taken = said | {lemma(word, "n") for word in view.others} | usually_there(said)
    known = (word for word in drawn(noun_candidates(thing, vocabulary), draw) if word in THINGS - taken)
    return next((word for word in known if not any(same_thing(word, one) for one in said)), None)
