"""Short true texts inside a caption: its noun phrases, and its relations of two of them.

"A brown dog is chasing a red ball" says "a brown dog", "a red ball" and "a brown dog chasing a red ball". CS-CLIP
(arXiv 2602.23906) asks a language model for entity and relation units; here they are read off the dependency tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from compoclip.language.classes import MASS
from compoclip.language.inflect import indefinite_article, inflect
from compoclip.language.lexicon import lemma
from compoclip.language.parser import Parsed
from compoclip.language.words import words as listed

INSIDE = frozenset(
    ["det", "amod", "compound", "nummod", "nmod", "poss", "quantmod", "advmod", "case", "punct", "npadvmod"]
)
JOINED = ("cc", "conj")  # "a black and white dog": inside where what they join is an adjective
NOUN_TAGS = ("NN", "NNS", "NNP", "NNPS")
SUBJECTS = ("nsubj", "nsubjpass")
OBJECTS = ("dobj", "attr", "obj")
MAX_WORDS = 20  # a longer relation is a sentence, not a unit
UNNAMED = listed("captions", "view.pronoun_like") | listed("captions", "units.no_things")
UNSEEN = listed("captions", "units.unseen")
THINGS_IN_ING = listed("captions", "view.things_in_ing")


class PhraseUnit(NamedTuple):
    """A part of a caption that is true by itself. `heads`: the tokens of its nouns."""

    text: str
    kind: Literal["entity", "relation"]
    heads: tuple[int, ...]


def noun_phrases(parsed: Parsed) -> list[PhraseUnit]:
    """Noun phrases with their determiners and modifiers, in the order of the caption; no pronouns.

    What an "of" leads to belongs to them ("a bank of lockers"), and one without an article has that of the first of
    its row ("a man and woman").
    """
    heads = [i for i in range(len(parsed.words)) if _is_head(parsed, i)]
    return [PhraseUnit(text, "entity", (head,)) for head in heads if (text := _phrase(parsed, head))]


def relations(parsed: Parsed) -> list[PhraseUnit]:
    """Subject, relation and object as a short text, in the order of the caption.

    From verbs with a subject and an object or a prepositional object, participles behind a noun ("a dog chasing a
    ball"), and prepositions between two noun phrases.
    """
    phrases = {unit.heads[0]: unit.text for unit in noun_phrases(parsed)}
    found: dict[str, PhraseUnit] = {}
    for subject, words, thing in _triples(parsed):
        if subject in phrases and thing in phrases and subject != thing:
            text = f"{phrases[subject]} {' '.join(_agreeing(parsed, subject, words))} {phrases[thing]}"
            if len(text.split()) <= MAX_WORDS:
                found.setdefault(text, PhraseUnit(text, "relation", (subject, thing)))
    return list(found.values())


def units(parsed: Parsed) -> list[PhraseUnit]:
    """Relations and noun phrases of a caption, without the one that is the whole caption, and without repeats.

    Phrases that name nothing to be seen ("the distance") are parts of relations alone.
    """
    whole = parsed.text.rstrip(" .!").casefold()
    found: dict[str, PhraseUnit] = {}
    seen = (unit for unit in noun_phrases(parsed) if parsed.words[unit.heads[0]].lower() not in UNSEEN)
    for unit in [*relations(parsed), *seen]:
        if unit.text.casefold() != whole:
            found.setdefault(unit.text.casefold(), unit)
    return list(found.values())


def _is_head(parsed: Parsed, i: int) -> bool:
    word = parsed.words[i].lower()
    if word in UNNAMED or (word.endswith("ing") and word not in THINGS_IN_ING):
        return False  # a verb taken for a noun: "a dog playing in the snow"
    inside = parsed.deps[i] in ("compound", "nmod", "npadvmod", "poss")
    return parsed.tags[i] in NOUN_TAGS and not inside and not _leads_on(parsed, i)


def _leads_on(parsed: Parsed, i: int) -> bool:
    """Whether a noun is part of a preposition of several words: "front" in "in front of the house"."""
    if parsed.deps[i] != "pobj":
        return False
    below = parsed.children(i)
    bare = not any(parsed.deps[c] in ("det", "amod", "poss", "nummod", "compound") for c in below)
    return bare and any(parsed.deps[c] == "prep" and parsed.words[c].lower() == "of" for c in below)


def _phrase(parsed: Parsed, head: int) -> str:
    """The noun phrase as text; "" where a thing is named without an article in the middle of a caption."""
    first, last = _span(parsed, head)
    article = ""
    bare = first == head and parsed.tags[head] == "NN" and parsed.words[head].lower() not in MASS
    if bare and head:
        row = parsed.heads[head]
        own = parsed.words[_span(parsed, row)[0]].lower() if parsed.deps[head] == "conj" else ""
        if own not in ("a", "an"):
            return ""
        article = f"{indefinite_article(parsed.words[head])} "
    below = next((c for c in parsed.children(last) if parsed.words[c].lower() == "of" and c == last + 1), None)
    if below is not None:
        inner = next((c for c in parsed.children(below) if parsed.deps[c] == "pobj" and _is_head(parsed, c)), None)
        if inner is None or _span(parsed, inner)[0] != below + 1:
            return ""  # "one of them"; "a group of" something that is no noun phrase
        last = inner
    return article + _text(parsed, first, last)


def _agreeing(parsed: Parsed, subject: int, words: list[str]) -> list[str]:
    """The relation's words, its verb in the singular where one of several subjects is taken alone."""
    above = parsed.heads[subject]
    alone = not any(parsed.deps[child] == "conj" for child in parsed.children(subject))
    if alone or parsed.tags[subject] != "NN" or parsed.tags[above] != "VBP" or parsed.words[above] != words[0]:
        return words
    return ["is" if words[0] == "are" else inflect(lemma(words[0].lower(), "v"), "VBZ"), *words[1:]]


def _span(parsed: Parsed, head: int) -> tuple[int, int]:
    """First and last token of the noun phrase that ends in `head`: unbroken, without what follows the noun."""
    first = head
    while first > 0:
        token = first - 1
        if not _belongs(parsed, token, head):
            break
        first = token
    while first < head and parsed.deps[first] in ("punct", "cc"):
        first += 1
    return first, head


def _belongs(parsed: Parsed, token: int, head: int) -> bool:
    """Whether a token hangs below `head` by links that stay inside a noun phrase."""
    steps = 0
    while token != head:
        above = parsed.heads[token]
        joined = parsed.deps[token] in JOINED and parsed.tags[above].startswith("JJ")
        if steps > len(parsed.words) or not (joined or parsed.deps[token] in INSIDE):
            return False
        token, steps = parsed.heads[token], steps + 1
    return True


def _text(parsed: Parsed, first: int, last: int) -> str:
    end = parsed.starts[last] + len(parsed.words[last])
    text = parsed.text[parsed.starts[first] : end]
    opening = first == 0 and parsed.tags[0] not in ("NNP", "NNPS")
    return (
        text[0].lower() + text[1:] if opening and not (len(parsed.words[0]) > 1 and parsed.words[0].isupper()) else text
    )


def _triples(parsed: Parsed) -> Iterator[tuple[int, list[str], int]]:
    """(subject, the words of the relation, object) as token positions and words."""
    children: list[list[int]] = [[] for _ in parsed.words]
    for i, head in enumerate(parsed.heads):
        if head != i:
            children[head].append(i)
    for i, tag in enumerate(parsed.tags):
        if tag.startswith("VB"):
            subjects = [c for c in children[i] if parsed.deps[c] in SUBJECTS]
            if not subjects and parsed.deps[i] == "acl":
                subjects = [parsed.heads[i]]
            particle = [parsed.words[c] for c in children[i] if parsed.deps[c] == "prt"]
            denied = any(parsed.deps[c] == "neg" for c in children[i])
            verb = [parsed.words[i], *particle]
            done_to = any(parsed.deps[c] == "dobj" for c in children[i])
            for subject in [] if denied else subjects:
                for child in children[i]:
                    if parsed.deps[child] in OBJECTS:
                        yield subject, verb, child
                    elif parsed.deps[child] == "prep" and not done_to:  # no "a dog holds in its mouth"
                        yield from (
                            (subject, [*verb, *words], thing) for words, thing in _objects(parsed, children, child)
                        )
        elif tag in NOUN_TAGS:
            for child in children[i]:
                if parsed.deps[child] == "prep" and parsed.words[child].lower() != "of":
                    yield from ((i, words, thing) for words, thing in _objects(parsed, children, child))


def _objects(parsed: Parsed, children: list[list[int]], preposition: int) -> Iterator[tuple[list[str], int]]:
    """What a preposition leads to, through a second one ("in front of", "on top of") where there is one."""
    for child in children[preposition]:
        if parsed.deps[child] == "pobj":
            if not _leads_on(parsed, child):
                yield [parsed.words[preposition]], child
                continue
            inner = next(c for c in children[child] if parsed.deps[c] == "prep" and parsed.words[c].lower() == "of")
            words = [parsed.words[preposition], parsed.words[child], parsed.words[inner]]
            yield from ((words, c) for c in children[inner] if parsed.deps[c] == "pobj")
        elif parsed.deps[child] == "prep":
            yield from (
                ([parsed.words[preposition], parsed.words[child]], c)
                for c in children[child]
                if parsed.deps[c] == "pobj"
            )
