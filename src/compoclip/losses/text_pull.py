"""Two true texts of one image, drawn together (CLIC, arXiv 2505.24424, L_Uni)."""

from __future__ import annotations

from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.masks import masked_mean

__all__ = ["text_pull"]


def text_pull(features: Features) -> Tensor:
    """Squared distance of the first two `texts` of a sample, or of a caption and its paraphrases; mean over those.

    features: `texts` (B, S, D), or `text` (B, D) and `paraphrases` (B, R, D). A scalar.

    Example: text_pull(features)
    """
    if features.texts is not None:
        here = require(features.text_present, "text_present", "text_pull")
        if features.texts.shape[1] < 2:
            return features.texts.sum() * 0.0
        apart = (features.texts[:, 0] - features.texts[:, 1]).square().sum(dim=-1)
        return masked_mean(apart, here[:, 0] & here[:, 1])
    others = require(features.paraphrases, "paraphrases", "text_pull")
    present = require(features.paraphrase_mask, "paraphrase_mask", "text_pull")
    return masked_mean((features.text[:, None] - others).square().sum(dim=-1), present)
