"""The kinds of negatives, one rule a file, and the named bundles of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from compoclip.errors import InputError
from compoclip.negatives.draw import Draw
from compoclip.negatives.kinds import (
    absence,
    across,
    attributes,
    counts,
    denial,
    orders,
    phrases,
    places,
    replace,
    shuffle,
    swap,
    verbs,
)
from compoclip.negatives.llm.kinds import LLM_KINDS
from compoclip.negatives.types import Edit
from compoclip.negatives.view import CaptionView
from compoclip.negatives.vocabulary import Vocabulary

__all__ = ["BUNDLES", "KINDS", "Kind", "resolve_kinds"]

Proposal = tuple[str, tuple[Edit, ...]]  # a caption, and what was changed


class Kind(NamedTuple):
    """One rule. `propose` yields candidates in the order in which they should be tried.

    single: only for captions of one sentence in lower case, such as whose twin is written as they are.
    exchange: in its place for a rule that changes two sentences of a caption at once; yields what becomes of both.
    """

    name: str
    description: str
    propose: Callable[[CaptionView, Draw, Vocabulary], Iterator[Proposal]]
    single: bool = False
    exchange: Callable[[CaptionView, CaptionView, Draw, Vocabulary], Iterator[tuple[Proposal, Proposal]]] | None = None

    @property
    def order(self) -> bool:
        """Does it only put the words in another order?"""
        return self.name.startswith(("shuffle", "order"))


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("swap-nouns", "two nouns change places", swap.nouns),
        Kind("swap-adjectives", "two adjectives of different nouns change places", swap.adjectives),
        Kind("swap-noun-phrases", "two noun phrases change places", phrases.noun_phrases),
        Kind("swap-verb-phrases", "what two things are doing changes places", phrases.verb_phrases),
        Kind("swap-adverbs", "two adverbs change places", phrases.adverbs),
        Kind(
            "swap-across",
            "words of two sentences, or joined captions, change places",
            across.nothing,
            exchange=across.sentences,
        ),
        Kind("replace-nouns", "a noun gives way to another of its class", replace.nouns),
        Kind("replace-adjectives", "an adjective gives way to one that contradicts it", replace.adjectives),
        Kind("replace-relations", "a relation gives way to its opposite (left of, right of)", places.relations),
        Kind("replace-verbs", "a verb gives way to another that the doer could do", verbs.replace_verbs),
        Kind("replace-adverbs", "an adverb gives way to its opposite", verbs.replace_adverbs),
        Kind(
            "replace-prepositions",
            "a preposition of place gives way to one that excludes it",
            places.prepositions,
        ),
        Kind("attribute-colour", "another colour", attributes.of_list("colour")),
        Kind("attribute-size", "another size", attributes.of_list("size")),
        Kind("attribute-material", "another material", attributes.materials),
        Kind("attribute-state", "another state (open, wet, empty, old, ...)", attributes.of_list("state")),
        Kind("count", "another number of things", counts.count),
        Kind("negation", "what the picture shows is denied", denial.negate),
        Kind("absence", "a thing that is there is said not to be, with a true twin", absence.deny, single=True),
        Kind("shuffle", "pieces of two or three words are put in another order", shuffle.bigrams_or_trigrams),
        Kind("shuffle-1", "single words are put in another order", shuffle.of_length(1)),
        Kind("shuffle-2", "pieces of two words are put in another order", shuffle.of_length(2)),
        Kind("shuffle-3", "pieces of three words are put in another order", shuffle.of_length(3)),
        Kind("shuffle-4", "pieces of four words are put in another order", shuffle.of_length(4)),
        Kind("shuffle-5", "pieces of five words are put in another order", shuffle.of_length(5)),
        Kind("order-nouns-adjectives", "nouns and adjectives change places", orders.nouns_and_adjectives),
        Kind("order-others", "all but nouns and adjectives changes places", orders.all_but_nouns_and_adjectives),
        Kind("order-within-trigrams", "the words of each run of three change places", orders.within_trigrams),
    )
}

BUNDLES: dict[str, tuple[str, ...]] = {
    "negclip": ("swap-noun-phrases", "swap-nouns", "swap-verb-phrases", "swap-adjectives", "swap-adverbs"),
    "fsc-clip": ("swap-nouns", "swap-adjectives", "replace-nouns", "replace-adjectives", "shuffle-2"),
    "degla": ("shuffle", "swap-nouns", "swap-adjectives", "replace-adjectives", "replace-nouns"),
    "svlc": ("attribute-colour", "attribute-size", "attribute-material", "attribute-state", "replace-verbs", "count"),
    "aro": ("order-nouns-adjectives", "order-others", "shuffle-3", "order-within-trigrams"),
}
ALIASES = {
    "shuffle-bigram": "shuffle-2",
    "shuffle-trigram": "shuffle-3",
    "order-trigrams": "shuffle-3",
    "attribute-action": "replace-verbs",
}
ALIASES |= {"attribute-count": "count", "attribute-color": "attribute-colour"}


LLM_PREFIX = "llm:"  # before the name of a kind that a language model is asked for


def resolve_kinds(kinds: str | Sequence[str], llm: bool = False) -> list[str]:
    """Kind names from names and bundles ("swap-nouns,fsc-clip"), in order, once each.

    llm: kinds that need a language model ("llm:swap-nouns", "llm:degla") are welcome too.
    Raises InputError for a name that is neither, and for none at all.

    Example: resolve_kinds("swap-nouns,fsc-clip")
    """
    parts = kinds.split(",") if isinstance(kinds, str) else [part for item in kinds for part in item.split(",")]
    found: dict[str, None] = {}
    for part in (part.strip() for part in parts):
        name = ALIASES.get(part, part)
        if name in BUNDLES:
            found.update(dict.fromkeys(BUNDLES[name]))
        elif name in KINDS:
            found[name] = None
        elif name.startswith(LLM_PREFIX):
            found.update(dict.fromkeys(_of_model(name, llm)))
        elif name:
            known = ", ".join([*KINDS, *BUNDLES])
            raise InputError(f"no kind of negatives is called {part!r}; there are {known}")
    if not found:
        raise InputError("no kind of negatives was named; `compoclip ls negatives` lists them")
    return list(found)


def _of_model(name: str, welcome: bool) -> list[str]:
    short = name.removeprefix(LLM_PREFIX)
    names = [short] if short in LLM_KINDS else list(BUNDLES.get(short, [short]))
    if unknown := [one for one in names if one not in LLM_KINDS]:
        known = ", ".join(f"{LLM_PREFIX}{one}" for one in LLM_KINDS)
        raise InputError(f"a language model makes no {', '.join(unknown)}; there are {known}, and {LLM_PREFIX}degla")
    if not welcome:
        raise InputError(f"{name} needs a language model: `compoclip negatives build --llm-url URL --llm-model NAME`")
    return [f"{LLM_PREFIX}{one}" for one in names]
