"""Text tokens against the image patches that they look at (FSC-CLIP, arXiv 2410.05210, section 3.2, Eq. 5 to 8).

Each text token takes a mixture of the patches by its similarity to them; a caption's score is the log-sum-exp over its
tokens of the scaled cosine between token and mixture. The sum over tokens grows with length: that is in the equation.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.errors import InputError
from compoclip.losses.features import Features, require
from compoclip.losses.softmax import Missing, focal_smoothed

__all__ = ["local_negative", "local_score", "patch_weights"]

Alignment = Literal["minmax", "softmax", "sparse"]
ALIGNMENTS = get_args(Alignment)


def patch_weights(similarity: Tensor, alignment: str) -> Tensor:
    """Weights over the last axis (patches, P) that sum to 1.

    minmax: rescaled to [0, 1] over patches, then divided by their sum; sparse: the same with values under 1/P set to 0
    in between; softmax. A row without any contrast looks at every patch alike.

    similarity: (…, P) of a word to the patches; alignment: one of the three.

    Raises InputError for another.

    Example: patch_weights(tokens @ patches.mT, "minmax")
    """
    if alignment == "softmax":
        return similarity.softmax(dim=-1)
    if alignment not in ALIGNMENTS:
        raise InputError(f"local_alignment={alignment!r}: choose one of {', '.join(ALIGNMENTS)}")
    low = similarity.amin(dim=-1, keepdim=True)
    span = similarity.amax(dim=-1, keepdim=True) - low
    flat = span <= 0
    weights = torch.where(flat, torch.ones_like(similarity), (similarity - low) / span.masked_fill(flat, 1.0))
    if alignment == "sparse":
        weights = weights * (weights >= 1.0 / similarity.shape[-1])
    return weights / weights.sum(dim=-1, keepdim=True)


def local_score(patches: Tensor, tokens: Tensor, mask: Tensor, scale: Tensor, alignment: str = "minmax") -> Tensor:
    """Score of each caption for its image: patches (B, P, D), tokens (B, N, T, D), mask (B, N, T) -> (B, N).

    Finite also for a caption without a valid token; the caller masks that score out.

    scale: the factor of cosines, a scalar; alignment: as in `patch_weights`.

    Example: local_score(patches, tokens, mask, torch.tensor(100.0))
    """
    similarity = torch.einsum("bntd,bpd->bntp", tokens, patches).detach()
    mixture = torch.einsum("bntp,bpd->bntd", patch_weights(similarity, alignment), patches)
    cosine = (F.normalize(mixture, dim=-1) * F.normalize(tokens, dim=-1)).sum(dim=-1)  # (B, N, T)
    shown = mask | ~mask.any(dim=-1, keepdim=True)
    return torch.logsumexp((scale * cosine).masked_fill(~shown, -torch.inf), dim=-1)


def local_negative(
    features: Features,
    gamma: float = 2.0,
    smoothing: float = 0.02,
    missing: Missing = "masked",
    alignment: Alignment = "minmax",
) -> Tensor:
    """Focal, label-smoothed cross-entropy of the caption among itself and its K negatives, by token-to-patch scores.

    features: also `image_tokens` (B, P, D), `text_tokens` (B, T, D), `negative_tokens` (B, K, T, D) and their masks.
    gamma, smoothing, missing: as in `global_negative`; alignment: as in `patch_weights`. A scalar.

    Example: 0.2 * local_negative(features, alignment="minmax")
    """
    term = "local_negative"
    patches = require(features.image_tokens, "image_tokens", term)
    tokens = require(features.text_tokens, "text_tokens", term)
    mask = require(features.text_mask, "text_mask", term)
    hard = require(features.negative_tokens, "negative_tokens", term)
    hard_mask = require(features.negative_token_mask, "negative_token_mask", term)
    present = require(features.negative_mask, "negative_mask", term)
    true = local_score(patches, tokens[:, None], mask[:, None], features.logit_scale, alignment)[:, 0]
    wrong = local_score(patches, hard, hard_mask, features.logit_scale, alignment)
    return focal_smoothed(true, wrong, present, gamma, smoothing, missing)
