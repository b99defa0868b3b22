"""A caption's image against the negatives as texts (CE-CLIP, arXiv 2306.08832, L_IMC)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.masks import log_sum_exp
from compoclip.losses.softmax import batch_mean

__all__ = ["text_contrast"]


def text_contrast(
    features: Features,
    negatives: Literal["batch", "own"] = "batch",
    positive: Literal["image_text", "first_negative"] = "image_text",
) -> Tensor:
    """Cross-entropy of s v.t among itself and s t.n over the negatives: text-text against image-text logits.

    negatives: all of the `batch`, as in the paper, or the caption's `own`; a caption that sees none adds 0.
    positive: `image_text`; `first_negative` repeats the slip of the last released code, which draws every caption to
    the first negative of the batch.

    features: `image` (B, D), `text` (B, D), `negatives` (B, K, D). A scalar.

    Example: 0.2 * text_contrast(features, negatives="own")
    """
    wrong = require(features.negatives, "negatives", "text_contrast")
    present = require(features.negative_mask, "negative_mask", "text_contrast")
    if negatives == "batch":
        flat = wrong.flatten(0, 1)
        extra = features.logit_scale * features.text @ flat.T
        there = present.flatten().expand_as(extra)
    else:
        extra = features.logit_scale * torch.einsum("bd,bkd->bk", features.text, wrong)
        there = present
    if positive == "first_negative":
        if not extra.numel():
            return features.text.sum() * 0.0
        return batch_mean(log_sum_exp(extra, there, dim=1) - torch.where(there[:, 0], extra[:, 0], extra[:, 0] * 0.0))
    true = features.logit_scale * (features.image * features.text).sum(dim=1, keepdim=True)
    rows = torch.cat([true, extra], dim=1)
    return batch_mean(
        log_sum_exp(rows, torch.cat([torch.ones_like(true, dtype=torch.bool), there], dim=1), dim=1) - true[:, 0]
    )
