"""Attention made of plain Linear layers that share nn.MultiheadAttention's parameters.

peft 0.21 wraps nn.MultiheadAttention so that the output projection's change is added twice. Plain Linear layers have no
such special case, so LoRA goes on these, and the original module comes back afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compoclip.errors import InputError


class PlainAttention(nn.Module):
    """Self-attention equal to a batch-first nn.MultiheadAttention with one packed input projection."""

    def __init__(self, original: nn.MultiheadAttention) -> None:
        super().__init__()
        packed = original.in_proj_weight is not None and original.bias_k is None and not original.add_zero_attn
        if not (packed and original.batch_first and original.dropout == 0.0):
            raise InputError("LoRA supports attention with a packed input projection, batch first, without dropout")
        width = original.embed_dim
        self.heads = original.num_heads
        self.in_proj = nn.Linear(width, 3 * width, bias=original.in_proj_bias is not None, device="meta")
        self.in_proj.weight = original.in_proj_weight
        if original.in_proj_bias is not None:
            self.in_proj.bias = original.in_proj_bias
        self.out_proj = nn.Linear(width, width, bias=original.out_proj.bias is not None, device="meta")
        self.out_proj.weight = original.out_proj.weight
        if original.out_proj.bias is not None:
            self.out_proj.bias = original.out_proj.bias

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, need_weights: bool = False, attn_mask: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """query (N, T, W); key and value must be the same tensor. Returns (N, T, W) and no weights."""
        if key is not query or value is not query:
            raise InputError("LoRA supports self-attention only")
        batch, length, width = query.shape
        parts = self.in_proj(query).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # each (N, H, T, W/H)
        mask = attn_mask
        if mask is not None:
            # True shuts a position out of nn.MultiheadAttention, and lets it into scaled_dot_product_attention
            mask = ~mask if mask.dtype == torch.bool else mask.to(q.dtype)
        if mask is not None and mask.ndim == 3:
            mask = mask.view(batch, self.heads, length, length)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(out.transpose(1, 2).reshape(batch, length, width)), None


def open_attention(
    module: nn.Module, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, nn.MultiheadAttention]:
    """Replace every nn.MultiheadAttention whose name is `wanted` by PlainAttention; returns the originals by name, to
    put back. Raises InputError for one that PlainAttention is not equal to; nothing is replaced then."""
    originals = {n: m for n, m in module.named_modules() if isinstance(m, nn.MultiheadAttention) and wanted(n)}
    plain = {name: PlainAttention(original) for name, original in originals.items()}
    for name in originals:
        module.set_submodule(name, plain[name])
    return originals


@torch.no_grad()
def close_attention(module: nn.Module, originals: dict[str, nn.MultiheadAttention]) -> None:
    """Put the originals back, carrying the weights over in case a Linear no longer shares its storage."""
    for name, original in originals.items():
        plain: Any = module.get_submodule(name)
        original.in_proj_weight.copy_(plain.in_proj.weight)
        original.out_proj.weight.copy_(plain.out_proj.weight)
        module.set_submodule(name, original)
