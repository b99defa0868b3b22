"""What a language model is asked for: DeGLA's five kinds (arXiv 2504.16801, figure 8), verbs and relations."""

from __future__ import annotations

from typing import Literal, NamedTuple

Family = Literal["reorder", "replace"]


class LLMKind(NamedTuple):
    """One thing to ask for. `rule` is what the model reads; `description` is what `compoclip ls negatives` prints.

    family: "reorder" keeps the caption's words, "replace" puts other words in a few places.
    """

    name: str
    rule: str
    description: str
    family: Family


_SAME_WORDS = "Use the caption's words once each, no more and no fewer; only a/an and singular/plural may adapt."
_ELSE_EQUAL = "Copy everything else word for word; only a/an and pronouns may adapt."

LLM_KINDS: dict[str, LLMKind] = {
    kind.name: kind
    for kind in (
        LLMKind(
            "shuffle",
            "Rearrange the words or phrases of the caption into another grammatical sentence about another scene, so "
            f"that who does what to whom, or which thing is where, is no longer the same. {_SAME_WORDS}",
            "a language model puts the words in an order that says something else",
            "reorder",
        ),
        LLMKind(
            "swap-nouns",
            "Let two nouns of the caption trade places, so that each stands in the other's role. Choose two whose "
            f"trade changes the scene: not two that are merely listed together or stand side by side. {_SAME_WORDS}",
            "a language model lets two nouns change places",
            "reorder",
        ),
        LLMKind(
            "swap-adjectives",
            "Let two adjectives that describe different things in the caption trade places, so that each thing gets "
            f"the other's property. The two things must have different names, or nothing changes. {_SAME_WORDS}",
            "a language model lets two adjectives of different things change places",
            "reorder",
        ),
        LLMKind(
            "replace-nouns",
            "Exchange one noun of the caption for a noun that names something clearly different, which could be there "
            "instead but cannot be the same thing: no synonym, no more general or more special word. "
            f"{_ELSE_EQUAL}",
            "a language model puts another thing in a noun's place",
            "replace",
        ),
        LLMKind(
            "replace-adjectives",
            "Exchange one adjective of the caption for an adjective that contradicts it and still fits the thing it "
            f"describes. {_ELSE_EQUAL}",
            "a language model puts a contradicting adjective in an adjective's place",
            "replace",
        ),
        LLMKind(
            "replace-verbs",
            "Exchange one verb of the caption for a verb in the same form that names an action which cannot be going "
            f"on at the same time, but which the same doer could do. {_ELSE_EQUAL}",
            "a language model puts another action in a verb's place",
            "replace",
        ),
        LLMKind(
            "replace-relations",
            "Exchange one preposition or phrase of place or direction in the caption for one that contradicts it, so "
            f"that the same things stand in another relation. {_ELSE_EQUAL}",
            "a language model puts a contradicting relation in a preposition's place",
            "replace",
        ),
    )
}
