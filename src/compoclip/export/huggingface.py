"""A model as a Hugging Face CLIPModel folder with its processor, which `transformers` loads by itself."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.errors import InputError
from compoclip.export.equality import CAPTIONS, Equality, compare
from compoclip.export.fingerprint import test_image
from compoclip.io import write_json, write_text
from compoclip.models import Model
from compoclip.models.hf import quiet
from compoclip.models.layouts import to_huggingface
from compoclip.models.save import save_tokenizer

ACTIVATIONS = {"gelu": "gelu", "quickgelu": "quick_gelu"}
# settings of an open_clip tower under which it is what CLIPModel builds; another value is refused by name
VISION = {"attentional_pool": (False,), "pool_type": ("tok",), "final_ln_after_pool": (False,), "no_ln_pre": (False,),
          "pos_embed_type": ("learnable",), "ls_init_value": (None,), "timm_model_name": (None,)}  # fmt: skip
TEXT = {"pool_type": ("argmax",), "no_causal_mask": (False,), "embed_cls": (False,), "hf_model_name": (None,),
        "proj_bias": (False,), "ls_init_value": (None,), "use_pad_mask": (False,)}  # fmt: skip
INTERPOLATIONS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}


def clip_config(model: Model) -> Any:
    """`transformers.CLIPConfig` of a model. Raises InputError for towers that CLIPModel cannot build, naming why."""
    from transformers import CLIPConfig

    cfg = model.config["model_cfg"]
    vision, text = cfg["vision_cfg"], cfg["text_cfg"]
    for part, rules in ((vision, VISION), (text, TEXT)):
        for name, allowed in rules.items():
            if part.get(name, allowed[0]) not in allowed:
                raise InputError(f"{model.info['name']}: {name}={part[name]!r} has no counterpart in CLIPModel")
    if not isinstance(vision.get("layers"), int) or isinstance(vision.get("image_size"), (list, tuple)):
        raise InputError(f"{model.info['name']}: CLIPModel has vision transformers of square images alone")
    act = ACTIVATIONS[model.info["activation"]]
    end = int(text.get("eos_id", 49407)) if text["vocab_size"] != 49408 else 49407
    return CLIPConfig(
        projection_dim=cfg["embed_dim"],
        logit_scale_init_value=float(model.clip.logit_scale.detach()),
        text_config={
            "hidden_size": text["width"], "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4.0)),
            "num_hidden_layers": text["layers"], "num_attention_heads": text["heads"], "hidden_act": act,
            "max_position_embeddings": text.get("context_length", 77), "vocab_size": text["vocab_size"],
            "projection_dim": cfg["embed_dim"], "eos_token_id": end, "bos_token_id": end - 1,
            "pad_token_id": int(text.get("pad_id", 0)) if text["vocab_size"] != 49408 else end,
        },
        vision_config={
            "hidden_size": vision["width"], "intermediate_size": int(vision["width"] * vision.get("mlp_ratio", 4.0)),
            "num_hidden_layers": vision["layers"], "hidden_act": act,
            "num_attention_heads": vision["width"] // vision.get("head_width", 64),
            "image_size": vision["image_size"], "patch_size": vision["patch_size"],
            "projection_dim": cfg["embed_dim"],
        },
    )  # fmt: skip


def write(model: Model, folder: Path) -> Equality:
    """Write `config.json`, `model.safetensors`, tokenizer and image processor; returns the comparison with `model`."""
    from transformers import CLIPModel

    state = to_huggingface({k: v.detach().cpu() for k, v in model.clip.state_dict().items()})
    config = clip_config(model)
    with torch.device("meta"):
        module = CLIPModel(config)
    wanted = {key for key in module.state_dict() if not key.endswith("position_ids")}
    odd = sorted(wanted ^ set(state))
    if odd:
        raise InputError(f"{model.info['name']}: {len(odd)} weights differ from CLIPModel's, the first {odd[0]}")
    with quiet():
        module = CLIPModel(config)
        module.load_state_dict(state, strict=False)
        module.save_pretrained(folder)
        image_processor(model).save_pretrained(folder)
        save_tokenizer(tokenizer(model), folder)
        return check(model, folder, len(state))


def image_processor(model: Model) -> Any:
    """The evaluation transform as a CLIPImageProcessor."""
    from transformers import CLIPImageProcessor

    cfg, size = model.config["preprocess_cfg"], model.config["model_cfg"]["vision_cfg"]["image_size"]
    mode = cfg.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash") or cfg.get("interpolation", "bicubic") not in INTERPOLATIONS:
        raise InputError(
            f"{model.info['name']}: CLIPImageProcessor cannot resize by {mode!r}, {cfg['interpolation']!r}"
        )
    square = {"height": size, "width": size}
    return CLIPImageProcessor(
        size={"shortest_edge": size} if mode == "shortest" else square,
        crop_size=square,
        do_center_crop=mode == "shortest",
        resample=INTERPOLATIONS[cfg.get("interpolation", "bicubic")],
        image_mean=list(cfg["mean"]),
        image_std=list(cfg["std"]),
    )


def tokenizer(model: Model) -> Any:
    """CLIP's byte-pair tokenizer in transformers' form, or the model's own where it has another vocabulary."""
    own = getattr(model.tokenizer, "tokenizer", None)
    if own is not None and hasattr(own, "save_pretrained"):
        return own
    from transformers import CLIPTokenizer

    pairs = sorted(model.tokenizer.bpe_ranks, key=model.tokenizer.bpe_ranks.get)
    with tempfile.TemporaryDirectory() as room:  # the files are what every version of transformers reads
        # open_clip spells start and end without bars; the ids are the same
        ends = {model.tokenizer.sot_token_id: "<|startoftext|>", model.tokenizer.eot_token_id: "<|endoftext|>"}
        vocabulary = {ends.get(number, word): number for word, number in model.tokenizer.encoder.items()}
        write_json(Path(room) / "vocab.json", vocabulary)
        lines = ["#version: 0.2", *(" ".join(pair) for pair in pairs)]
        write_text(Path(room) / "merges.txt", "\n".join(lines) + "\n")
        return CLIPTokenizer.from_pretrained(room, model_max_length=int(model.tokenizer.context_length))


