"""Cross-entropy of one true class against a caption's own negatives, as the negative terms share it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Missing = Literal["masked", "released"]


def batch_mean(values: Tensor) -> Tensor:
    """Mean over a batch that may be empty (then 0, still part of the graph)."""
    return values.sum() / max(len(values), 1)


def own_cross_entropy(true: Tensor, wrong: Tensor, present: Tensor) -> Tensor:
    """-log softmax of `true` (B,) among itself and the `wrong` logits (B, K) that are `present`; mean over all B.

    A row without a negative has one class and adds exactly 0.
    """
    logits = torch.cat([true[:, None], wrong.masked_fill(~present, -torch.inf)], dim=1)
    return batch_mean(torch.logsumexp(logits, dim=1) - true)


def focal_smoothed(
    true: Tensor, wrong: Tensor, present: Tensor, gamma: float, smoothing: float, missing: str
) -> Tensor:
    """Focal cross-entropy with label smoothing over a caption and its own negatives.

    FSC-CLIP (arXiv 2410.05210) section 3.3: sum_k (1 - p_k)^gamma * (-y_k log p_k), where y spreads `smoothing` evenly
    over the valid classes. `true` (B,), `wrong` (B, K), `present` (B, K). missing: `masked`, or `released` where an
    absent negative stays in the softmax as logit 0. Mean over the rows that have a negative; 0 where none has one.
    """
    if missing == "released":
        logits = torch.cat([true[:, None], wrong.masked_fill(~present, 0.0)], dim=1)
    else:
        logits = torch.cat([true[:, None], wrong.masked_fill(~present, -torch.inf)], dim=1)
    valid = torch.cat([present.new_ones(len(present), 1), present], dim=1)  # (B, 1+K)
    log_p = torch.log_softmax(logits, dim=1)
    log_p = torch.where(valid, log_p, torch.zeros_like(log_p))
    classes = valid.to(log_p.dtype)
    target = smoothing * classes / classes.sum(dim=1, keepdim=True)
    target[:, 0] += 1.0 - smoothing
    # the floor keeps a power below 1 from an infinite slope where p is exactly 1
    focus = (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).tiny) ** gamma
    rows = -(target * focus * log_p).sum(dim=1)
    counted = present.any(dim=1).to(rows.dtype)
    return (rows * counted).sum() / counted.sum().clamp_min(1.0)
