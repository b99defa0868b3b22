"""Captions in, hard negative captions out.

>>> generate(["a dog chases a red ball"], kinds=["swap-nouns", "replace-nouns"], per_caption=2, seed=0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compoclip.negatives.types import Edit, Negative

if TYPE_CHECKING:
    from compoclip.negatives.engine import Generator, generate
    from compoclip.negatives.kinds import BUNDLES, KINDS, resolve_kinds
    from compoclip.negatives.store import read_negatives
    from compoclip.negatives.vocabulary import Vocabulary

_LAZY = {
    "generate": "engine",
    "Generator": "engine",
    "KINDS": "kinds",
    "BUNDLES": "kinds",
    "resolve_kinds": "kinds",
    "Vocabulary": "vocabulary",
    "read_negatives": "store",
}
__all__ = [
    "BUNDLES",
    "KINDS",
    "Edit",
    "Generator",
    "Negative",
    "Vocabulary",
    "generate",
    "read_negatives",
    "resolve_kinds",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"compoclip.negatives.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
