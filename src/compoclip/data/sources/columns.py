"""Which column contains what, and what a cell of captions says: one table of names for every reader."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

import yaml

from compoclip.data.report import Report
from compoclip.errors import InputError

NAMES: dict[str, Any] = yaml.safe_load((resources.files("compoclip.data.sources") / "names.yaml").read_text("utf-8"))
IMAGE_COLUMNS, CAPTION_COLUMNS, SPLIT_COLUMNS, ID_COLUMNS = (
    tuple(NAMES["columns"][what]) for what in ("image", "caption", "split", "id")
)
SPLITS = {name: names[0] for names in NAMES["splits"] for name in names}  # spelling -> usual name
SPLIT_NAMES = tuple(SPLITS)
NO_CAPTION = frozenset(NAMES["no_caption"])
MAX_LITERAL = 1_000_000  # characters; a longer list in one cell is no list of captions
MAX_CAPTION = 20_000  # characters; a longer text is a document, of which a text tower reads the first words
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_WORD = re.compile(r"None|null|nan|NaN|-?\d+(?:\.\d+)?")
_ARRAY = re.compile(r"array\((.*?)(?:,\s*dtype=[\w<>'\"]+)?\)", re.DOTALL)
_LIST = re.compile(r"\[\s*(['\"{\[\]])|array\(\s*\[")
_OTHER_LIST = re.compile(r"[({]\s*['\"]")


def split_name(text: str) -> str:
    """The usual name of a split (train, val or test), whatever its spelling and letter case; "" for any other word."""
    return str(SPLITS.get(text.strip().casefold(), ""))


def same_split(told: str, asked: str) -> bool:
    """Whether two words name one split."""
    return told.strip().casefold() == asked.strip().casefold() or split_name(told) == split_name(asked) != ""


def _known(columns: Sequence[str], usual: Sequence[str]) -> list[str]:
    """The columns of usual names, in the order of these, whatever their letter case."""
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    return [by_name[name] for name in dict.fromkeys(usual) if name in by_name]


def optional_column(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    return next(iter(_known(columns, usual)), None)


def find_column(
    columns: Sequence[str], wanted: str | None, usual: Sequence[str], what: str, where: str, report: Report
) -> str:
    """The column of what ("image", "caption") is wanted; a choice among several is noted.

    Raises InputError that lists the columns there are and the flag that names one.
    """
    listed, flag = ", ".join(columns) or "none", f"--{what}-key"
    if wanted is not None:
        found = [wanted] if wanted in columns else _known(columns, [wanted.strip().lower()])
        if not found:
            raise InputError(f"{where}: no column {wanted!r} (columns: {listed}); name the {what} column with {flag}")
        return found[0]
    if not (found := _known(columns, usual)):
        headless = any(column.lower().endswith((".jpg", ".jpeg", ".png", ".webp")) for column in columns)
        hint = ", or put a line with the columns' names first" if headless else ""
        raise InputError(f"{where}: no {what} column found (columns: {listed}); name it with {flag}{hint}")
    if others := ", ".join(found[1:]):
        report.note(f"{what}s from column {found[0]!r} (there is also {others}; {flag} names another)")
    return found[0]


def tidy(text: str) -> str:
    """One line, no blanks at the ends; half a surrogate pair, which no file can hold, becomes a question mark."""
    line = " ".join(text.split())
    return line if line.isascii() else line.encode("utf-8", "replace").decode("utf-8")


def usable_caption(value: object, where: str, report: Report) -> str | None:
    """A caption on one line, or None after counting why not. A caption contains a letter or a number."""
    if value is None or value != value:  # NaN is what pandas writes for an empty cell
        report.skip("empty caption", where)
    elif not isinstance(value, str):
        report.skip("caption is not text", where, f"{type(value).__name__}; --caption-key names another column")
    elif len(value) > MAX_CAPTION:
        report.skip("caption too long", where, f"{len(value)} characters, more than {MAX_CAPTION}")
    elif value.strip().casefold() in NO_CAPTION:
        report.skip("empty caption", where, f"{value.strip()!r} stands for no value")
    elif any(character.isalnum() for character in value):
        return tidy(value)
    else:
        report.skip("empty caption", where, "no letter or number in it" if value.strip() else "")
    return None


def parse_list(text: str) -> list[Any]:
    """A list as JSON, Python or numpy (which puts no commas) spells it.

    Raises ValueError for anything else; nothing is ever evaluated, and no two texts are ever joined.
    """
    if len(text) > MAX_LITERAL:
        raise ValueError(f"{len(text)} characters is too long for a list in one cell")
    try:
        value = json.loads(text)
    except ValueError:
        value = _spelled(text.strip())
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, (list, tuple)):
        raise ValueError("not a list")
    return list(value)


def _spelled(text: str) -> list[Any]:
    """The items between brackets: texts in quotes, numbers and None, with commas or blanks between them."""
    array = _ARRAY.fullmatch(text)
    text = array[1].strip() if array else text
    if len(text) < 2 or text[0] + text[-1] not in ("[]", "()", "{}"):
        raise ValueError("neither a JSON list nor a Python list")
    inner, items, place = text[1:-1].strip(), list[Any](), 0
    while place < len(inner):
        token = _STRING.match(inner, place) or _WORD.match(inner, place)
        if token is None or not (token.end() == len(inner) or inner[token.end()] in ", \t\n"):
            found: list[Any] = _literal(text)
            return found
        items.append(None if token[0] in ("None", "null", "nan", "NaN") else _value(token[0]))
        place = token.end()
        while place < len(inner) and inner[place] in ", \t\n":
            place += 1
    return items


def _value(token: str) -> Any:
    """A text or a number as Python spells it."""
    try:
        return ast.literal_eval(token)
    except SyntaxError:  # `\\u` without digits, 007, a number of thousands of digits
        raise ValueError(f"{token[:20]} is neither a text nor a number") from None


def _literal(text: str) -> Any:
    """Python's own reading, for nested values; not where texts stand side by side, which Python joins."""
    try:
        if re.search("\0\\s*\0", _STRING.sub("\0", text)):
            raise ValueError
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise ValueError("neither a JSON list nor a Python list") from None


def caption_list(value: object, plural: bool = False) -> list[object]:
    """The captions in one cell: a list as it is, a text that spells a list parsed, else one caption.

    `plural`: the column's name says that it contains lists, so that any bracket opens one.
    Raises ValueError for a list that cannot be read.
    """
    if isinstance(value, (list, tuple)):
        return [item["raw"] if isinstance(item, dict) and "raw" in item else item for item in value]
    if isinstance(value, str):
        text = value.strip()
        if _LIST.match(text) or (plural and text.startswith("[")):
            return caption_list(parse_list(text))
        if _OTHER_LIST.match(text):
            try:
                return list(_spelled(text))
            except ValueError:
                return [value]  # a caption may begin with a bracket
    return [value]
