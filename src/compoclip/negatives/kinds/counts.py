"""Numbers and negation: another count, and a caption that denies what the picture shows."""

from __future__ import annotations

from collections.abc import Iterator

from compoclip.language.inflect import PAIRS, inflect
from compoclip.negatives.draw import Draw
from compoclip.negatives.types import Edit
from compoclip.negatives.view import Noun, View
from compoclip.negatives.vocabulary import Vocabulary

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
DIGITS = tuple(str(number) for number in range(1, 11))


def count(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """Another number of things: "three dogs" for "two dogs"; "one dog" where it was not one; "two dogs" for "a dog"."""
    numerals = [(n, i) for n in view.nouns if (i := _numeral(view, n)) is not None]
    for noun, i in draw.shuffled(numerals):
        scale = NUMBERS if view.lower[i] in NUMBERS else DIGITS
        at = scale.index(view.lower[i])
        near = [other for other in range(max(0, at - 2), min(len(scale), at + 3)) if other != at]
        if not noun.plural or any(verb in view.lower for verb in ("are", "were", "have")):
            near = [other for other in near if (other == 0) == (at == 0)]  # the verb agrees with the number
        for other in draw.shuffled(near):
            yield _with_count(view, noun, i, scale[other])
    for noun in draw.shuffled(view.nouns):
        countable = not noun.mass and noun.lemma not in PAIRS and not noun.plural
        alone = view.parsed.deps[noun.head] in ("dobj", "pobj")  # no verb agrees with it
        if countable and alone and noun.article == noun.phrase and view.lower[noun.article] in ("a", "an"):
            yield _with_count(view, noun, noun.article, NUMBERS[1 + draw.below(4)])


def _numeral(view: View, noun: Noun) -> int | None:
    for child in view.children[noun.head]:
        if child < noun.head and view.parsed.deps[child] == "nummod":
            return child if view.lower[child] in (*NUMBERS, *DIGITS) else None
    return None


def _with_count(view: View, noun: Noun, at: int, number: str) -> tuple[str, tuple[Edit, ...]]:
    changes, edits = [(at, at + 1, number)], [view.edit(at, at + 1, number)]
    plural = number not in ("one", "1")
    if plural != noun.plural:
        form = inflect(noun.lemma, "NNS") if plural else noun.lemma
        changes.append((noun.head, noun.head + 1, form))
        edits.append(view.edit(noun.head, noun.head + 1, form))
    return view.rewrite(changes), tuple(edits)


def negate(view: View, draw: Draw, vocabulary: Vocabulary) -> Iterator[tuple[str, tuple[Edit, ...]]]:
    """A verb, or the presence of a thing, is denied: "not riding a horse", "without a hat", "there is no dog"."""
    parsed, lower = view.parsed, view.lower
    changes: list[tuple[int, int, str]] = []
    for i, word in enumerate(lower):
        after = lower[i + 1] if i + 1 < len(lower) else ""
        if after in ("not", "n't", "no", "never"):
            continue
        if word in ("is", "are", "was", "were"):
            if "there" in lower[max(0, i - 1) : i] and after in ("a", "an"):
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
    for start, end, new in draw.shuffled(changes):
        if start == end:
            left = parsed.starts[start]
            edits: tuple[Edit, ...] = (Edit(left, left, "", new),)
        else:
            edits = (view.edit(start, end, new),)
        yield view.rewrite([(start, end, new)]), edits
    for noun in draw.shuffled(view.nouns):  # "a dog on grass" -> "no dog on grass"
        if noun.article >= 0 and lower[noun.article] in ("a", "an") and parsed.deps[noun.head] != "pobj":
            yield (
                view.rewrite([(noun.article, noun.article + 1, "no")]),
                (view.edit(noun.article, noun.article + 1, "no"),),
            )
