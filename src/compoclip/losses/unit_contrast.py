"""An image against the units of its caption, the batch's other units and each unit's own foil (CS-CLIP).

CS-CLIP, arXiv 2602.23906: L_unit, the mean over slots of a contrast in which the foil of a unit is one more class for
its own image. A unit is a short true text ("a brown dog", "dog chasing ball"), a foil the same with one wrong detail.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from compoclip.losses.features import Features, require
from compoclip.losses.masks import log_sum_exp, masked_mean, same_image

__all__ = ["unit_contrast"]


def unit_contrast(
    features: Features,
    foils: Literal["own", "batch"] = "own",
    repeats: Literal["paper", "masked"] = "paper",
    empty_slot: Literal["divide", "skip"] = "divide",
) -> Tensor:
    """Mean over the N slots of half an image-to-unit and half a unit-to-image cross-entropy.

    foils: an image sees the foil of its `own` unit, as in the paper, or all foils of the slot (`batch`). repeats:
    `masked` leaves units of equal `unit_id` out of each other's denominators, which the paper keeps. empty_slot: a slot
    that no sample fills adds 0 and still counts (`divide`), or is left out of the mean (`skip`).
    Units of samples that share an `image_id` are never negatives of each other. Reads units, foils and their masks
    (B, N, …); the foils may be None.

    features: `image` (B, D), and units and foils as above. A scalar.

    Example: unit_contrast(features, foils="batch")
    """
    units = require(features.units, "units", "unit_contrast")
    present = require(features.unit_mask, "unit_mask", "unit_contrast")
    apart = ~same_image(features)
    slots = []
    for slot in range(units.shape[1]):
        here = present[:, slot]
        pairs = here[:, None] & here[None, :] & apart
        if repeats == "masked":
            ids = require(features.unit_id, "unit_id", "unit_contrast")[:, slot]
            eye = torch.eye(len(ids), dtype=torch.bool, device=ids.device)
            pairs = pairs & ((ids[:, None] != ids[None, :]) | eye)
        logits = features.logit_scale * features.image @ units[:, slot].T  # (B, B)
        true = logits.diagonal()
        rows, columns = _with_foils(features, slot, logits, pairs, foils)
        image_to_unit = log_sum_exp(rows, columns, dim=1) - true
        unit_to_image = log_sum_exp(logits, pairs, dim=0) - true
        slots.append(masked_mean(image_to_unit + unit_to_image, here) / 2)
    if not slots:
        return features.image.sum() * 0.0
    if empty_slot == "skip":
        return masked_mean(torch.stack(slots), present.any(dim=0))
    return torch.stack(slots).mean()


def _with_foils(features: Features, slot: int, logits: Tensor, pairs: Tensor, foils: str) -> tuple[Tensor, Tensor]:
    """The logits of a slot and which of them count, with the foils as further columns."""
    if features.foils is None:
        return logits, pairs
    wrong = features.foils[:, slot]
    there = require(features.foil_mask, "foil_mask", "unit_contrast")[:, slot]
    if foils == "own":
        extra = features.logit_scale * (features.image * wrong).sum(dim=1, keepdim=True)
        shown = there[:, None]
    else:
        extra = features.logit_scale * features.image @ wrong.T
        shown = there[None, :].expand_as(extra) & features.unit_mask[:, slot, None]  # type: ignore[index]
    return torch.cat([logits, extra], dim=1), torch.cat([pairs, shown], dim=1)
