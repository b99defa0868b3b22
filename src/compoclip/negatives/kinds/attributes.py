"""Attribute swaps by list: one word of a list gives way to another of it (SVLC, Doveh et al. 2023, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from compoclip.language.classes import ADJECTIVE_CLASSES
from compoclip.language.lexicon import lemma
from compoclip.language.materials import MATERIALS, fitting, material
from compoclip.language.words import words
from compoclip.negatives.candidates import weighted_words
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.replace import drawn, one_of_two, replaced
from compoclip.negatives.kinds.swap import described_things
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView
from compoclip.negatives.vocabulary import Vocabulary

LISTS: dict[str, str] = {
    "colour": "colour",
    "size": "size length height width thickness depth",
    "state": "openness fullness neatness wetness temperature brightness age newness mood weather cloud crowd kept "
    "hardness weight pattern",
}
PEOPLED = words("kinds", "attributes.peopled")


def of_list(name: str) -> Callable[[CaptionView, Draw, Vocabulary], Iterator[tuple[str, tuple[Edit, ...]]]]:
    """The kind for one list. Only the drawn occurrence changes, not every one."""
    groups = [frozenset(ADJECTIVE_CLASSES[part].split()) for part in LISTS[name].split()]
    if name == "state":
        groups.append(PEOPLED)

    def propose(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
        for i, thing in draw.shuffled(described_things(view)):
            same_list = {other for group in groups if view.lower[i] in group for other in group}
            rest = sum(vocabulary.word(other) for other in same_list if other != view.lower[i])
            if name == "state" and not draw.chance(rest, vocabulary.word(view.lower[i])):
                continue  # "young" gives way as often as captions say "old": else text alone would tell
            for text, edits in replaced(view, draw, vocabulary, i, thing):
                if edits[0].new in same_list:
                    yield text, edits

    return propose


def materials(view: CaptionView, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Another material of which such a thing could be: "a wooden bench", "a brick wall", "a plastic cup"."""
    found = []
    for i, word in enumerate(view.lower[:-1]):
        thing = view.parsed.heads[i]
        if view.parsed.deps[thing] == "compound" and view.parsed.heads[thing] > thing:
            thing = view.parsed.heads[thing]  # "a glass dining table"
        before_noun = view.parsed.deps[i] in ("amod", "compound", "nmod") and thing > i
        if material(word) and before_noun and view.parsed.tags[thing] in ("NN", "NNS") and not view.glued(i):
            found.append((i, thing))
    for i, thing in draw.shuffled(found):
        if i and view.lower[i - 1] in ("hard", "stainless", "clear", "stepping"):
            continue
        if view.collocated(i, view.lower[i + 1]) or view.lower[i + 1] in ("glass", "paper", "like", "framed"):
            continue
        if i and view.parsed.deps[i - 1] == "compound" and view.parsed.heads[i - 1] in (i, thing):
            continue  # "toilet paper dispenser"
        if view.parsed.tags[i + 1] == "VBN":
            continue  # "a wood carved bear"
        said = {material(word) for word in view.lower}
        own, noun = material(view.lower[i]), lemma(view.lower[thing], "n")
        if one_of_two(view, thing, noun, MATERIALS):
            continue
        others = tuple(sorted(fitting(own, [*view.lower[i + 1 : thing], noun]) - said))
        for number, word in enumerate(drawn(weighted_words(others, vocabulary), draw)):
            if number and not draw.chance(vocabulary.word(word), vocabulary.word(view.lower[i])):
                continue  # what captions seldom say comes up seldom: else text alone would tell
            if word not in view.others:
                yield view.rewrite([(i, i + 1, word)]), (view.edit(i, i + 1, word),)
