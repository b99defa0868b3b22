"""What an objective sees: one batch of features, and nothing of the model that made them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from compoclip.errors import InputError


@dataclass(frozen=True)
class Features:
    """Features of a batch, sample-major: B samples, K negatives each, joint width D, P patches, T text positions.

    Pooled features are L2-normalised; tokens are in the joint space and not normalised. Masks are bool. What an
    objective does not use may be None. `image_id` marks captions of one image, which are no negatives of each other.
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
        for name in ("teacher_image", "teacher_text", "teacher_negatives"):
            if values[name] is not None:
                values[name] = values[name].detach()
        return replace(self, **values)


def _zero_outside(values: Tensor | None, mask: Tensor) -> Tensor | None:
    return None if values is None else torch.where(mask[..., None], values, torch.zeros_like(values))


def require(value: Tensor | None, name: str, term: str) -> Tensor:
    """The tensor, or InputError telling which term wanted it."""
    if value is None:
        raise InputError(f"the term {term!r} needs Features.{name}, which is None")
    return value
