"""Everyday classes of nouns: what can stand in for what in a caption. The lists are ours."""

from __future__ import annotations

from compoclip.language.words import table, words

NOUN_CLASSES: dict[str, str] = {name: text.strip() for name, text in table("classes")["nouns"].items()}

DIRECTED: dict[str, str] = {
    first.replace("_", " "): " ".join(others)
    for first, *others in (line.split() for line in table("classes")["directed"])
}

# The first gives way to these where they read well there.
CHECKED: dict[str, list[str]] = {
    first: others for first, *others in (line.split() for line in table("classes")["checked"])
}

NOT_REPLACED = words("things", "nouns.not_replaced")
