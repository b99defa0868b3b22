"""Folders of other libraries as models: a Hugging Face CLIPModel, and a peft adapter upon its base."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from compoclip.errors import InputError
from compoclip.io import read_json, sha256_file
from compoclip.models.allowed import check_hugging_face, no_code
from compoclip.models.importing import Found, build, read_folder_weights
from compoclip.models.infer import HEAD_WIDTH, infer_config, known_name
from compoclip.models.layouts import table, tidy, to_huggingface
from compoclip.models.lora_merge import merge_factors
from compoclip.models.model import Model
from compoclip.models.weights import first_line, read_tensors

ACTIVATIONS = {"quick_gelu": "quickgelu", "gelu": "gelu"}
COUNTS = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
          "vocab_size", "image_size", "patch_size")  # fmt: skip
WRAPPED = "base_model.model."
OTHER_LORA = ("use_dora", "use_rslora", "lora_bias", "fan_in_fan_out", "modules_to_save", "layer_replication")
NAME = re.compile(r"[\w.]+")
RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


def is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def import_huggingface(folder: Path) -> tuple[Model, Found]:
    """A CLIPModel's folder as an open_clip model, its activation, heads, tokenizer and transform as its files say.

    Raises InputError for another kind of model, two activations in one model, and weights that do not fit.
    """
    check_hugging_face(folder)
    raw = read_json(folder / "config.json")
    if not isinstance(raw, dict) or raw.get("model_type") != "clip":
        kind = raw.get("model_type") if isinstance(raw, dict) else None
        raise InputError(f"{folder}: a model of type {kind!r}; only a CLIPModel has open_clip's towers")
    from transformers import CLIPConfig

    try:
        config: Any = CLIPConfig.from_dict(raw)
    except Exception as error:  # transformers raises many kinds over wrong values
        raise InputError(f"{folder}/config.json: {first_line(error)}") from error
    text, vision = config.text_config, config.vision_config
    if text.hidden_act != vision.hidden_act or text.hidden_act not in ACTIVATIONS:
        raise InputError(
            f"{folder}: activations {vision.hidden_act!r} (image) and {text.hidden_act!r} (text): open_clip has "
            "quick_gelu or gelu, the same in both"
        )
    if (text.layer_norm_eps, vision.layer_norm_eps) != (1e-5, 1e-5):
        raise InputError(f"{folder}: layer_norm_eps is not 1e-5, which open_clip's towers have")
    for part, source in (("text_config", text), ("vision_config", vision)):
        for key in COUNTS:
            value = getattr(source, key, 1)
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{folder}/config.json: {part}.{key} is {value!r}; a number of 1 or more is wanted")
        if source.hidden_size % source.num_attention_heads:
            raise InputError(f"{folder}/config.json: {part}.num_attention_heads does not divide hidden_size")
    layout = tidy(read_folder_weights(folder), str(folder))
    cfg: dict[str, Any] = {
        "embed_dim": config.projection_dim,
        "vision_cfg": {"image_size": vision.image_size, "layers": vision.num_hidden_layers, "width": vision.hidden_size,
                       "patch_size": vision.patch_size},
        "text_cfg": {"context_length": text.max_position_embeddings, "vocab_size": text.vocab_size,
                     "width": text.hidden_size, "heads": text.num_attention_heads, "layers": text.num_hidden_layers},
    }  # fmt: skip
    for part, source in (("vision_cfg", vision), ("text_cfg", text)):
        if source.intermediate_size != 4 * source.hidden_size:
            cfg[part]["mlp_ratio"] = source.intermediate_size / source.hidden_size
    if vision.hidden_size // vision.num_attention_heads != 64:
        cfg["vision_cfg"]["head_width"] = vision.hidden_size // vision.num_attention_heads
    _check_sizes(folder, cfg, layout.state)
    name = known_name(cfg)
    cfg["quick_gelu"] = ACTIVATIONS[text.hidden_act] == "quickgelu"
    tokenizer = None
    if text.vocab_size != 49408:
        tokenizer = _tokenizer(folder, text.max_position_embeddings)
        cfg["text_cfg"] |= {"hf_tokenizer_name": folder.resolve().name, "eos_id": text.eos_token_id}
        cfg["text_cfg"] |= {"pad_id": text.pad_token_id or 0}
    model = build(cfg, layout.state, str(folder), tokenizer=tokenizer, preprocess=_preprocess(folder))
    weights = folder / "model.safetensors"
    found = Found(str(folder), sha256_file(weights) if weights.is_file() else None)
    found.add("architecture", name or "as config.json says", "config.json")
    found.add("layout", "Hugging Face CLIPModel's names", "config.json")
    found.add("activation", model.info["activation"], "hidden_act in config.json")
    found.add("context length", text.max_position_embeddings, "config.json")
    for reason, count in layout.dropped.items():
        found.add(f"left out ({count})", reason, "layouts.yaml")
    found.add("weights", f"{len(model.clip.state_dict())} placed", "every one of the architecture's")
    model.info.update({"name": name or str(folder), "sha256": found.sha256})
    return model, found


def _check_sizes(folder: Path, cfg: dict[str, Any], state: dict[str, Tensor]) -> None:
    """Hold a configuration against the weights before anything of its size is made."""
    head = cfg["vision_cfg"].get("head_width", HEAD_WIDTH)
    seen = infer_config(state, str(folder), head)
    for part in ("vision_cfg", "text_cfg"):
        for key, value in seen[part].items():
            if key not in ("heads", "head_width") and cfg[part].get(key) != value:
                raise InputError(
                    f"{folder}/config.json: the {part.removesuffix('_cfg')} tower's {key} is {cfg[part].get(key)}, and "
                    f"{value} by the shapes of its weights"
                )
    if cfg["embed_dim"] != seen["embed_dim"]:
        raise InputError(
            f"{folder}/config.json: projection_dim is {cfg['embed_dim']}, and {seen['embed_dim']} in its weights"
        )


def _tokenizer(folder: Path, context: int) -> Any:
    from open_clip.tokenizer import HFTokenizer

    try:
        with no_code():
            return HFTokenizer(str(folder), context_length=context)
    except Exception as error:  # transformers and tokenizers raise many kinds
        raise InputError(f"{folder}: its tokenizer cannot be read ({first_line(error)})") from error


def _preprocess(folder: Path) -> dict[str, Any]:
    """open_clip's preprocess_cfg of `preprocessor_config.json`; CLIP's own where there is none."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return {}
    cfg = read_json(path)
    if not isinstance(cfg, dict):
        raise InputError(f"{path}: no settings of an image processor in it")
    out: dict[str, Any] = {}
    for ours, theirs in (("mean", "image_mean"), ("std", "image_std")):
        value = cfg.get(theirs)
        if not isinstance(value, list) or len(value) != 3 or not all(isinstance(v, (int, float)) for v in value):
            raise InputError(f"{path}: {theirs} is {value!r}; three numbers are wanted")
        out[ours] = tuple(value)
    size, resample = cfg.get("size", {}), cfg.get("resample", 3)
    out["interpolation"] = RESAMPLING.get(resample, "bicubic") if isinstance(resample, int) else "bicubic"
    return out | {"resize_mode": "squash" if isinstance(size, dict) and "height" in size else "shortest"}


