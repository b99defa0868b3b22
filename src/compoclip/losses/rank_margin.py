"""A true pair above each negative by a margin that follows what the model achieves: L_CMR of CE-CLIP (2306.08832)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from compoclip.losses.features import Features, require

__all__ = ["next_margins", "rank_margin"]

Margin = Literal["adaptive", "fixed"]


def rank_margin(
    features: Features, margin: Margin = "adaptive", cap: float = 0.1, mean: Literal["paper", "present"] = "paper"
) -> Tensor:
    """Hinge max(0, margin + s v.n - s v.t) over every negative, in logits.

    margin: `adaptive` takes `Features.margins`, which `next_margins` gave the step before (0 where there is none);
    `fixed` is the cap. cap: in cosine, so cap times the scale in logits (0.1 is the released 10 at scale 100).
    mean: over all B x K places, absent ones counted as 0 (`paper`), or over the negatives there are (`present`).

    features: `image` (B, D), `text` (B, D), `negatives` (B, K, D). A scalar.

    Example: 0.3 * rank_margin(features, margin="fixed")
    """
    present = require(features.negative_mask, "negative_mask", "rank_margin")
    true, wrong = _logits(features)
    if margin == "fixed":
        threshold = (cap * features.logit_scale).detach().expand_as(wrong)
    elif features.margins is None:
        threshold = torch.zeros_like(wrong)
    else:
        threshold = features.margins.to(wrong.dtype)[_kinds(features)]
    hinge = torch.where(present, (threshold + wrong - true[:, None]).clamp_min(0.0), torch.zeros_like(wrong))
    count = present.sum() if mean == "present" else torch.tensor(present.numel(), device=wrong.device)
    return hinge.sum() / count.clamp_min(1)


def next_margins(features: Features, cap: float = 0.1) -> Tensor:
    """The thresholds of the next step, one a kind of negative (or a slot, where `negative_kind` is None).

    clip(mean s v.t - mean s v.n over the negatives of that kind, 0, cap s). A kind without a negative in this batch
    keeps its threshold. Under no gradient; the state belongs to the training loop and its checkpoints.

    features: those of this step; cap: in cosine.

    Example: margins = next_margins(features, cap=0.1)
    """
    with torch.no_grad():
        features = features.prepared()
        present = require(features.negative_mask, "negative_mask", "rank_margin")
        true, wrong = _logits(features)
        kinds = _kinds(features)
        count = max(
            int(kinds.max()) + 1 if kinds.numel() else 0, 0 if features.margins is None else len(features.margins)
        )
        old = torch.zeros(count, dtype=wrong.dtype, device=wrong.device)
        if features.margins is not None:
            old[: len(features.margins)] = features.margins
        zeros = torch.zeros_like(old)
        number = zeros.index_add(0, kinds[present], torch.ones_like(wrong)[present])
        total = zeros.index_add(0, kinds[present], wrong[present])
        reached = (true.mean() if len(true) else 0.0) - total / number.clamp_min(1)
        bounded = reached.clamp_min(0.0).minimum(cap * features.logit_scale.to(reached.dtype))
        return torch.where(number > 0, bounded, old)


def _logits(features: Features) -> tuple[Tensor, Tensor]:
    negatives = require(features.negatives, "negatives", "rank_margin")
    true = features.logit_scale * (features.image * features.text).sum(dim=1)
    return true, features.logit_scale * torch.einsum("bd,bkd->bk", features.image, negatives)


def _kinds(features: Features) -> Tensor:
    """(B, K): the index of each negative's threshold."""
    if features.negative_kind is not None:
        return features.negative_kind
    batch, count = require(features.negatives, "negatives", "rank_margin").shape[:2]
    return torch.arange(count, device=features.image.device).expand(batch, count)
