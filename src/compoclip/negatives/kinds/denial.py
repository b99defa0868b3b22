"""Negation: a caption that denies what the picture shows."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.words import word_set
from compoclip.negatives.draw import Draw
from compoclip.negatives.types import Edit
from compoclip.negatives.view import View
from compoclip.negatives.vocabulary import Vocabulary

AMOUNTS = word_set("lot bunch couple few group number pair little bit variety")


def negate(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A verb, or the presence of a thing, is denied: "not riding a horse", "without a hat", "there is no dog"."""
    parsed, lower = view.parsed, view.lower
    changes: list[tuple[int, int, str]] = []
    for i, word in enumerate(lower):
        after = lower[i + 1] if i + 1 < len(lower) else ""
        if after in ("not", "n't", "no", "never"):
            continue
        if word in ("is", "are", "was", "were"):
            if "there" in lower[max(0, i - 1) : i]:
                if after in ("a", "an") and lower[i + 2 : i + 3] and lower[i + 2] not in AMOUNTS:
                    changes.append((i + 1, i + 2, "no"))
            elif i + 1 < len(lower) and after.isalpha():
                changes.append((i, i + 1, f"{word} not"))
        elif parsed.tags[i] == "VBG" and parsed.deps[i] == "acl" and parsed.heads[i] == i - 1:
            changes.append((i, i, "not"))
        elif word == "with" and parsed.tags[i - 1] not in ("VBN", "VBD") and parsed.deps[i] == "prep":
            objects = [n for n in view.nouns if parsed.heads[n.head] == i]
            if objects and objects[0].phrase == i + 1 and lower[i + 1] in ("a", "an"):
                changes.append((i, i + 2, "with no"))
            elif objects and objects[0].phrase == i + 1:
                changes.append((i, i + 1, "without"))
    shout = parsed.text.isupper()
    for start, end, new in draw.shuffled(changes):
        if start == end:
            left = parsed.starts[start]
            edits: tuple[Edit, ...] = (Edit(left, left, "", new),)
        else:
            edits = (view.edit(start, end, new),)
        text = view.rewrite([(start, end, new)])
        yield (text.upper() if shout else text), edits
    for noun in draw.shuffled(view.nouns):  # "a dog on grass" -> "no dog on grass"
        if noun.article < 0 or lower[noun.article] not in ("a", "an") or lower[noun.article + 1] in AMOUNTS:
            continue
        if parsed.deps[noun.head] in ("ROOT", "nsubj", "nsubjpass", "dobj", "attr"):
            text = view.rewrite([(noun.article, noun.article + 1, "no")])
            yield (text.upper() if shout else text), (view.edit(noun.article, noun.article + 1, "no"),)
