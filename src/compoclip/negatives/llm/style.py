"""A rewrite dressed as its caption is: first letter, last mark, a/an. Only the meaning then tells them apart."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import pairwise

from compoclip.language.inflect import indefinite_article
from compoclip.negatives.types import Edit

_TAIL = re.compile(r"[\s.!?,;]*$")
_WORD = re.compile(r"\w+(?:[-'’]\w+)*")


def dressed(text: str, caption: str) -> str:
    """The rewrite with the caption's capital and final marks, and "a" or "an" after the word that follows."""
    text = " ".join(text.split())
    while len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and caption[:1] != text[0]:
        text = text[1:-1].strip()
    text = _TAIL.sub("", text)
    text = _with_articles(text, caption)
    return _with_capital(text, caption) + _tail(caption)


def _tail(caption: str) -> str:
    found = _TAIL.search(caption)
    return found.group() if found else ""


def _with_capital(text: str, caption: str) -> str:
    first = _WORD.search(text)
    its_first = _WORD.search(caption)
    if first is None or its_first is None:
        return text
    word = first.group()
    if its_first.group()[0].isupper():
        new = word[0].upper() + word[1:]
    elif word[1:] == word[1:].lower() and word not in _WORD.findall(caption) and word != "I":
        new = word.lower()
    else:
        new = word  # a name, or letters that stand for words
    return text[: first.start()] + new + text[first.end() :]


def _with_articles(text: str, caption: str) -> str:
    """Pairs that the caption has itself are left as they are."""
    known = set(pairwise(_WORD.findall(caption.lower())))
    pieces, at = [], 0
    for one, other in pairwise(_WORD.finditer(text)):
        article, following = one.group(), other.group()
        between = text[one.end() : other.start()]
        if (
            article in ("a", "an", "A", "An")
            and not between.strip()
            and (article.lower(), following.lower()) not in known
        ):
            right = indefinite_article(following)
            pieces += [text[at : one.start()], right.capitalize() if article[0] == "A" else right]
            at = one.end()
    return "".join([*pieces, text[at:]])


def edits_between(caption: str, text: str) -> tuple[Edit, ...]:
    """What gave way to what, word by word; start and end are characters of the caption."""
    old, new = list(_WORD.finditer(caption)), list(_WORD.finditer(text))
    one, other = [word.group().lower() for word in old], [word.group().lower() for word in new]
    found = []
    for a, b, c, d in _changes(one, other):
        if a < b:
            start, end = old[a].start(), old[b - 1].end()
        else:  # nothing went, something came
            start = end = old[a].start() if a < len(old) else len(caption)
        found.append(Edit(start, end, caption[start:end], text[new[c].start() : new[d - 1].end()] if c < d else ""))
    return tuple(found)


def _changes(one: list[str], other: list[str]) -> list[tuple[int, int, int, int]]:
    """Runs a:b of one that are c:d in the other; word against word where that leaves no more words changed."""
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    aligned = [codes for tag, *codes in matcher.get_opcodes() if tag != "equal"]
    if len(one) == len(other):
        differ = [at for at, (old, new) in enumerate(zip(one, other)) if old != new]
        if len(differ) <= sum(max(b - a, d - c) for a, b, c, d in aligned):
            starts = [at for at in differ if at - 1 not in differ]
            ends = [at + 1 for at in differ if at + 1 not in differ]
            return [(a, b, a, b) for a, b in zip(starts, ends)]
    return [(a, b, c, d) for a, b, c, d in aligned]
