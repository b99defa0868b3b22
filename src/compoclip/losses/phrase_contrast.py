"""Every image against every phrase of the batch, by pooled features (C2LIP, arXiv 2603.25722, L_NPC)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.errors import InputError
from compoclip.losses.features import Features, require
from compoclip.losses.masks import log_sum_exp, masked_mean, same_image

__all__ = ["phrase_contrast"]

PhraseForm = Literal["sigmoid", "softmax"]
PhraseRepeats = Literal["paper", "masked"]


def phrase_contrast(features: Features, form: PhraseForm = "sigmoid", repeats: PhraseRepeats = "paper") -> Tensor:
    """Contrast of phrases (M, D) with images (B, D), where the image that owns a phrase is its one positive.

    form: `sigmoid`, the paper's, for towers with a `logit_bias`: log(1 + exp(-z (s v.p + b))), summed over images, mean
    over phrases; `softmax`, for CLIP: half the mean over phrases of a cross-entropy over images, half the mean over
    images with a phrase of the share of their own phrases among all. repeats: `masked` leaves out an image that has
    an equal phrase (`phrase_id`) of its own, which the paper counts as a negative.

    features: `image` (B, D), `phrases` (M, D) and the sample that owns each. A scalar.

    Example: phrase_contrast(features, form="softmax")
    """
    term = "phrase_contrast"
    phrases = require(features.phrases, "phrases", term)
    cosines = phrases @ features.image.T  # (M, B)
    return phrase_loss(features, cosines, form, repeats, term)


def phrase_loss(features: Features, cosines: Tensor, form: str, repeats: str, term: str) -> Tensor:
    """The contrast of phrases (rows) and images (columns) given their cosines (M, B)."""
    owner = require(features.phrase_owner, "phrase_owner", term)
    if len(owner) and (int(owner.min()) < 0 or int(owner.max()) >= len(features.image)):
        raise InputError(f"phrase_owner must point into the batch of {len(features.image)}")
    own = owner[:, None] == torch.arange(cosines.shape[1], device=owner.device)[None, :]  # (M, B)
    counted = ~same_image(features)[owner] | own
    if repeats == "masked":
        ids = require(features.phrase_id, "phrase_id", term)
        alike = (ids[:, None] == ids[None, :]).to(cosines.dtype)  # (M, M)
        counted = counted & ((alike @ own.to(cosines.dtype) == 0) | own)
    logits = features.logit_scale * cosines
    if form == "sigmoid":
        bias = require(features.logit_bias, "logit_bias", term)
        sign = torch.where(own, 1.0, -1.0).to(logits.dtype)
        pairs = torch.where(counted, F.softplus(-sign * (logits + bias)), torch.zeros_like(logits))
        return pairs.sum() / max(len(owner), 1)
    to_image = log_sum_exp(logits, counted, dim=1) - (logits * own).sum(dim=1)
    to_phrases = log_sum_exp(logits, counted, dim=0) - log_sum_exp(logits, own, dim=0)
    return (to_image.sum() / max(len(owner), 1) + masked_mean(to_phrases, own.any(dim=0))) / 2
