"""Which rewrites of a language model are refused, and why: cheap work on words, thousands a second, no parser."""

from __future__ import annotations

import re
import unicodedata

from compoclip.language.lexicon import is_blocked
from compoclip.negatives.judge import normalised
from compoclip.negatives.llm.kinds import LLM_KINDS
from compoclip.negatives.llm.replies import parse_reply
from compoclip.negatives.llm.rules import keeps_meaning, keeps_rule, reads_broken, singular, words

__all__ = ["REASONS", "check", "parse_reply"]

LONGEST = 300  # characters of a rewrite, or as many as its caption has

REASONS = {
    "empty": "no words",
    "not-english-letters": "other letters, or characters that no caption has",
    "refusal": "the model declines",
    "chat": "talk, labels or marks round the caption, or more sentences than it has",
    "same-as-caption": "equal to its caption after case, punctuation and white space",
    "too-long": "much longer than its caption",
    "too-short": "much shorter than its caption",
    "blocked-word": "brings in a slur, an insult or an obscenity",
    "word-salad": "breaks off, or has words beside each other that no sentence has",
    "breaks-rule": "not what its kind asks for: other words where the same are due, or too many changed",
    "keeps-meaning": "two things that only stand together have changed places",
}

_REFUSAL = re.compile(
    r"""^(?:i['’]?m\ sorry | (?:i\ am|we\ are)\ sorry | sorry\b | i\ apologi[sz]e
    | i\ (?:cannot|can['’]?t|can\ not|won['’]?t|will\ not|am\ unable|am\ not\ able|do\ not\ feel)
    | i\ don['’]?t\ (?:feel|think|see|have) | i['’]m\ (?:unable|not\ able) | unfortunately
    | as\ an?\ (?:ai|large|language)\b | it(?:\ is|['’]s)\ not\ possible | not\ possible
    | (?:cannot|can['’]?t|unable\ to)\b
    | (?:this|the)\ caption\ (?:is|has|does|cannot|contains) | n/?a\.?$ | none\.?$ | null$)""",
    re.I | re.X,
)
_CHAT = (
    re.compile(
        r"""^(?:sure\b | certainly\b | of\ course\b | okay\b | ok\b | absolutely\b
        | (?:please\ )?note\b
        | explanation
        | (?:here|below|following)\ (?:is|are)\b.*\b(?:rewrit|caption|sentence|version|example|output)
        | (?:here|below)['’]s\b | let\ me\ | i\ (?:have|['’]ve|swapped|replaced|changed|rewrote|hope)
        | (?:re-?written|new|original|modified|revised|edited|output|input|rewrites?|caption|answer|result|negative)
          \ ?(?:\w+\ )?\d*\s*[:=])""",
        re.I | re.X,
    ),
    re.compile(r"\bre-?(?:written|write|wrote|writing)\b|\b(?:original|input|the) caption\b|\bhope this\b", re.I),
    re.compile(r"->|→|=>|\*\*|```|[{}<>|\\]|\brule:|https?:", re.I),
    re.compile(r"[(\[\]]"),
    re.compile(r"^[\"“«]|[\"”»]$"),
    re.compile(r":"),
)
_SENTENCE_END = re.compile(r"[.!?]+[\"”')]*\s+(?=\S)")


def check(kind: str, caption: str, rewrite: str) -> str | None:
    """Why a rewrite of a caption is refused, as a key of REASONS; None where nothing speaks against it.

    Looks at the two texts only: whether the rewrite is true of the image for another reason, or repeats another one, is
    for the gates to say. Raises KeyError for an unknown kind.
    """
    family = LLM_KINDS[kind].family
    text = unicodedata.normalize("NFKC", rewrite).strip()
    if not any(map(str.isalpha, text)):
        return "empty"
    if _REFUSAL.match(text) and not _REFUSAL.match(caption):
        return "refusal"
    if _talks(caption, text):
        return "chat"
    if _foreign(text):
        return "not-english-letters"
    if normalised(text) == normalised(caption):
        return "same-as-caption"
    old, new = words(caption), words(text)
    if len(new) > 1.4 * len(old) + 2 or len(text) > max(LONGEST, len(caption)):
        return "too-long"
    if len(new) < 0.6 * len(old) - 1 or not new:
        return "too-short"
    before = {*old, *map(singular, old)}
    if any(is_blocked(word) for word in new if word not in before and singular(word) not in before):
        return "blocked-word"
    if reads_broken(new) and not reads_broken(old):
        return "word-salad"
    if not keeps_rule(kind, old, new):
        return "breaks-rule"
    if family == "reorder" and keeps_meaning(old, new):
        return "keeps-meaning"
    return None


def _talks(caption: str, text: str) -> bool:
    """Marks that the caption has itself are none of the model's."""
    if "\n" in text or len(_SENTENCE_END.findall(text)) > len(_SENTENCE_END.findall(caption.strip())):
        return True
    return any(mark.search(text) and not mark.search(caption) for mark in _CHAT)


def _foreign(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    ascii_letters = sum(char.isascii() and char.isalpha() for char in text)
    odd = any(unicodedata.category(char) in ("Cc", "Cf", "Co", "Cn", "So", "Cs") for char in text)
    return odd or ascii_letters < 0.9 * letters
