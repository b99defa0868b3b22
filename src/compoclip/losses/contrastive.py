"""Image-text contrast over a batch, with or without hard negatives in the image-to-text denominator.

Radford et al. 2021 (CLIP); Yuksekgonul et al. 2023 (NegCLIP) for `batch`; DeGLA (arXiv 2504.16801) Eq. 4 for `own`;
Zhai et al. 2023 (SigLIP, arXiv 2303.15343) for the sigmoid form; CLIC (arXiv 2505.24424) for several true texts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.masks import log_sum_exp, masked_mean, same_image
from compoclip.losses.softmax import Missing

__all__ = ["contrastive"]

Crowd = Literal["none", "batch", "own"]


def contrastive(
    features: Features,
    negatives: Crowd = "none",
    missing: Missing = "masked",
    form: Literal["softmax", "sigmoid"] = "softmax",
) -> Tensor:
    """Mean of the image-to-text and text-to-image cross-entropies, or the pairwise sigmoid loss.

    negatives: `none`; `batch`, every negative of the batch competes for every image; `own`, an image sees only the
    negatives of its own caption. missing: `masked` leaves absent negatives out, `released` keeps them as logit 0
    (softmax only). Samples that share an `image_id` are left out of each other's denominators, both ways. Where
    `texts` are given, the mean over their S sets, each over the samples that have it.
    Raises InputError where `form=sigmoid` and the features hold no `logit_bias`.

    Example: contrastive(features, negatives="batch")  # NegCLIP
    """
    if features.texts is None:
        present = torch.ones(len(features.image), dtype=torch.bool, device=features.image.device)
        return _one_set(features, present, negatives, missing, form)
    here = require(features.text_present, "text_present", "contrastive")
    sets = [
        _one_set(replace(features, text=features.texts[:, index]), here[:, index], negatives, missing, form)
        for index in range(features.texts.shape[1])
    ]
    return masked_mean(torch.stack(sets), here.any(dim=0)) if sets else features.image.sum() * 0.0


def _one_set(features: Features, present: Tensor, negatives: Crowd, missing: str, form: str) -> Tensor:
    """The loss over the samples that are `present` (B,), whose texts are `features.text`."""
    image, text, scale = features.image, features.text, features.logit_scale
    counted = present[:, None] & present[None, :] & ~same_image(features)  # (B, B)
    logits = scale * image @ text.T
    hard = None
    if negatives != "none":
        wrong = require(features.negatives, "negatives", "contrastive")
        there = require(features.negative_mask, "negative_mask", "contrastive")
        if missing == "released":
            there = torch.ones_like(there)
        if negatives == "batch":
            hard = scale * image @ wrong.flatten(0, 1).T  # (B, B*K)
            there = there.flatten().expand_as(hard)
        else:
            hard = scale * torch.einsum("bd,bkd->bk", image, wrong)
        there = there & present[:, None]
    if form == "sigmoid":
        bias = require(features.logit_bias, "logit_bias", "contrastive")
        sign = 2 * torch.eye(len(image), device=image.device, dtype=logits.dtype) - 1
        total = torch.where(counted, F.softplus(-sign * (logits + bias)), torch.zeros_like(logits)).sum()
        if hard is not None:
            total = total + torch.where(there, F.softplus(hard + bias), torch.zeros_like(hard)).sum()
        return total / present.sum().clamp_min(1)
    true = logits.diagonal()  # (B,)
    rows, columns = logits, counted
    if hard is not None:
        rows, columns = torch.cat([logits, hard], dim=1), torch.cat([counted, there], dim=1)
    image_to_text = log_sum_exp(rows, columns, dim=1) - true
    text_to_image = log_sum_exp(logits, counted, dim=0) - true
    return (masked_mean(image_to_text, present) + masked_mean(text_to_image, present)) / 2
