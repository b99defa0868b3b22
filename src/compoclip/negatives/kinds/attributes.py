"""Attribute swaps by list: one word of a list gives way to another of it (SVLC, Doveh et al. 2023, section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from compoclip.language.classes import ADJECTIVE_CLASSES
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds.replace import replaced
from compoclip.negatives.kinds.swap import described_things
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

LISTS: dict[str, str] = {
    "colour": "colour",
    "size": "size length height width thickness depth",
    "material": "material",
    "state": "openness fullness neatness wetness temperature brightness age newness mood weather crowd kept hardness "
    "weight pattern",
}


def of_list(name: str) -> Callable[[View, Draw, Vocabulary], Iterator[tuple[str, tuple[Edit, ...]]]]:
    """The kind for one list. Only the drawn occurrence changes, not every one."""
    groups = [frozenset(ADJECTIVE_CLASSES[part].split()) for part in LISTS[name].split()]

    def propose(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
        for i, thing in draw.shuffled(described_things(view)):
            same_list = {other for group in groups if view.lower[i] in group for other in group}
            for text, edits in replaced(view, draw, vocabulary, i, thing):
                if edits[0].new in same_list:
                    yield text, edits

    return propose
