"""What an objective sees: one batch of features, and nothing of the model that made them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from compoclip.errors import InputError

__all__ = ["Features", "require"]


@dataclass(frozen=True)
class Features:
    """Features of a batch, sample-major: B samples, K negatives each, joint width D, P patches, T text positions.

    Pooled features are L2-normalised; tokens are in the joint space and not normalised. Masks are bool. What an
    objective does not use may be None. `image_id` marks captions of one image, which are no negatives of each other.

    Parts of captions come in two layouts: N units with a foil each, slot by slot (CS-CLIP), and M phrases in one flat
    list with the sample that owns each (C2LIP). Equal `unit_id` or `phrase_id` mark equal texts.
    """

    image: Tensor  # (B, D)
    text: Tensor  # (B, D)
    logit_scale: Tensor  # (), already exponentiated
    negatives: Tensor | None = None  # (B, K, D)
    negative_mask: Tensor | None = None  # (B, K), False where a caption has no such negative
    image_tokens: Tensor | None = None  # (B, P, D)
    text_tokens: Tensor | None = None  # (B, T, D)
    text_mask: Tensor | None = None  # (B, T), False on start and padding
    negative_tokens: Tensor | None = None  # (B, K, T, D)
    negative_token_mask: Tensor | None = None  # (B, K, T)
    teacher_image: Tensor | None = None  # (B, D)
    teacher_text: Tensor | None = None  # (B, D)
    teacher_negatives: Tensor | None = None  # (B, K, D)
    image_id: Tensor | None = None  # (B,) integers
    units: Tensor | None = None  # (B, N, D), true short texts of the image
    foils: Tensor | None = None  # (B, N, D), each unit with one wrong detail
    unit_mask: Tensor | None = None  # (B, N), False where a caption has no such unit
    foil_mask: Tensor | None = None  # (B, N), False where a unit has no foil
    unit_id: Tensor | None = None  # (B, N) integers
    phrases: Tensor | None = None  # (M, D)
    phrase_owner: Tensor | None = None  # (M,) indices into the batch
    phrase_id: Tensor | None = None  # (M,) integers
    texts: Tensor | None = None  # (B, S, D), several true texts of an image, in place of `text`
    text_present: Tensor | None = None  # (B, S)
    paraphrases: Tensor | None = None  # (B, R, D), the caption in other words
    paraphrase_mask: Tensor | None = None  # (B, R)
    negative_kind: Tensor | None = None  # (B, K) integers, the kind of each negative
    margins: Tensor | None = None  # (kinds,) or (K,), thresholds carried from the step before, in logits
    logit_bias: Tensor | None = None  # (), for sigmoid forms

    def prepared(self) -> Features:
        """Half-precision tensors in float32, and missing negatives and padding zeroed.

        Zeroing before any arithmetic keeps whatever lies in a masked slot (NaN included) out of values and gradients.
        A `negative_mask` that is not given means that every negative is there.
        """
        if self.image.ndim != 2 or self.text.shape != self.image.shape:
            shapes = f"{tuple(self.image.shape)} and {tuple(self.text.shape)}"
            raise InputError(f"image and text features must both be (B, D); got {shapes}")
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in values.items():
            if (
                isinstance(value, Tensor)
                and value.is_floating_point()
                and value.dtype in (torch.float16, torch.bfloat16)
            ):
                values[name] = value.float()
        negatives, mask = values["negatives"], values["negative_mask"]
        if negatives is not None:
            if negatives.ndim != 3 or negatives.shape[0] != self.image.shape[0]:
                raise InputError(
                    f"negatives must be (B, K, D) with B = {len(self.image)}; got {tuple(negatives.shape)}"
                )
            if mask is None:
                mask = torch.ones(negatives.shape[:2], dtype=torch.bool, device=negatives.device)
            mask = mask.bool()
            values["negative_mask"] = mask
            for name in ("negatives", "teacher_negatives"):
                values[name] = _zero_outside(values[name], mask)
            if values["negative_token_mask"] is not None:
                values["negative_token_mask"] = values["negative_token_mask"].bool() & mask[..., None]
                values["negative_tokens"] = _zero_outside(values["negative_tokens"], values["negative_token_mask"])
        if values["text_mask"] is not None:
            values["text_mask"] = values["text_mask"].bool()
            values["text_tokens"] = _zero_outside(values["text_tokens"], values["text_mask"])
        for part, present in SLOTS.items():
            if values[part] is not None:
                values[present] = _slot_mask(part, values[part], present, values[present], len(self.image))
        if values["foils"] is not None:
            units = require(values["units"], "units", "foils")
            if values["foils"].shape != units.shape:
                raise InputError(f"foils must be shaped as units, {tuple(units.shape)}")
            foil_mask = _slot_mask("foils", values["foils"], "foil_mask", values["foil_mask"], len(self.image))
            values["foil_mask"] = foil_mask & values["unit_mask"]
            values["foils"] = _zero_outside(values["foils"], values["foil_mask"])
        for part, present in SLOTS.items():
            values[part] = _zero_outside(values[part], values[present])
        if values["phrases"] is not None:
            owner = require(values["phrase_owner"], "phrase_owner", "phrases")
            if values["phrases"].ndim != 2 or owner.shape != values["phrases"].shape[:1]:
                raise InputError("phrases must be (M, D) with phrase_owner (M,)")
        for name in ("teacher_image", "teacher_text", "teacher_negatives", "margins"):
            if values[name] is not None:
                values[name] = values[name].detach()
        return replace(self, **values)


SLOTS = {"units": "unit_mask", "texts": "text_present", "paraphrases": "paraphrase_mask"}


def _slot_mask(part: str, values: Tensor, name: str, mask: Tensor | None, batch: int) -> Tensor:
    """The mask of a (B, slots, D) input: all True where none is given."""
    if values.ndim != 3 or len(values) != batch:
        raise InputError(f"{part} must be (B, slots, D) with B = {batch}; got {tuple(values.shape)}")
    if mask is None:
        return torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
    if mask.shape != values.shape[:2]:
        raise InputError(f"{name} must be {tuple(values.shape[:2])}; got {tuple(mask.shape)}")
    return mask.bool()


def _zero_outside(values: Tensor | None, mask: Tensor) -> Tensor | None:
    return None if values is None else torch.where(mask[..., None], values, torch.zeros_like(values))


def require(value: Tensor | None, name: str, term: str) -> Tensor:
    """The tensor, or InputError telling which term wanted it.

    value: a field of `Features` or None; name: what it is called.

    Example: tokens = require(features.text_tokens, "text_tokens", "local_negative")
    """
    if value is None:
        raise InputError(f"the term {term!r} needs Features.{name}, which is None")
    return value
