"""Text towers of open_clip: pooled and token features, the text cut to the batch's longest caption where that is exact.

A causal tower that pools at the end token never looks behind it, so positions past the longest caption change nothing
(bit for bit). HF encoders that mask padding are cut too (equal up to rounding: their padded keys weigh exactly 0).
Others (SigLIP: no causal mask, last position pooled) keep their full length.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from open_clip.hf_model import ClsPooler, HFTextEncoder, MeanPooler
from open_clip.model import CLIP
from open_clip.transformer import TextTransformer, text_global_pool
from torch import Tensor, nn

from compoclip.errors import InputError
from compoclip.models.attention import PlainAttention
from compoclip.models.packing import Packed, pack

# encoders with absolute or relative positions counted from the start, whose attention masks padding out
_MASKED_ENCODERS = {"bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "electra", "albert", "camembert"}


class TextOutput(NamedTuple):
    """Pooled (N, D); tokens (N, T, D) and their mask (N, T), False on start and padding, where asked for."""

    pooled: Tensor
    tokens: Tensor | None
    mask: Tensor | None


def text_part(clip: Any) -> Any:
    """The module that contains the text tower: the model itself for the plain CLIP class."""
    return clip.text if hasattr(clip, "text") else clip


def text_parameters(clip: Any) -> list[tuple[str, nn.Parameter]]:
    """Named parameters of the text tower, the logit scale and bias left out."""
    return [(name, p) for name, p in clip.named_parameters() if is_text(name)]


def is_text(name: str) -> bool:
    """Is the parameter of this name one of the text tower?"""
    return not name.startswith(("visual.", "logit_scale", "logit_bias"))


def lengths(clip: Any, ids: Tensor) -> Tensor | None:
    """Tokens of each row up to and with the end token (N,), or None where the text may not be cut."""
    part = text_part(clip)
    if isinstance(part, HFTextEncoder):
        known = part.config.model_type in _MASKED_ENCODERS and isinstance(part.pooler, (MeanPooler, ClsPooler))
        return _last_not(ids, part.config.pad_token_id) if known else None
    if (
        not isinstance(part, (CLIP, TextTransformer))
        or part.attn_mask is None
        or getattr(part, "cls_emb", None) is not None
    ):
        return None
    return _end_positions(part, ids)


def _end_positions(part: Any, ids: Tensor) -> Tensor | None:
    pool = part.text_pool_type if isinstance(part, CLIP) else part.pool_type
    eos = getattr(part, "text_eos_id", None) if isinstance(part, CLIP) else getattr(part, "eos_id", None)
    if pool == "argmax":
        return ids.argmax(dim=1) + 1
    if pool == "eos":
        return torch.eq(ids, int(eos or 0)).int().argmax(dim=1) + 1
    return None


def packing(clip: Any, ids: Tensor) -> Packed | None:
    """The texts with what they begin alike with once, where the tower is causal and takes them so."""
    part, count = text_part(clip), lengths(clip, ids)
    if count is None or not len(ids) or not isinstance(part, (CLIP, TextTransformer)) or not _plain_blocks(part):
        return None
    return pack(ids[:, : int(count.max())], count)


def encode_ids(
    clip: Any, ids: Tensor, dense: bool = False, cut: bool = True, share: bool = False, packed: Packed | None = None
) -> TextOutput:
    """Token ids (N, L) to features in the joint space, not normalised. `cut=False` keeps the full length.

    share: compute what texts begin alike with once, where the tower is causal; equal up to rounding. packed: do so as
    `packing` has laid them out already.

    Raises InputError when `dense` is asked of a tower whose tokens cannot be projected.
    """
    part = text_part(clip)
    count = lengths(clip, ids)
    if cut and count is not None and len(ids):
        ids = ids[:, : int(count.max())]
    if isinstance(part, HFTextEncoder):
        return _encode_hf(part, ids, dense)
    if not isinstance(part, (CLIP, TextTransformer)) or getattr(part, "cls_emb", None) is not None:
        if dense:
            raise InputError(
                f"the text tower {type(part).__name__} has no token features in the joint space: "
                "choose an objective without local_negative"
            )
        out = part(ids) if part is not clip else clip.encode_text(ids)
        return TextOutput(out[0] if isinstance(out, tuple) else out, None, None)
    packed = packing(clip, ids) if share and packed is None else packed
    if packed is not None and count is not None:
        nodes = _packed_hidden(part, packed)  # (R L, W)
        ends = packed.path.gather(1, count[:, None] - 1)[:, 0]
        pooled = _project(part.text_projection, nodes[ends])
        if not dense:
            return TextOutput(pooled, None, None)
        return TextOutput(pooled, _project(part.text_projection, nodes)[packed.path], _text_mask(part, ids))
    hidden = _hidden(part, ids)  # (N, T, W)
    pool = part.text_pool_type if isinstance(part, CLIP) else part.pool_type
    eos = getattr(part, "text_eos_id", None) if isinstance(part, CLIP) else getattr(part, "eos_id", None)
    pooled = _project(part.text_projection, text_global_pool(hidden, ids, pool, eos_token_id=eos))
    if not dense:
        return TextOutput(pooled, None, None)
    return TextOutput(pooled, _project(part.text_projection, hidden), _text_mask(part, ids))


def _text_mask(part: Any, ids: Tensor) -> Tensor:
    """True on words and the end token (N, T), by lengths: an id tells nothing, 0 being "!" in CLIP's vocabulary."""
    position = torch.arange(ids.shape[1], device=ids.device)[None, :]
    end = _end_positions(part, ids)
    if end is not None:
        return (position >= 1) & (position < end[:, None])
    # SigLIP has no start token, and pads either with its end token, whose first place is text, or with `pad_id`
    last = ids[:, -1]
    end = _last_not(ids, last[:, None]) + (last != getattr(part, "pad_id", 0))
    return position < end[:, None]


