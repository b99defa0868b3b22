"""`compile`: the blocks of the towers compiled by torch, in training steps alone.

Evaluation sees batches of every size, each of which would be compiled anew, so blocks are compiled only inside a step.
There, shapes are few: images come in equal parts, and packed texts in rows of some lengths (`packing.bucketed`). Every
shape has code of its own, whatever came before it, so a resumed run computes what one that was never stopped does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import nn

from compoclip.errors import InputError
from compoclip.models import Model
from compoclip.models.text_tower import packing
from compoclip.progress import say

SHAPES = 64  # of one kind of block, before torch would give up compiling and run it as it is


class CompiledBlocks:
    """The transformer blocks of a model's towers; of the text tower's only where its texts come packed in buckets.

    Raises InputError for towers that have none.
    """

    def __init__(self, model: Model, texts: bool) -> None:
        images = _blocks(model.clip.visual)
        others = [block for block in _blocks(model.clip) if not any(block is own for own in images)]
        texts = texts and packing(model.clip, model.tokenize(["a text"])) is not None
        self.blocks: list[Any] = images + (others if texts else [])
        if not self.blocks:
            raise InputError("compile: this model's towers have no transformer blocks; train without it")
        torch._dynamo.config.recompile_limit = SHAPES
        torch._dynamo.config.accumulated_recompile_limit = 4 * SHAPES
        self._calls = [torch.compile(block._call_impl, dynamic=False) for block in self.blocks]
        left = f"; {len(others)} of the text tower stay as they are" if others and not texts else ""
        say(f"compile: {len(self.blocks)} blocks, at the first step and where texts come in a new shape{left}")

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Inside, the blocks run compiled."""
        for block, call in zip(self.blocks, self._calls):
            block._compiled_call_impl = call
        try:
            yield
        finally:
            for block in self.blocks:
                block._compiled_call_impl = None


def _blocks(module: nn.Module) -> list[Any]:
    return [one for one in module.modules() if isinstance(one, ResidualAttentionBlock) or _of_timm(one)]


def _of_timm(module: nn.Module) -> bool:
    return type(module).__module__ == "timm.models.vision_transformer" and type(module).__name__ == "Block"
