"""AdamW with no decay on gains and biases, and a cosine with linear warm-up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from compoclip.errors import InputError


def parameter_groups(named: Iterable[tuple[str, nn.Parameter]], weight_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters in two groups: matrices with decay, gains, biases and scales (fewer than 2 axes) without."""
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for _, parameter in named:
        if parameter.requires_grad:
            (decayed if parameter.ndim >= 2 else plain).append(parameter)
    if not decayed and not plain:
        raise InputError("nothing to train: every parameter is frozen; lock one tower only")
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]


def adamw(
    model: nn.Module, lr: float, weight_decay: float, betas: tuple[float, float], eps: float
) -> torch.optim.AdamW:
    groups = parameter_groups(model.named_parameters(), weight_decay)
    # one pass over memory and not ten; on a GPU torch's own choice is as good
    fused = all(p.device.type == "cpu" for group in groups for p in group["params"]) or None
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=fused)


def cosine_lr(step: int, total: int, peak: float, warmup: int) -> float:
    """Learning rate of `step` (from 0): linear up to `peak` over `warmup` steps, then half a cosine to 0 at `total`."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if total <= warmup:
        return peak
    return peak * 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """The learning rate of every group of parameters."""
    for group in optimizer.param_groups:
        group["lr"] = lr
