"""Which column holds what: found by name among the usual ones, or named by the user."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any

from compoclip.errors import InputError

IMAGE_COLUMNS = (
    "image", "filepath", "file_path", "image_path", "img_path", "file_name", "filename", "image_file", "image_name",
    "path", "img", "file", "image_id",
)  # fmt: skip
CAPTION_COLUMNS = (
    "caption", "captions", "title", "text", "texts", "sentence", "sentences", "raw", "description", "comment",
    "caption_0", "alt_text",
)  # fmt: skip
SPLIT_COLUMNS = ("split", "subset", "fold")
MAX_LITERAL = 1_000_000  # characters; a longer list in one cell is no list of captions


def find_column(
    columns: Sequence[str], wanted: str | None, usual: Sequence[str], what: str, flag: str, where: str
) -> str:
    """The column to use. Raises InputError that lists the columns there are and the flag that names one."""
    listed = ", ".join(columns) or "none"
    if wanted is not None:
        if wanted in columns:
            return wanted
        raise InputError(f"{where}: no column {wanted!r} (columns: {listed}); name the {what} column with {flag}")
    by_name = {column.strip().lower(): column for column in reversed(columns)}
    for name in usual:
        if name in by_name:
            return by_name[name]
    hint = ""
    if any(column.lower().endswith((".jpg", ".jpeg", ".png", ".webp")) for column in columns):
        hint = ", or put a line with the columns' names first"
    raise InputError(f"{where}: no {what} column found (columns: {listed}); name it with {flag}{hint}")


def optional_column(columns: Sequence[str], usual: Sequence[str]) -> str | None:
    return next((column for column in columns if column.strip().lower() in usual), None)


def tidy(text: str) -> str:
    """One line, no blanks at the ends; otherwise as written."""
    return " ".join(text.split())


def parse_list(text: str) -> list[Any]:
    """A list written as JSON or as a Python literal. Raises ValueError for anything else; nothing is ever evaluated."""
    if len(text) > MAX_LITERAL:
        raise ValueError(f"{len(text)} characters is too long for a list in one cell")
    try:
        value = json.loads(text)
    except ValueError:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            raise ValueError("neither a JSON list nor a Python list") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, (list, tuple)):
        raise ValueError("not a list")
    return list(value)


def caption_list(value: object, may_be_list: bool) -> list[object]:
    """The captions in one cell.

    A list as it is, text that looks like a list parsed where the column may hold lists, else one caption.
    """
    if isinstance(value, (list, tuple)):
        return [item["raw"] if isinstance(item, dict) and "raw" in item else item for item in value]
    if may_be_list and isinstance(value, str) and value.lstrip().startswith("["):
        return parse_list(value.strip())
    return [value]
