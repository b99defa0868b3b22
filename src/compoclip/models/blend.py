"""Blending weights of a base and a fine-tuned model (WiSE-FT; Wortsman et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy, deepcopy

import torch
from torch import Tensor

from compoclip.errors import InputError
from compoclip.models.model import Model


def blend_states(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """(1 - alpha) base + alpha tuned for floating tensors; the rest from `tuned`. alpha 0 and 1 are exact.

    Raises InputError where keys or shapes differ (LoRA has to be merged first).
    """
    if set(base) != set(tuned):
        odd = sorted(set(base) ^ set(tuned))
        raise InputError(f"the two models have different weights ({len(odd)} names differ, such as {odd[0]})")
    out = {}
    for name, a in base.items():
        b = tuned[name]
        if a.shape != b.shape:
            raise InputError(f"{name}: shape {tuple(a.shape)} in the base, {tuple(b.shape)} in the tuned model")
        if not a.is_floating_point() or alpha == 1.0:
            out[name] = b.clone()
        elif alpha == 0.0:
            out[name] = a.clone()
        else:
            out[name] = torch.lerp(a, b.to(a.dtype), alpha)
    return out


def blend(base: Model, tuned: Model, alpha: float) -> Model:
    """A new model between `base` (alpha 0) and `tuned` (alpha 1). Raises InputError where they do not match."""
    if not 0.0 <= alpha <= 1.0:
        raise InputError(f"alpha={alpha}: must be between 0 (the base) and 1 (the tuned model)")
    if base.info["activation"] != tuned.info["activation"]:
        raise InputError(f"activations differ: {base.info['activation']} and {tuned.info['activation']}")
    mixed = copy(tuned)
    mixed.clip = deepcopy(tuned.clip)
    mixed.clip.load_state_dict(blend_states(base.clip.state_dict(), tuned.clip.state_dict(), alpha))
    mixed.info = {**tuned.info, "blend": {"base": base.info.get("name"), "alpha": alpha}, "sha256": None}
    return mixed
