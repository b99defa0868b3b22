"""The difference of a model to its base as a LoRA adapter in peft's format, for the base as a CLIPModel."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from compoclip.errors import InputError
from compoclip.export.equality import Equality
from compoclip.export.huggingface import clip_config, compare_clip_model
from compoclip.models import Model
from compoclip.models.hf import quiet
from compoclip.models.layouts import to_huggingface

ROUNDING = 2.0**-24  # of a weight of size 1 in float32, which a merged change carries
MOST = 64  # ranks above this are no adapter any more


def write(model: Model, folder: Path, base: Model, rank: int | None = None) -> Equality:
    """Write `adapter_config.json` and `adapter_model.safetensors`; returns how base + adapter compares with `model`.

    The factors come from the singular values of every matrix's change, so a merged LoRA gives back its own rank. A
    `rank` cuts the change there, and the comparison tells what that costs. Raises InputError where the models are of
    different shape, where weights changed that no adapter can express, and where the change is not of low rank.
    """
    ours, theirs = (
        to_huggingface({k: v.detach().cpu() for k, v in m.clip.state_dict().items()}) for m in (model, base)
    )
    if ours.keys() != theirs.keys() or any(ours[k].shape != theirs[k].shape for k in ours):
        raise InputError(
            "the base is of another architecture than the model; an adapter needs the one it was trained from"
        )
    if model.info["activation"] != base.info["activation"]:
        raise InputError(f"activations differ: {base.info['activation']} in the base, {model.info['activation']} here")
    factors: dict[str, tuple[Tensor, Tensor]] = {}
    for key, tuned in ours.items():
        change = (tuned - theirs[key]).double()
        size = float(theirs[key].abs().max())
        if not float(change.abs().max()) > 1e-7 * max(size, 1e-6):
            continue
        layer = key.removesuffix(".weight")
        if not (key.endswith(".weight") and change.ndim in (2, 4)) or ("embed" in key and change.ndim == 2):
            raise InputError(
                f"{key} changed in training, and a LoRA adapter cannot hold it; export the whole model instead"
            )
        factors[layer] = _factors(change, key, size, rank)
    if not factors:
        raise InputError("the model and its base have the same weights: there is no adapter to write")
    ranks = {layer: a.shape[0] for layer, (a, _) in factors.items()}
    top = max(ranks.values())
    config = {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": Path(str(base.info.get("name"))).name,  # where it lies is nobody's business
        "r": top,
        "lora_alpha": top,
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
        "target_modules": sorted(factors),
        "rank_pattern": {k: r for k, r in ranks.items() if r != top},
        "alpha_pattern": {k: r for k, r in ranks.items() if r != top},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = {}
    for layer, (a, b) in factors.items():
        tensors[f"base_model.model.{layer}.lora_A.weight"] = a.float().contiguous()
        tensors[f"base_model.model.{layer}.lora_B.weight"] = b.float().contiguous()
    save_file(tensors, folder / "adapter_model.safetensors")
    return check(model, base, folder, len(factors))


def _factors(change: Tensor, key: str, size: float, rank: int | None) -> tuple[Tensor, Tensor]:
    """(A, B) with B A the change; a convolution's A keeps the kernel's shape."""
    left, values, right = torch.linalg.svd(change.flatten(1), full_matrices=False)
    # the largest singular value of a matrix of rounding errors is near its deviation times the sum of its sides' roots
    height, width = change.flatten(1).shape
    noise = ROUNDING * (size + float(change.abs().max())) * (height**0.5 + width**0.5)
    own = max(1, int((values > noise).sum()))
    kept = own if rank is None else min(own, rank)
    if kept > MOST and rank is None:
        raise InputError(
            f"{key}: its change has rank {own}, so it was not trained as LoRA; give --rank to cut it there (the check "
            "tells what that costs), or export the whole model"
        )
    root = values[:kept].sqrt()
    a, b = root[:, None] * right[:kept], left[:, :kept] * root
    return (a, b) if change.ndim == 2 else (a.reshape(kept, *change.shape[1:]), b[:, :, None, None])


def check(model: Model, base: Model, folder: Path, layers: int) -> Equality:
    """Load the adapter by peft onto the base as a CLIPModel, and compare."""
    from peft import PeftModel
    from transformers import CLIPModel

    with quiet():
        plain = CLIPModel(clip_config(base))
        state = to_huggingface({k: v.detach().cpu() for k, v in base.clip.state_dict().items()})
        plain.load_state_dict(state, strict=False)
        module: Any = PeftModel.from_pretrained(plain, str(folder)).eval()
    return compare_clip_model(model, module, layers)
