"""compoclip: teach CLIP models composition without making them forget what they know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from compoclip.models import Model, load

__all__ = ["Model", "__version__", "load"]


def __getattr__(name: str) -> Any:
    # torch and open_clip take seconds to import; a program that only wants negatives should not pay for them
    if name in {"load", "Model"}:
        from compoclip import models

        return getattr(models, name)
    raise AttributeError(f"module 'compoclip' has no attribute {name!r}")
