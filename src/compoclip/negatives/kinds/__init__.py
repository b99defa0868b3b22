"""The kinds of negatives, one rule a file, and the named bundles of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from compoclip.errors import InputError
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds import relations, replace, shuffle, swap
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

Proposal = tuple[str, tuple[Edit, ...]]  # a caption, and what was changed


class Kind(NamedTuple):
    """One rule. `propose` yields candidates in the order in which they should be tried."""

    name: str
    description: str
    propose: Callable[[View, Draw, Vocabulary], Iterator[Proposal]]


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("swap-nouns", "two nouns change places", swap.nouns),
        Kind("swap-adjectives", "two adjectives of different nouns change places", swap.adjectives),
        Kind("replace-nouns", "a noun gives way to another of its class", replace.nouns),
        Kind("replace-adjectives", "an adjective gives way to one that contradicts it", replace.adjectives),
        Kind("replace-relations", "a relation gives way to its opposite (left of, right of)", relations.propose),
        Kind("shuffle", "pieces of two or three words are put in another order", shuffle.bigrams_or_trigrams),
        Kind("shuffle-1", "single words are put in another order", shuffle.of_length(1)),
        Kind("shuffle-2", "pieces of two words are put in another order", shuffle.of_length(2)),
        Kind("shuffle-3", "pieces of three words are put in another order", shuffle.of_length(3)),
    )
}

BUNDLES: dict[str, tuple[str, ...]] = {
    "negclip": ("swap-nouns", "swap-adjectives"),
    "fsc-clip": ("swap-nouns", "swap-adjectives", "replace-nouns", "replace-adjectives", "shuffle-2"),
    "degla": ("shuffle", "swap-nouns", "swap-adjectives", "replace-adjectives", "replace-nouns"),
}
ALIASES = {"shuffle-bigram": "shuffle-2", "shuffle-trigram": "shuffle-3"}


def resolve_kinds(kinds: str | list[str] | tuple[str, ...]) -> list[str]:
    """Kind names from names and bundles ("swap-nouns,fsc-clip"), in order, once each.

    Raises InputError for a name that is neither, and for none at all.
    """
    parts = kinds.split(",") if isinstance(kinds, str) else [part for item in kinds for part in item.split(",")]
    found: dict[str, None] = {}
    for part in (part.strip() for part in parts):
        name = ALIASES.get(part, part)
        if name in BUNDLES:
            found.update(dict.fromkeys(BUNDLES[name]))
        elif name in KINDS:
            found[name] = None
        elif name:
            known = ", ".join([*KINDS, *BUNDLES])
            raise InputError(f"no kind of negatives is called {part!r}; there are {known}")
    if not found:
        raise InputError("no kind of negatives was named; `compoclip ls negatives` lists them")
    return list(found)
