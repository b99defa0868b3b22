"""Word knowledge as data: the YAML tables beside this file, in which a class of words is a name and a list."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one reads all tables in a fifth of the time


def word_set(text: str) -> frozenset[str]:
    """The words of a text, separated by white space."""
    return frozenset(text.split())


@cache
def table(name: str) -> dict[str, Any]:
    """A YAML table of `language/tables`, read once: `table("safety")`."""
    text = resources.files("compoclip.language").joinpath("tables", f"{name}.yaml").read_text("utf-8")
    return dict(yaml.load(text, Loader=_LOADER))


@cache
def words(name: str, key: str) -> frozenset[str]:
    """One class of words of a table: `words("kinds", "verbs.tools")`.

    Raises KeyError where the table has no such class.
    """
    return frozenset(table(name)[key].split())


def frozen(value: Any) -> Any:
    """A table's value with tuples in the place of lists."""
    if isinstance(value, dict):
        return {key: frozen(inner) for key, inner in value.items()}
    return tuple(map(frozen, value)) if isinstance(value, list) else value
