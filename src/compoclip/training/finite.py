"""Messages for numbers that are no longer finite: which term, which samples, and what to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from compoclip.training.dataset import TrainBatch
from compoclip.training.towers import Towers

SHOWN = 8  # sample ids in a message
HINT = "lower lr, use grad_clip, or look at these samples; the last checkpoint is kept, and --resume goes on from it"


@torch.no_grad()
def not_finite(
    step: int, terms: Mapping[str, Tensor], parts: Sequence[TrainBatch], towers: Towers, needs: frozenset[str]
) -> str:
    """For a loss: its terms, and the samples whose own features are not finite, or all where that is not the cause."""
    bad = ", ".join(f"{name} {value.item():g}" for name, value in terms.items() if not torch.isfinite(value))
    names = [name for part in parts for name in part.names]
    chosen = []
    for part in parts:
        features = towers.features(part, needs)
        rows = torch.zeros(len(part), dtype=torch.bool)
        for values in (features.image, features.text, features.negatives):
            if values is not None:
                rows |= ~torch.isfinite(values).flatten(1).all(dim=1).cpu()
        chosen += [name for name, wrong in zip(part.names, rows.tolist()) if wrong]
    return f"step {step}: the loss is not finite ({bad or 'the sum of terms'}) for {_samples(chosen or names)}; {HINT}"


def not_finite_gradient(step: int, model: nn.Module, names: Sequence[str]) -> str:
    """For a gradient: the first parameter that has one."""
    wrong = [name for name, p in model.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
    where = wrong[0] if wrong else "its norm is too large for fp32"
    return f"step {step}: the gradient is not finite ({where}) for {_samples(names)}; {HINT}"


def _samples(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"sample{'s' if len(names) > 1 else ''} {shown}{rest}"
