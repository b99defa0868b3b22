"""AdamW with no decay on gains and biases, Muon beside it for matrices of blocks, a cosine after a linear warm-up."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from compoclip.errors import InputError
from compoclip.models.lora import in_block
from compoclip.models.text_tower import is_text


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]], weight_decay: float, text_scale: float = 1.0
) -> list[dict[str, Any]]:
    """Trainable parameters in two groups: matrices with decay, gains, biases and scales (fewer than 2 axes) without.

    text_scale: learning rate of the text tower by that of the rest; where it is not 1, the tower has groups of its own.
    """
    groups: dict[tuple[float, bool], dict[str, Any]] = {
        (scale, decayed): {"params": [], "weight_decay": weight_decay * decayed, "scale": scale}
        for scale in dict.fromkeys((1.0, text_scale))
        for decayed in (True, False)
    }
    for name, parameter in named:
        if parameter.requires_grad:
            groups[text_scale if is_text(name) else 1.0, parameter.ndim >= 2]["params"].append(parameter)
    if not any(group["params"] for group in groups.values()):
        raise InputError("nothing to train: every parameter is frozen; lock one tower only")
    return list(groups.values())


def adamw(
    model: nn.Module,
    lr: float,
    weight_decay: float,
    betas: tuple[float, float],
    eps: float,
    text_scale: float = 1.0,
) -> torch.optim.AdamW:
    return _adamw(parameter_groups(model.named_parameters(), weight_decay, text_scale), lr, betas, eps)


def _adamw(groups: list[dict[str, Any]], lr: float, betas: tuple[float, float], eps: float) -> torch.optim.AdamW:
    # one pass over memory and not ten; on a GPU torch's own choice is as good
    fused = all(p.device.type == "cpu" for group in groups for p in group["params"]) or None
    return torch.optim.AdamW(groups, lr=lr, betas=betas, eps=eps, fused=fused)


class MuonAdamW(torch.optim.Optimizer):
    """Muon for the matrices of repeated blocks, AdamW for embeddings, projections, gains and biases.

    Muon's update is a matrix with all singular values near 1, here scaled to the root mean square of AdamW's, so that
    one learning rate serves both (Jordan et al. 2024; the scale is that of Liu et al., arXiv 2502.16982, section 2.2).
    Both parts share one `state`, so that it is saved and read as one optimizer's.
    Raises InputError where torch has no Muon (before 2.9) or the model no such matrix that is trained.
    """

    def __init__(
        self,
        model: nn.Module,
        lr: float,
        weight_decay: float,
        betas: tuple[float, float],
        eps: float,
        text_scale: float = 1.0,
    ) -> None:
        if not hasattr(torch.optim, "Muon"):
            raise InputError(f"torch {torch.__version__} has no Muon: install torch 2.9 or newer, or train with adamw")
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        inner = [(name, p) for name, p in named if p.ndim == 2 and in_block(name)]
        if not inner:
            raise InputError("muon trains the matrices of transformer blocks, and no such one is trained: use adamw")
        chosen = {id(p) for _, p in inner}
        outer = [(name, p) for name, p in named if id(p) not in chosen]
        self.parts: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                [group for group in parameter_groups(inner, weight_decay, text_scale) if group["params"]],
                lr=lr,
                adjust_lr_fn="match_rms_adamw",
            )
        ]
        if outer:
            self.parts.append(_adamw(parameter_groups(outer, weight_decay, text_scale), lr, betas, eps))
        for group in self.parts[0].param_groups:
            group["muon"] = True  # for set_lr
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        for part in self.parts:
            part.state = self.state

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for part in self.parts:
            part.step()


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {"adamw": adamw, "muon": MuonAdamW}


def learning_rate(step: int, total: int, peak: float, warmup: int, cooldown: float = 1.0) -> float:
    """Learning rate of `step` (from 0): linear up to `peak` over `warmup` steps, at last half a cosine to 0.

    cooldown: share of the `total` steps that the fall takes; 1 begins it where warm-up ends, less keeps `peak` between.

    >>> [round(learning_rate(step, 8, 1.0, 2, cooldown=0.5), 2) for step in range(8)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.85, 0.5, 0.15]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    start = max(float(warmup), total * (1 - cooldown))
    if step <= start or total <= start:
        return peak
    return peak * 0.5 * (1.0 + math.cos(math.pi * (step - start) / (total - start)))


def set_lr(optimizer: torch.optim.Optimizer, lr: float, muon_scale: float = 1.0) -> None:
    """The learning rate of every group by its own scale; that of Muon's matrices is `muon_scale` times as high."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["scale"] * (muon_scale if group.get("muon") else 1.0)
