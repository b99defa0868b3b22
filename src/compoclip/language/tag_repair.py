"""Small repairs of tags and arcs that a general parser gets wrong in captions ("a pink hexagon sits right of ...")."""

from __future__ import annotations

from compoclip.language.classes import ADJECTIVE_CLASSES

COLOURS = frozenset(ADJECTIVE_CLASSES["colour"].split())
_NAMES = {"NNP": "NN", "NNPS": "NNS"}
_NOUN_PLACES = frozenset({"pobj", "dobj", "nsubj", "nsubjpass", "attr", "ROOT", "conj"})


def repair_tags(words: list[str], tags: list[str], deps: list[str], heads: list[int]) -> None:
    """In place: lower-case names are common nouns, colours before nouns adjectives, and "right of" heads no name."""
    last = len(words) - 1
    for i, word in enumerate(words):
        if tags[i] in _NAMES and word.islower():
            tags[i] = _NAMES[tags[i]]
        if tags[i] == "JJ" and deps[i] in _NOUN_PLACES and i and i == last and tags[i - 1] in ("JJ", "DT"):
            tags[i] = "NN"  # "... of a pink cross"
        head = heads[i]
        if word.lower() in COLOURS and head > i and deps[i] in ("compound", "amod", "nmod"):
            if words[head].lower() not in COLOURS:
                tags[i], deps[i] = "JJ", "amod"
        elif deps[i] == "compound" and words[head] in ("right", "left") and head < last and words[head + 1] == "of":
            heads[i], deps[i] = (heads[head], deps[head]) if heads[head] != head else (i, "ROOT")
            for other in range(i):  # what stood before the name belongs to it
                if heads[other] == head and deps[other] in ("det", "amod", "nummod", "compound"):
                    heads[other] = i
