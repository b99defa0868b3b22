"""The two numbers beside the towers, the logit scale and SigLIP's bias: how far one may grow, and what trains them."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

CLIP_LIMIT = math.log(100.0)  # CLIP (Radford et al. 2021), section 2.5


def scale_limit(clip: Any) -> float:
    """The largest logit scale, as a logarithm: CLIP's 100, or what the model was loaded with where that is more.

    SigLIP's scale is over 110; clamping it to 100 would change every logit at the first step.
    """
    return max(CLIP_LIMIT, float(clip.logit_scale.detach().float().max()))


def scalars_account(clip: Any, uses_bias: bool) -> list[str]:
    """Sentences for the start of a run: what is not trained, or not clamped, as one may expect."""
    lines = []
    limit = scale_limit(clip)
    if limit > CLIP_LIMIT:
        lines.append(f"logit_scale: starts at {math.exp(limit):.1f}, over CLIP's limit of 100; it may not grow further")
    if not clip.logit_scale.requires_grad:
        lines.append(f"logit_scale: not trained, stays {float(clip.logit_scale.detach().exp().max()):.1f}")
    bias: Tensor | None = getattr(clip, "logit_bias", None)
    if bias is not None and not (uses_bias and bias.requires_grad):
        why = "no term of this objective uses it" if not uses_bias else "it is frozen"
        lines.append(f"logit_bias: not trained, stays {float(bias.detach().max()):.2f} ({why})")
    return lines
