"""Phrases against images pooled for each phrase by parameter-free attention (C2LIP, arXiv 2603.25722, L_XAC)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.phrase_contrast import PhraseForm, PhraseRepeats, phrase_loss

__all__ = ["phrase_pooled"]

CHUNK = 64  # phrases at a time: the pooled vectors of all pairs are (M, B, D)


def phrase_pooled(
    features: Features, temperature: float = 1.0, form: PhraseForm = "sigmoid", repeats: PhraseRepeats = "paper"
) -> Tensor:
    """As `phrase_contrast`, with the image vector that a phrase attends to in place of the pooled one.

    Patches (B, P, D) are normalised first; a phrase weighs them by softmax(x.p / temperature), and the mixture is
    normalised again. At temperature 1 the weights are nearly even.

    features: `image_tokens` (B, P, D) and `phrases` (M, D); form, repeats: as in `phrase_contrast`. A scalar.

    Example: phrase_pooled(features, form="softmax")
    """
    phrases = require(features.phrases, "phrases", "phrase_pooled")
    patches = F.normalize(require(features.image_tokens, "image_tokens", "phrase_pooled"), dim=-1, eps=1e-8)
    rows = [_cosines(part, patches, temperature) for part in phrases.split(CHUNK)]
    cosines = torch.cat(rows) if rows else phrases @ features.image.T
    return phrase_loss(features, cosines, form, repeats, "phrase_pooled")


def _cosines(phrases: Tensor, patches: Tensor, temperature: float) -> Tensor:
    """Cosine of each phrase (M, D) with its own mixture of each image's patches (B, P, D): (M, B)."""
    similarity = torch.einsum("md,bpd->mbp", phrases, patches)
    weights = (similarity / temperature).softmax(dim=-1)
    mixture = F.normalize(torch.einsum("mbp,bpd->mbd", weights, patches), dim=-1, eps=1e-8)
    return torch.einsum("mbd,md->mb", mixture, phrases)
