"""Image-grounded contrast: an image against its caption and that caption's negatives (DeGLA, 2504.16801, Eq. 8)."""

from __future__ import annotations

import torch
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.softmax import own_cross_entropy

__all__ = ["image_grounded"]


def image_grounded(features: Features) -> Tensor:
    """Cross-entropy of the caption among itself and its own negatives for the image, at the learned scale.

    features: `image` (B, D), `text` (B, D), `negatives` (B, K, D). A scalar.

    Example: image_grounded(features)
    """
    negatives = require(features.negatives, "negatives", "image_grounded")
    present = require(features.negative_mask, "negative_mask", "image_grounded")
    true = features.logit_scale * (features.image * features.text).sum(dim=1)
    wrong = features.logit_scale * torch.einsum("bd,bkd->bk", features.image, negatives)
    return own_cross_entropy(true, wrong, present)