def check(model: Model, folder: Path, keys: int) -> Equality:
    """Load a folder by `transformers` alone and compare; tokens and pixels too, which its own classes make."""
    from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

    module = CLIPModel.from_pretrained(folder, use_safetensors=True).eval()
    words, images = AutoTokenizer.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    context = module.config.text_config.max_position_embeddings
    theirs = words(list(CAPTIONS), padding=True, truncation=True, max_length=context, return_tensors="pt")
    ours, end = model.tokenize(CAPTIONS), module.config.text_config.eos_token_id
    same = all(_text(a, end) == _text(b, end) for a, b in zip(theirs["input_ids"].tolist(), ours.tolist()))
    pixels = images(images=test_image(), return_tensors="pt")["pixel_values"][0]
    gap = float((pixels - model.pixels([test_image()])[0]).abs().mean())

    return compare_clip_model(model, module, keys, preprocessing=gap, tokens=same)


def compare_clip_model(model: Model, module: Any, keys: int, **extra: Any) -> Equality:
    """`compare` with a CLIPModel, or a peft model around one; transformers 4 gives its features bare."""

    def unit(found: Any) -> Tensor:
        return F.normalize(found if isinstance(found, Tensor) else found.pooler_output, dim=-1)

    return compare(
        model,
        lambda batch: unit(module.get_image_features(pixel_values=batch)),
        lambda ids: unit(module.get_text_features(input_ids=ids)),
        keys,
        **extra,
    )


def _text(ids: list[int], end: int) -> list[int]:
    """Ids up to and with the end token: what stands behind it is padding, and differs."""
    return ids[: ids.index(end) + 1] if end in ids else ids
