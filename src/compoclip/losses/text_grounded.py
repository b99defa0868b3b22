"""Text-grounded contrast: a caption against its teacher's embedding and its negatives (DeGLA, 2504.16801, Eq. 9)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.softmax import own_cross_entropy

__all__ = ["text_grounded"]


def text_grounded(features: Features, scale: float = 10.0, mask: Literal["paper", "released"] = "paper") -> Tensor:
    """Cross-entropy, for a caption, of the teacher's embedding of the same caption among itself and the negatives.

    scale: 10 as released; Eq. 9 prints none (1). mask: `paper` pairs a caption with its own negatives; `released`
    repeats the released code's type-major mask on sample-major rows, where caption i meets the flattened negatives
    i, i + B, i + 2B, ..., most of them another caption's.

    features: `text` (B, D), and the teacher's `teacher_text` (B, D) and `teacher_negatives` (B, K, D). A scalar.

    Example: text_grounded(features, mask="released")
    """
    negatives = require(features.negatives, "negatives", "text_grounded")
    present = require(features.negative_mask, "negative_mask", "text_grounded")
    teacher = require(features.teacher_text, "teacher_text", "text_grounded")
    if mask == "released":
        batch, count, width = negatives.shape
        negatives = negatives.reshape(count, batch, width).transpose(0, 1)
        present = present.reshape(count, batch).T
    true = scale * (features.text * teacher).sum(dim=1)
    wrong = scale * torch.einsum("bd,bkd->bk", features.text, negatives)
    return own_cross_entropy(true, wrong, present)
