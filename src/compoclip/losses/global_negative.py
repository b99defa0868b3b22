"""An image's pooled feature against its caption and the caption's own negatives (FSC-CLIP, arXiv 2410.05210, Eq. 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.softmax import Missing, focal_smoothed

__all__ = ["global_negative"]


def global_negative(
    features: Features, gamma: float = 2.0, smoothing: float = 0.02, missing: Missing = "masked"
) -> Tensor:
    """Focal, label-smoothed cross-entropy of the caption among itself and its K negatives, by pooled features.

    gamma: the focal exponent; smoothing: share of the target that all K + 1 texts divide; missing: absent negatives are
    `masked` out, or stay as logit 0 (`released`). A scalar, the mean over the samples that have a negative.

    Example: 0.5 * global_negative(features, gamma=2.0)
    """
    negatives = require(features.negatives, "negatives", "global_negative")
    present = require(features.negative_mask, "negative_mask", "global_negative")
    scale = features.logit_scale
    true = scale * (features.image * features.text).sum(dim=1)
    wrong = scale * torch.einsum("bd,bkd->bk", features.image, negatives)
    return focal_smoothed(true, wrong, present, gamma, smoothing, missing)