def _last_not(ids: Tensor, padding: Tensor | int) -> Tensor:
    """Tokens of each row up to and with the last that is not `padding` (N,)."""
    return ((ids != padding) * torch.arange(1, ids.shape[1] + 1, device=ids.device)).amax(dim=1)


def _hidden(part: Any, ids: Tensor) -> Tensor:
    length = ids.shape[1]
    dtype = part.transformer.get_cast_dtype()
    hidden = part.token_embedding(ids).to(dtype) + part.positional_embedding[:length].to(dtype)
    mask = None if part.attn_mask is None else part.attn_mask[:length, :length]
    if getattr(part, "use_pad_mask", False):
        padding = part._build_additive_mask(ids, length, hidden.dtype)
        mask = padding if mask is None else mask + padding
    found: Tensor = part.ln_final(part.transformer(hidden, attn_mask=mask))
    return found


def _plain_blocks(part: Any) -> bool:
    """Whether attention takes a mask for each row and no other mask is laid on it."""
    kinds = (nn.MultiheadAttention, PlainAttention)
    blocks = getattr(part.transformer, "resblocks", ())
    return not getattr(part, "use_pad_mask", False) and all(isinstance(block.attn, kinds) for block in blocks)


def _packed_hidden(part: Any, packed: Packed) -> Tensor:
    dtype = part.transformer.get_cast_dtype()
    hidden = part.token_embedding(packed.ids).to(dtype) + part.positional_embedding[packed.depth].to(dtype)
    attention = part.transformer.resblocks[0].attn
    heads = attention.heads if isinstance(attention, PlainAttention) else attention.num_heads
    mask = torch.zeros_like(packed.mask, dtype=dtype).masked_fill_(~packed.mask, -torch.inf)
    hidden = part.transformer(hidden, attn_mask=mask.repeat_interleave(heads, dim=0))
    found: Tensor = part.ln_final(hidden).flatten(0, 1)
    return found


def _project(projection: Any, values: Tensor) -> Tensor:
    if projection is None:
        return values
    found: Tensor = projection(values) if isinstance(projection, nn.Linear) else values @ projection
    return found


def _encode_hf(part: HFTextEncoder, ids: Tensor, dense: bool) -> TextOutput:
    attended = (ids != part.config.pad_token_id).long()
    out = part.transformer(input_ids=ids, attention_mask=attended)
    pooled = part.proj(part.pooler(out, attended))
    if not dense:
        return TextOutput(pooled, None, None)
    mask = attended.bool().clone()
    mask[:, 0] = False  # the classification token stands where CLIP has its start token
    return TextOutput(pooled, part.proj(out.last_hidden_state), mask)
