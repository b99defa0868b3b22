"""A caption against its paraphrase among the batch's paraphrases (READ-CLIP, arXiv 2510.16540, L_align)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.masks import log_sum_exp, masked_mean, same_image

__all__ = ["paraphrase"]


def paraphrase(features: Features, direction: Literal["paper", "released", "both"] = "paper") -> Tensor:
    """Cross-entropy, at the learned scale, of a caption's own paraphrase among those of the batch.

    direction: captions look for paraphrases (`paper`), paraphrases for captions (`released`), or the mean of `both`.
    With several paraphrases a caption (R slots), the mean over the slots that hold any. Captions without a paraphrase
    take no part; samples that share an `image_id` are no negatives of each other.

    features: `text` (B, D) and `paraphrases` (B, R, D). A scalar.

    Example: paraphrase(features, direction="both")
    """
    others = require(features.paraphrases, "paraphrases", "paraphrase")
    present = require(features.paraphrase_mask, "paraphrase_mask", "paraphrase")
    apart = ~same_image(features)
    slots = []
    for slot in range(others.shape[1]):
        here = present[:, slot]
        pairs = here[:, None] & here[None, :] & apart
        logits = features.logit_scale * features.text @ others[:, slot].T  # (captions, paraphrases)
        true = logits.diagonal()
        forward = masked_mean(log_sum_exp(logits, pairs, dim=1) - true, here)
        backward = masked_mean(log_sum_exp(logits, pairs, dim=0) - true, here)
        slots.append({"paper": forward, "released": backward, "both": (forward + backward) / 2}[direction])
    return masked_mean(torch.stack(slots), present.any(dim=0)) if slots else features.text.sum() * 0.0
