"""How much of a text a model's own tokenizer keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def context_length(tokenizer: Any) -> int:
    """Positions of a text, its two marks included."""
    return int(getattr(tokenizer, "context_length", None) or 77)


def is_cut(tokenizer: Any, text: str) -> bool:
    """Whether the tokenizer drops the end of a text. A token is at least one byte, so short texts are told at once."""
    limit = context_length(tokenizer)
    if len(text.encode()) <= limit - 2:
        return False
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is not None:  # open_clip's wrapper of a Hugging Face tokenizer, whose ids bring their marks
        clean = getattr(tokenizer, "clean_fn", None) or str
        return len(inner(clean(text), verbose=False)["input_ids"]) > limit
    if hasattr(tokenizer, "encode"):
        return len(tokenizer.encode(text)) > limit - 2
    return same_tokens(tokenizer, text, [text + " x"])[0]


def same_tokens(tokenizer: Any, text: str, others: Sequence[str]) -> list[bool]:
    """Which of `others` are the same as `text` to the tower: equal ids after lower-casing, cleaning and cutting."""
    if not others:
        return []
    ids = tokenizer([text, *others])
    return [bool(same) for same in (ids[1:] == ids[:1]).all(dim=-1)]
