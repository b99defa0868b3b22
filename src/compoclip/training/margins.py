"""Thresholds that a ranking term carries from step to step (CE-CLIP, arXiv 2306.08832)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from compoclip.losses import Features
from compoclip.losses.rank_margin import next_margins


class Margins:
    """The thresholds of the next step, one a slot of negatives, in logits; None before the first step."""

    def __init__(self, cap: float, device: torch.device) -> None:
        self.cap, self.device = cap, device
        self.value: Tensor | None = None

    @classmethod
    def wanted(cls, needs: frozenset[str], options: Any, device: torch.device) -> Margins | None:
        """What a run with these options of terms carries; None where no term reads margins."""
        return cls(options.get("margin_cap", 0.1), device) if "margins" in needs else None

    def follow(self, features: Features) -> None:
        """Take the thresholds that the features of a whole batch give."""
        self.value = next_margins(features, self.cap)

    def state(self) -> list[float] | None:
        return None if self.value is None else self.value.tolist()

    def restore(self, state: list[float] | None) -> None:
        self.value = None if state is None else torch.tensor(state, device=self.device)
