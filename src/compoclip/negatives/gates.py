"""What no negative may be. Every refusal is counted by its gate's name."""

from __future__ import annotations

import re
from functools import lru_cache

from compoclip.language.lexicon import is_blocked

_NOT_WORDS = re.compile(r"[^\w]+")
READ = 60  # words of a caption that surely fit CLIP's 77 tokens; a difference after them may be none

GATES = {
    "same-as-caption": "equal to its caption after case, punctuation and white space",
    "true-of-image": "equal to another true caption of the same image",
    "repeated": "equal to an earlier negative of the same caption",
    "blocked-word": "brings in a slur, an insult or an obscenity",
    "cut-off": "differs from its caption only after what a text tower reads",
}


@lru_cache(maxsize=4096)
def normalised(text: str) -> str:
    """Case, punctuation and white space taken out."""
    return _NOT_WORDS.sub(" ", text.lower()).strip()


def refused(text: str, own: str, truths: frozenset[str], earlier: set[str]) -> str | None:
    """The name of the gate that refuses the negative, or None: then it is added to `earlier`.

    `own`, `truths` and `earlier` are normalised.
    """
    plain = _NOT_WORDS.sub(" ", text.lower()).strip()
    if plain == own or not plain:
        return "same-as-caption"
    if plain in truths:
        return "true-of-image"
    if plain in earlier:
        return "repeated"
    if len(own) >= 2 * READ - 1 and plain.split()[:READ] == own.split()[:READ]:
        return "cut-off"
    if any(is_blocked(word) for word in set(plain.split()).difference(own.split())):
        return "blocked-word"
    earlier.add(plain)
    return None
