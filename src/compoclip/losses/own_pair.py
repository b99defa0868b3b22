"""A true text against one wrong text of its own, for the image (CLIC, arXiv 2505.24424, L_SNeg; DAC's L_neg)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.masks import masked_mean

__all__ = ["own_pair"]


def own_pair(features: Features) -> Tensor:
    """Two-way cross-entropy of a true text and each of its caption's negatives, at the learned scale.

    The mean over the pairs whose negative is there. Where `texts` are given, the mean over their sets, each over the
    samples that have it.

    features: `image` (B, D), `text` (B, D) or `texts` (B, S, D), `negatives` (B, K, D). A scalar.

    Example: own_pair(features)
    """
    negatives = require(features.negatives, "negatives", "own_pair")
    present = require(features.negative_mask, "negative_mask", "own_pair")
    texts = features.text[:, None] if features.texts is None else features.texts  # (B, S, D)
    here = torch.ones_like(texts[..., 0], dtype=torch.bool) if features.texts is None else features.text_present
    true = features.logit_scale * torch.einsum("bd,bsd->bs", features.image, texts)
    wrong = features.logit_scale * torch.einsum("bd,bkd->bk", features.image, negatives)
    pairs = F.softplus(wrong[:, None, :] - true[:, :, None])  # (B, S, K)
    counted = require(here, "text_present", "own_pair")[:, :, None] & present[:, None, :]
    sets = [masked_mean(pairs[:, index], counted[:, index]) for index in range(texts.shape[1])]
    return masked_mean(torch.stack(sets), counted.any(dim=2).any(dim=0)) if sets else features.image.sum() * 0.0
