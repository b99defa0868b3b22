"""Captions as they come, and as the rules read them: sentence by sentence, in the case that a parser knows.

Title case and capitals throughout are read from a true-cased copy, and the caption's own case is put back. Swaps and
shuffles stay within a sentence; where a noun gives way, every mention of it does. Only sentences that a text tower
reads are changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from compoclip.language.inflect import indefinite_article, inflect
from compoclip.language.lexicon import POS, lemma, shared_lexicon
from compoclip.language.words import words
from compoclip.negatives.types import Edit

READ = 60  # words of a caption that surely fit CLIP's 77 tokens
_BREAK = re.compile(r"(?<=[.!?])[\"'”’)]*\s+(?=[\"'“‘(]*[A-Z0-9])")
_AFTER = ".!? \"'”’)"  # behind a last sentence's mark, where no other begins
_ABBREVIATED = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|No|vs|Jr|Sr|Ave|Rd|U\.S|[A-Z]))\.\Z")
_WORD = re.compile(r"[^\W\d_][\w’'-]*")
_TITLED = 0.7  # of the longer words begin with a capital
_LONGER = 4  # letters


class Piece(NamedTuple):
    """A sentence: where it starts in the caption, and its text as the parser reads it."""

    start: int
    text: str


class Written:
    """One caption. `pieces` are the sentences to change, `text` the whole with runs of white space as one space."""

    def __init__(self, caption: str, reads: Callable[[str], int] | None = None) -> None:
        self.text = " ".join(caption.split())
        self.style = style(self.text)
        self._cased: dict[str, str] = {}
        if self.style:
            for word in _WORD.findall(self.text):
                self._cased.setdefault(word.lower(), word)
        read = reads(self.text) if reads else _read(self.text)
        sentences = self._sentences()
        self.pieces = [one for one in sentences if one.start == 0 or one.start + len(one.text) <= read]

    @property
    def as_is(self) -> bool:
        """Is it one sentence, in the case in which the rules read it?"""
        return not self.style and len(self.pieces) == 1 and len(self.pieces[0].text) == len(self.text)

    def _sentences(self) -> list[Piece]:
        starts = [0]
        inside = self.text.rstrip(_AFTER)
        if not ("." in inside or "!" in inside or "?" in inside):
            return [Piece(0, self._plain(self.text))]
        for found in _BREAK.finditer(self.text):
            if not _ABBREVIATED.search(self.text[: found.start()]):
                starts.append(found.end())
        ends = [*starts[1:], len(self.text)]
        return [Piece(start, self._plain(self.text[start:end].rstrip())) for start, end in zip(starts, ends)]

    def _plain(self, sentence: str) -> str:
        if not self.style:
            return sentence
        lowered = _WORD.sub(lambda found: true_case(found.group(), self.style), sentence)
        return lowered[:1].upper() + lowered[1:] if len(lowered) == len(sentence) else sentence

    def put_back(
        self, piece: Piece, text: str, edits: Sequence[Edit], everywhere: bool = False
    ) -> tuple[str, tuple[Edit, ...]]:
        """The caption with a sentence's change in it. everywhere: its word gives way in the other sentences too."""
        if not self.style and len(piece.text) == len(self.text):
            return text, tuple(edits)
        before, after = self.text[: piece.start], self.text[piece.start + len(piece.text) :]
        if everywhere and len(edits) == 1:
            before, after = (_renamed(part, edits[0]) for part in (before, after))
        moved = tuple(
            Edit(
                edit.start + piece.start,
                edit.end + piece.start,
                self.text[edit.start + piece.start : edit.end + piece.start],
                self._own_case(edit.new),
            )
            for edit in edits
        )
        return before + self._own_case(text, first=True) + after, moved

    def put_back_both(
        self, pieces: tuple[Piece, Piece], changes: Sequence[tuple[str, tuple[Edit, ...]]]
    ) -> tuple[str, tuple[Edit, ...]]:
        """The caption with the changes of two of its sentences in it, the first of which stands further left."""
        (first, second), ((text, own), (other, others)) = pieces, changes
        whole, later = self.put_back(second, other, others)
        _, earlier = self.put_back(first, text, own)
        head = self.text[: first.start] + self._own_case(text, first=True)
        return head + whole[first.start + len(first.text) :], (*earlier, *later)

    def _own_case(self, text: str, first: bool = False) -> str:
        if not self.style:
            return text
        if self.style == "upper":
            return text.upper()
        small = words("casing", "small")

        def cased(found: re.Match[str]) -> str:
            word = found.group()
            known = self._cased.get(word.lower())
            if known is None:
                known = word if word.lower() in small else word[:1].upper() + word[1:]
            return known[:1].upper() + known[1:] if first and found.start() == 0 else known

        return _WORD.sub(cased, text)


def style(text: str) -> str:
    """ "upper" for capitals throughout, "title" where most words begin with one, "" for a sentence."""
    if text.isupper():
        return "upper" if len(text.split()) > 1 else ""
    if sum(map(str.isupper, text)) < 3:
        return ""
    longer = [word for word in _WORD.findall(text) if len(word) >= _LONGER]
    capitals = sum(word[0].isupper() for word in longer)
    return "title" if len(longer) > 1 and capitals >= _TITLED * len(longer) else ""


@lru_cache(maxsize=50_000)
def true_case(word: str, given: str) -> str:
    """A word of a title in the case that it has in a sentence: lower where the lexicon knows it so."""
    small = word.lower()
    if given == "title" and word.isupper() and 1 < len(word) <= 4:
        return word  # "NASA", "USA"
    if small in words("casing", "small") or small in words("scope", "numbers"):
        return small
    for pos in POS:
        stem = lemma(small, pos)
        senses = shared_lexicon().senses(stem, pos)
        if senses and stem.replace(" ", "_") in shared_lexicon().words(senses[0].synset):
            return small
    return word[:1].upper() + small[1:]


def _read(text: str) -> int:
    """How many characters of a caption its first `READ` words take."""
    if len(text) < 2 * READ:
        return len(text)
    for number, found in enumerate(re.finditer(r"\S+", text), 1):
        if number == READ:
            return found.end()
    return len(text)


def _renamed(text: str, edit: Edit) -> str:
    """The other mentions of the word that gave way, in their own number."""
    *_, old = edit.old.lower().split() or [""]
    *_, new = edit.new.lower().split() or [""]
    if not old.isalpha() or not new.isalpha():
        return text
    one, other = lemma(old, "n"), lemma(new, "n")
    for was, now in ((inflect(one, "NNS"), inflect(other, "NNS")), (one, other)):

        def replaced(found: re.Match[str], now: str = now) -> str:
            article, word = found.group(1) or "", found.group(2)
            if article:
                right = indefinite_article(now)
                article = (right.capitalize() if article[0].isupper() else right) + " "
            return article + (now.capitalize() if word[0].isupper() else now)

        text = re.sub(rf"\b(?:(an?) )?({re.escape(was)})\b", replaced, text, flags=re.IGNORECASE)
    return text
