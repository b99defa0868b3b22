"""Image-text contrast over a batch, with or without hard negatives in the image-to-text denominator.

Radford et al. 2021 (CLIP); Yuksekgonul et al. 2023 (NegCLIP) for `batch`; DeGLA (arXiv 2504.16801) Eq. 4 for `own`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.softmax import batch_mean


def contrastive(features: Features, negatives: str = "none", missing: str = "masked") -> Tensor:
    """Mean of the image-to-text and text-to-image cross-entropies.

    negatives: `none`; `batch`, every negative of the batch competes for every image; `own`, an image sees only the
    negatives of its own caption. missing: `masked` leaves absent negatives out, `released` keeps them as logit 0.
    Samples that share an `image_id` are left out of each other's denominators, both ways.
    """
    image, text, scale = features.image, features.text, features.logit_scale
    logits = scale * image @ text.T  # (B, B)
    if features.image_id is not None:
        same = features.image_id[:, None] == features.image_id[None, :]
        same = same & ~torch.eye(len(image), dtype=torch.bool, device=image.device)
        logits = logits.masked_fill(same, -torch.inf)
    true = logits.diagonal()  # (B,)
    rows = logits
    if negatives != "none":
        hard = require(features.negatives, "negatives", "contrastive")
        present = require(features.negative_mask, "negative_mask", "contrastive")
        if negatives == "batch":
            extra = scale * image @ hard.flatten(0, 1).T  # (B, B*K)
            present = present.flatten().expand_as(extra)
        else:
            extra = scale * torch.einsum("bd,bkd->bk", image, hard)
        if missing == "masked":
            extra = extra.masked_fill(~present, -torch.inf)
        rows = torch.cat([logits, extra], dim=1)
    image_to_text = torch.logsumexp(rows, dim=1) - true
    text_to_image = torch.logsumexp(logits, dim=0) - true
    return (batch_mean(image_to_text) + batch_mean(text_to_image)) / 2
