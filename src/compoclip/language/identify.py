"""Which captions are not English: by their letters, or by the small words that every language is full of."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from compoclip.language.lexicon import POS, shared_lexicon
from compoclip.language.words import table

_WORD = re.compile(r"[^\W\d_]+")
_LEAST = 2  # small words of another language, and more than of English


def other_language(text: str) -> str:
    """The language's code ("de", "ja", ...), or its script's name; "" for English and for what says too little.

    >>> other_language("ein Hund auf der Wiese")
    'de'
    """
    if not text.isascii():
        letters = [char for char in text if char.isalpha()]
        foreign = [char for char in letters if not unicodedata.name(char, "").startswith("LATIN")]
        if 2 * len(foreign) > len(letters):
            script = unicodedata.name(foreign[0], "unknown").split()[0].lower()
            return str(table("languages")["scripts"].get(script, script))
    found = {word.lower() for word in _WORD.findall(text)}
    if len(found & _small_words()["en"]) >= _LEAST and text.isascii():
        return ""
    counts = {language: len(found & small) for language, small in _small_words().items()}
    best = max(sorted(counts), key=lambda language: (counts[language], language == "en"))
    return best if best != "en" and counts[best] >= _LEAST and counts[best] > counts["en"] else ""


@cache
def _small_words() -> dict[str, frozenset[str]]:
    """By language; no single letters, and none that English has too ("die", "la", "no")."""
    found = {language: frozenset(text.split()) for language, text in table("languages")["small_words"].items()}
    english, known = found["en"], shared_lexicon()
    return {
        language: small
        if language == "en"
        else frozenset(
            word for word in small - english if len(word) > 1 and not any(pos + word in known for pos in POS)
        )
        for language, small in found.items()
    }
