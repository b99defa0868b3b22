"""Staying near the teacher's embeddings (DeGLA, arXiv 2504.16801, Eq. 7)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from compoclip.losses.features import Features, require

__all__ = ["distillation"]


def distillation(features: Features, reduction: Literal["sum", "mean"] = "sum") -> Tensor:
    """Squared distance of student and teacher over the images, captions and negatives of the batch.

    reduction: `sum`, as printed and released, which grows with the batch; `mean` divides it by B.

    features: its `image`, `text` and `negatives`, and the teacher's, all (B, …, D) and of length 1.

    Example: 0.005 * distillation(features)
    """
    teacher_image = require(features.teacher_image, "teacher_image", "distillation")
    teacher_text = require(features.teacher_text, "teacher_text", "distillation")
    total = (features.image - teacher_image).square().sum() + (features.text - teacher_text).square().sum()
    if features.negatives is not None:
        teacher_negatives = require(features.teacher_negatives, "teacher_negatives", "distillation")
        total = total + (features.negatives - teacher_negatives).square().sum()
    return total / max(len(features.image), 1) if reduction == "mean" else total
