"""Low-rank factors of a published checkpoint folded into its weights: W + (alpha / r) B A.

loralib's attention has one A for query, key and value and a B of three times the height; its convolution keeps A of
(r k, in k) and B of (out k, r k), so that r is a k-th of A's height.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compoclip.errors import InputError


@dataclass(frozen=True)
class Merged:
    """What was found: how many layers, their rank, the scale's numerator, and the layout's name in `layouts.yaml`."""

    layers: int
    rank: int
    alpha: float
    layout: str


def has_factors(state: dict[str, Tensor], layouts: dict[str, Any]) -> bool:
    return any(key.endswith(_tail(form["a"])) for key in state for form in layouts.values())


def _tail(pattern: str) -> str:
    return pattern.removeprefix("{0}")


def merge_factors(
    state: dict[str, Tensor], layouts: dict[str, Any], alpha: float, where: str
) -> tuple[dict[str, Tensor], Merged]:
    """A state dict without factors, and what was merged. `layouts`: name -> {weight, a, b} patterns, `{0}` the layer.

    Raises InputError for a factor without its partner or its weight, for shapes that do not multiply to the weight's,
    and for ranks that differ (a scale alpha / r would then be a guess).
    """
    state, ranks, layers, used = dict(state), set(), 0, set()
    for name, form in sorted(layouts.items(), key=lambda item: -len(item[1]["a"])):
        tail = _tail(form["a"])
        for key in [key for key in state if key.endswith(tail)]:
            layer = key[: -len(tail)]
            weight_key, b_key = form["weight"].format(layer), form["b"].format(layer)
            for needed in (b_key, weight_key):
                if needed not in state:
                    raise InputError(f"{where}: {key} has no {needed} beside it")
            a, b, weight = state.pop(key).double(), state.pop(b_key).double(), state[weight_key]
            rank = a.shape[0] // (weight.shape[-1] if weight.ndim == 4 else 1)
            fits = a.ndim == b.ndim == 2 and a.shape[0] == b.shape[1] and len(b) * a.shape[1] == weight.numel()
            if not fits or rank < 1:
                raise InputError(
                    f"{where}: {key} {tuple(a.shape)} and {b_key} {tuple(b.shape)} do not give the shape of "
                    f"{weight_key} {tuple(weight.shape)}"
                )
            ranks.add(rank)
            change = (b @ a).reshape(weight.shape) * (alpha / rank)
            state[weight_key] = (weight.double() + change).to(torch.promote_types(weight.dtype, torch.float32))
            layers += 1
            used.add(name.removesuffix("_packed").removesuffix("_named"))
    if len(ranks) != 1:
        raise InputError(f"{where}: LoRA of ranks {sorted(ranks)} in one file; merge it where it was trained")
    return state, Merged(layers, ranks.pop(), alpha, "/".join(sorted(used)))