def import_adapter(folder: Path, base: Model | None) -> tuple[Model, Found]:
    """A LoRA adapter in peft's format (for a CLIPModel's layers) merged into its base.

    Raises InputError without a base, and for an adapter of another kind or of other layers than the base has.
    """
    if base is None:
        raise InputError(f"{folder}: an adapter alone; add --base with the model it was trained from")
    config = read_json(folder / "adapter_config.json")
    alphas = _alphas(config, folder / "adapter_config.json")
    if not (folder / "adapter_model.safetensors").is_file():
        raise InputError(f"{folder}: no adapter_model.safetensors here")
    factors = read_tensors(folder / "adapter_model.safetensors")
    state = to_huggingface({k: v.detach().cpu() for k, v in base.clip.state_dict().items()})
    ranks: set[int] = set()
    for layer in sorted({key.split(".lora_")[0].removeprefix(WRAPPED) for key in factors}):
        a, b = (factors.get(f"{WRAPPED}{layer}.lora_{part}.weight") for part in "AB")
        if f"{layer}.weight" not in state or a is None or b is None:
            raise InputError(
                f"{folder}: {layer} is no layer of the base {base.info['name']} with a lora_A and a lora_B"
            )
        ranks.add(len(a))
        weight = state[f"{layer}.weight"]
        flat = {f"{layer}.weight": weight.flatten(1), f"{layer}.lora_A.weight": a.flatten(1),
                f"{layer}.lora_B.weight": b.flatten(1)}  # fmt: skip
        merged, _ = merge_factors(flat, table()["lora"], _alpha_of(layer, alphas), str(folder))
        state[f"{layer}.weight"] = merged[f"{layer}.weight"].reshape(weight.shape)
    layout = tidy(state, str(folder))
    model = build(
        base.config["model_cfg"],
        layout.state,
        str(folder),
        tokenizer=base.tokenizer,
        preprocess=base.config["preprocess_cfg"],
    )
    found = Found(str(folder), sha256_file(folder / "adapter_model.safetensors"))
    found.add("layout", "LoRA adapter in peft's format, merged", f"ranks {', '.join(map(str, sorted(ranks)))}")
    found.add("activation", model.info["activation"], "the base's")
    model.info.update({"name": str(folder), "base": base.info.get("name"), "sha256": found.sha256})
    return model, found


def _alphas(config: Any, path: Path) -> dict[str, float]:
    """The scale's numerator by the end of a layer's name, `""` for all others; what is not plain LoRA is refused."""
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise InputError(f"{path}: no settings of a LoRA adapter in it")
    if any(config.get(key) for key in OTHER_LORA) or config.get("bias", "none") != "none":
        raise InputError(f"{path}: only plain LoRA adapters without biases are known; merge it in peft and save that")
    patterns = config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict) or not all(NAME.fullmatch(key) for key in patterns):
        raise InputError(f"{path}: alpha_pattern is no list of layers' names; merge it in peft and save that")
    out = {"": config.get("lora_alpha"), **patterns}
    for value in out.values():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"{path}: lora_alpha or alpha_pattern has {value!r}; a number is wanted")
    return {key: float(value) for key, value in out.items()}


def _alpha_of(layer: str, alphas: dict[str, float]) -> float:
    """peft's rule for plain names: the first that is the layer's name or ends it after a point."""
    return next((alpha for end, alpha in alphas.items() if end and f".{layer}".endswith(f".{end}")), alphas[""])
