"""A teacher that follows its student slowly (exponential moving average; DeGLA, arXiv 2504.16801, Eq. 6)."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from compoclip.errors import InputError


class Teacher:
    """EMA of a student's parameters, started from the student itself; buffers are copied, not averaged.

    Frozen parameters are equal in both for ever, so the teacher shares them with the student.
    """

    def __init__(self, student: nn.Module, decay: float = 0.9996) -> None:
        if not 0.0 <= decay <= 1.0:
            raise InputError(f"teacher_decay={decay}: must be between 0 and 1")
        self.decay = decay
        shared = {id(p): p for p in student.parameters() if not p.requires_grad}
        self.clip = deepcopy(student, dict(shared)).eval()
        mine, theirs = dict(self.clip.named_parameters()), dict(student.named_parameters())
        self._pairs = [(mine[name], p) for name, p in theirs.items() if p.requires_grad]
        for own, _ in self._pairs:
            own.requires_grad_(False)
        self._buffers = list(zip(self.clip.buffers(), student.buffers()))

    @torch.no_grad()
    def update(self) -> None:
        """E* <- decay E* + (1 - decay) E, after the student's step."""
        if self._pairs:
            own, theirs = zip(*self._pairs)
            torch._foreach_lerp_(own, theirs, 1.0 - self.decay)
        for mine, buffer in self._buffers:
            if mine is not buffer:
                mine.copy_(buffer)
