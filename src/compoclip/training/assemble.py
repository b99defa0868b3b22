"""The pooled features of a whole batch from those of its parts, on every process, and its gradient dealt out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from compoclip.distributed import Ranks
from compoclip.losses import Features

SCALARS = ("logit_scale", "logit_bias", "margins")  # of the model or the run, not of a sample
FLAT = ("phrases", "phrase_owner", "phrase_id")  # (M, ...), as many as the batch happens to have
SLOTS = (
    *("units", "foils", "unit_mask", "foil_mask", "unit_id"),
    *("texts", "text_present", "paraphrases", "paraphrase_mask"),
)  # (B, slots, ...), where parts may have fewer slots than others
TRAINED = (
    *("image", "text", "negatives", "image_tokens", "units", "foils", "phrases", "texts", "paraphrases"),
    *("logit_scale", "logit_bias"),
)
NEED = {
    "negatives": ("negatives", "negative_mask", "negative_kind"),
    "image_tokens": ("image_tokens",),
    "tokens": ("text_tokens", "text_mask", "negative_tokens", "negative_token_mask"),
    "teacher": ("teacher_image", "teacher_text", "teacher_negatives"),
    "units": ("units", "foils", "unit_mask", "foil_mask", "unit_id"),
    "phrases": FLAT,
    "paraphrases": ("paraphrases", "paraphrase_mask"),
    "margins": ("margins",),
}
_NEED_OF = {name: need for need, names in NEED.items() for name in names}


class WholeBatch:
    """Features of all parts on all ranks, as leaves; `gradients` deals the gradient of the leaves out again.

    found: features of this rank's parts in order. needs: what the terms read; other features are left where they are.
    """

    def __init__(self, found: Sequence[Features], needs: frozenset[str], ranks: Ranks) -> None:
        self.found, self.ranks = found, ranks
        self.rows = sum(len(one.image) for one in found)
        names = [
            f.name
            for f in fields(Features)
            if getattr(found[0], f.name) is not None and _NEED_OF.get(f.name, "") in ("", *needs)
        ]
        own = {name: max(_of(one, name).shape[1] for one in found) for name in names if name in SLOTS}
        own |= {name: sum(len(_of(one, name)) for one in found) for name in names if name in FLAT}
        self.sizes = ranks.share(own) if own else [own]
        self.features = Features(**{name: self._join(name) for name in names})
        self.leaves = {name: _of(self.features, name).requires_grad_() for name in names if name in TRAINED}

    def _join(self, name: str) -> Tensor:
        parts = [_full(_of(one, name)) for one in self.found]
        if name in SCALARS:
            return parts[0].clone()
        if name == "phrase_owner":
            starts = [self.ranks.rank * self.rows]
            for one in self.found:
                starts.append(starts[-1] + len(one.image))
            parts = [part + start for part, start in zip(parts, starts)]
        if name in SLOTS:
            parts = [_padded(part, 1, max(size[name] for size in self.sizes)) for part in parts]
        mine = torch.cat(parts)
        if name not in FLAT:
            return self.ranks.gather(mine)
        counts = [size[name] for size in self.sizes]
        everyone = self.ranks.gather(_padded(mine, 0, max(counts)))
        return torch.cat([part[:count] for part, count in zip(everyone.split(max(*counts, 1)), counts)])

    def gradients(self, loss: Tensor) -> list[dict[str, Tensor]]:
        """The gradient of `loss` for each part's features. That of the scalars, which every rank has whole, goes to the
        first part of the first rank."""
        found = torch.autograd.grad(loss, list(self.leaves.values()), allow_unused=True)
        whole = {name: gradient for name, gradient in zip(self.leaves, found) if gradient is not None}
        row = self.ranks.rank * self.rows
        place = sum(size.get("phrases", 0) for size in self.sizes[: self.ranks.rank])
        out = []
        for number, part in enumerate(self.found):
            dealt = {}
            for name, gradient in whole.items():
                shape = _of(part, name).shape
                if name not in SCALARS:
                    start = place if name in FLAT else row
                    mine = gradient[start : start + shape[0]]
                    dealt[name] = mine[:, : shape[1]] if name in SLOTS else mine
                elif number == 0 and self.ranks.rank == 0:
                    dealt[name] = gradient
            out.append(dealt)
            row += len(part.image)
            place += 0 if part.phrases is None else len(part.phrases)
        return out


def _of(features: Features, name: str) -> Tensor:
    value = getattr(features, name)
    assert isinstance(value, Tensor), name
    return value


def _full(values: Tensor) -> Tensor:
    """Without a graph, and in float32 where it is of half precision."""
    half = values.dtype in (torch.float16, torch.bfloat16)
    return values.detach().float() if half else values.detach()


def _padded(values: Tensor, axis: int, size: int) -> Tensor:
    if values.shape[axis] == size:
        return values
    shape = list(values.shape)
    shape[axis] = size - shape[axis]
    return torch.cat([values, values.new_zeros(shape)], dim=axis)
