"""Which pairs of a batch are no negatives of each other."""

from __future__ import annotations

import torch
from torch import Tensor

from compoclip.losses.features import Features

__all__ = ["log_sum_exp", "masked_mean", "same_image"]


def same_image(features: Features) -> Tensor:
    """(B, B) bool: two samples, not one and the same, that show the same image.

    features: `image_id` (B,), or None where no two are alike.

    Example: logits = logits.masked_fill(same_image(features), -torch.inf)
    """
    size, device = len(features.image), features.image.device
    if features.image_id is None:
        return torch.zeros(size, size, dtype=torch.bool, device=device)
    same = features.image_id[:, None] == features.image_id[None, :]
    return same & ~torch.eye(size, dtype=torch.bool, device=device)


def masked_mean(values: Tensor, present: Tensor) -> Tensor:
    """Mean of the values that are present; 0, still part of the graph, where none is.

    values, present: of one shape, `present` bool.

    Example: masked_mean(losses, mask)
    """
    kept = torch.where(present, values, torch.zeros_like(values))
    return kept.sum() / present.sum().clamp_min(1)


def log_sum_exp(logits: Tensor, present: Tensor, dim: int) -> Tensor:
    """Log-sum-exp over the present logits along `dim`; a line without any gives 0 and no gradient.

    logits, present: of one shape, `present` bool.

    Example: log_sum_exp(logits, mask, dim=1)
    """
    line = present.any(dim=dim, keepdim=True)
    shown = torch.where(line, logits.masked_fill(~present, -torch.inf), torch.zeros_like(logits))
    return torch.where(
        line.squeeze(dim), torch.logsumexp(shown, dim=dim), torch.zeros_like(line.squeeze(dim), dtype=logits.dtype)
    )
