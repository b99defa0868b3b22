"""Blending weights of a base and a fine-tuned model (WiSE-FT; Wortsman et al. 2022), and soups of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy, deepcopy

import torch
from torch import Tensor

from compoclip.errors import InputError
from compoclip.models.model import Model

POSITIONS = "positional_embedding"


def blend_states(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    """(1 - alpha) base + alpha tuned for floating tensors; the rest from `tuned`. alpha 0 and 1 are exact.

    Raises InputError where keys or shapes differ (LoRA has to be merged first).
    """
    if set(base) != set(tuned):
        odd = sorted(set(base) ^ set(tuned))
        raise InputError(f"the two models have different weights ({len(odd)} names differ, such as {odd[0]})")
    out = {}
    for name, a in base.items():
        b = tuned[name]
        if a.shape != b.shape:
            raise InputError(f"{name}: shape {tuple(a.shape)} in the base, {tuple(b.shape)} in the tuned model")
        if not a.is_floating_point() or alpha == 1.0:
            out[name] = b.clone()
        elif alpha == 0.0:
            out[name] = a.clone()
        else:
            out[name] = torch.lerp(a, b.to(a.dtype), alpha)
    return out


def blend(base: Model, tuned: Model, alpha: float) -> Model:
    """A new model between `base` (alpha 0) and `tuned` (alpha 1); the longer text is cut to the shorter's length.

    Raises InputError where they do not match.
    """
    if not 0.0 <= alpha <= 1.0:
        raise InputError(f"alpha={alpha}: must be between 0 (the base) and 1 (the tuned model)")
    if base.info["activation"] != tuned.info["activation"]:
        raise InputError(f"activations differ: {base.info['activation']} and {tuned.info['activation']}")
    base, tuned = same_context(base, tuned)
    mixed = _with(tuned, blend_states(base.clip.state_dict(), tuned.clip.state_dict(), alpha))
    mixed.info |= {"blend": {"base": base.info.get("name"), "alpha": alpha}, "sha256": None}
    return mixed


def soup(models: Sequence[Model]) -> Model:
    """The mean of several fine-tunes of one base, such as seeds (model soups; Wortsman et al. 2022).

    Raises InputError where they do not match, and for none.
    """
    if not models:
        raise InputError("a soup needs at least one model")
    first = models[0]
    if any(m.info["activation"] != first.info["activation"] for m in models):
        raise InputError("the models of a soup have different activations")
    total = {k: v.double() if v.is_floating_point() else v for k, v in first.clip.state_dict().items()}
    for other in models[1:]:
        state = other.clip.state_dict()
        blend_states(first.clip.state_dict(), state, 1.0)  # refuses other names and shapes
        total = {k: v + state[k].double() if v.is_floating_point() else v for k, v in total.items()}
    kinds = first.clip.state_dict()
    mean = {k: (v / len(models)).to(kinds[k].dtype) if v.is_floating_point() else v for k, v in total.items()}
    mixed = _with(first, mean)
    mixed.info |= {"soup": [str(m.info.get("name")) for m in models], "sha256": None}
    return mixed


def _with(model: Model, state: Mapping[str, Tensor]) -> Model:
    mixed = copy(model)
    mixed.clip = deepcopy(model.clip)
    mixed.clip.load_state_dict(state)
    mixed.info = dict(model.info)
    return mixed


def same_context(a: Model, b: Model) -> tuple[Model, Model]:
    """Both with the shorter text length; unchanged where it is the same or where positions are kept elsewhere."""
    lengths = [len(m.clip.state_dict().get(POSITIONS, ())) for m in (a, b)]
    if lengths[0] == lengths[1] or 0 in lengths:
        return a, b
    shorter = min(lengths)
    return (a if lengths[0] == shorter else cut_context(a, shorter)), (
        b if lengths[1] == shorter else cut_context(b, shorter)
    )


def cut_context(model: Model, length: int) -> Model:
    """The same model with only the first `length` text positions: equal features for texts that fit."""
    from compoclip.models.importing import build

    config = deepcopy(model.config["model_cfg"])
    config["text_cfg"]["context_length"] = length
    state = dict(model.clip.state_dict())
    state[POSITIONS] = state[POSITIONS][:length].clone()
    tokenizer = None
    if config["text_cfg"]["vocab_size"] != 49408:
        tokenizer = copy(model.tokenizer)
        tokenizer.context_length = length
    cut = build(config, state, str(model.info.get("name")), tokenizer, model.config["preprocess_cfg"])
    cut.info |= {**model.info, "context_length": length}
    return cut
