"""Loading: `tiny`, a directory, `NAME:TAG`, `NAME:random`, `NAME:FILE` with the activation told, or `hf:NAME`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2

from compoclip.errors import InputError
from compoclip.io import read_json, sha256_file
from compoclip.models.allowed import check_open_clip, no_code, tokenizer_options
from compoclip.models.device import check_precision, resolve_device
from compoclip.models.hf import is_checkpoint, load_hf
from compoclip.models.model import Model
from compoclip.models.weights import first_line, load_weights

__all__ = ["load"]

log = logging.getLogger("compoclip.models")
TINY = Path(__file__).parent / "tiny"
ACTIVATIONS = {"gelu": False, "quickgelu": True}
# in the order open_clip prefers, so that the digest is that of the file it reads
_WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """open_clip logs to the root logger; what matters of it is raised as an InputError here."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # it compares the tag with the architecture's default, not with the activation it is told to use
            warnings.filterwarnings("ignore", message="QuickGELU mismatch")
            yield
    finally:
        logging.disable(before)


def load(
    name: str | Path,
    device: str = "cpu",
    activation: str | None = None,
    precision: str = "fp32",
    base: str | Path | None = None,
) -> Model:
    """Load a model.

    name: `tiny` (bundled); a directory with `open_clip_config.json` and weights, or a run directory with `export/`;
    `NAME:TAG` as open_clip spells them (`ViT-B-32:openai`); `NAME:random` for fresh weights; `FILE`, a checkpoint in
    any layout of docs/models.md, its architecture read from its shapes, or `NAME:FILE`. A file does not record its
    activation, and the wrong one gives wrong features without a word, so `activation` (`gelu` or `quickgelu`) must be
    told unless NAME says it, or `base`, the model it was trained from, for `FILE`. `hf:PATH` or `hf:ID` is a Hugging
    Face CLIP or SigLIP, whose folder is also known without the prefix (an `HFModel`, which can be measured and not
    trained).
    `device` is `cpu`, `cuda`, `cuda:N` or `auto`; `precision` is what encoding runs in, fp32 or bf16.
    Raises InputError for anything that is not there, or that does not fit.

    Example: load("ViT-B-32:openai", device="cuda").encode_text(["a red square"])  # (1, 512)
    """
    if activation is not None and activation not in ACTIVATIONS:
        raise InputError(f"activation={activation!r}: choose gelu or quickgelu")
    device = resolve_device(device)
    text = str(name)
    if text == "tiny":
        model = _from_directory(TINY, "tiny")
    elif text.startswith("hf:") or is_checkpoint(Path(text)):
        if activation is not None:
            raise InputError(f"{text}: a Hugging Face model brings its own activation; leave --activation out")
        model = load_hf(text.removeprefix("hf:"), device)
    elif Path(text).is_dir():
        model = _from_directory(Path(text), text)
    elif Path(text).is_file():
        from compoclip.models.importing import import_file

        model, _ = import_file(text, activation, None if base is None else load(base))
    elif ":" in text:
        architecture, _, pretrained = text.partition(":")
        model = _from_name(architecture, pretrained, activation)
    else:
        raise InputError(
            f"{text}: no such directory, file or model; give 'tiny', a directory, a weights file, or NAME:PRETRAINED"
        )
    if activation is not None and model.info["activation"] not in (activation, "own"):
        raise InputError(f"{text} has activation {model.info['activation']}, not {activation}")
    if check_precision(precision) != "fp32":
        model.precision = model.info["precision"] = precision
    model.module.eval()
    return model.to(device)


def _from_directory(path: Path, name: str) -> Model:
    if not (path / "open_clip_config.json").is_file() and (path / "export").is_dir():
        path = path / "export"
    config_file = path / "open_clip_config.json"
    if not config_file.is_file():
        raise InputError(f"{path}: no open_clip_config.json here; give a folder written by train, convert or blend")
    config = check_open_clip(path, read_json(config_file))
    model_cfg = config["model_cfg"]
    weights = next((path / w for w in _WEIGHTS if (path / w).is_file()), None)
    if weights is None:
        raise InputError(f"{path}: no weights here (looked for {', '.join(_WEIGHTS)})")
    text_cfg = dict(model_cfg["text_cfg"])
    if text_cfg.get("hf_model_name"):
        # the folder may have moved since it was written; the text tower's own files travel with it
        beside = path / "text"
        if beside.is_dir():
            text_cfg["hf_model_name"] = text_cfg["hf_tokenizer_name"] = str(beside.resolve())
        text_cfg["hf_model_pretrained"] = False
        model_cfg["text_cfg"] = text_cfg
    try:
        with _quiet(), no_code():
            # our own reading of the weights says what open_clip's resizes without a word
            clip = open_clip.create_model(
                f"local-dir:{path}", text_cfg=deepcopy(text_cfg), load_weights=False, pretrained_hf=False
            )
            changed = load_weights(clip, weights, "its open_clip_config.json")
            tokenizer = open_clip.get_tokenizer(f"local-dir:{path}", **tokenizer_options(text_cfg))
    except InputError:
        raise
    except Exception as error:  # open_clip, transformers, torch and safetensors raise many kinds here
        raise InputError(f"{path}: open_clip cannot load it ({first_line(error)})") from error
    info = {"name": name, "pretrained": None, "sha256": sha256_file(weights), **changed}
    return wrap(clip, tokenizer, config, info)


def _from_name(architecture: str, pretrained: str, activation: str | None) -> Model:
    model_cfg = open_clip.get_model_config(architecture)
    if model_cfg is None:
        raise InputError(f"{architecture}: open_clip knows no such architecture; see open_clip.list_models()")
    tag = open_clip.get_pretrained_cfg(architecture, pretrained)
    digest = None
    if pretrained == "random":
        quick = ACTIVATIONS[activation] if activation else bool(model_cfg.get("quick_gelu", False))
        weights: str | None = None
    elif tag:
        # a tag that is silent leaves it to its architecture (roberta-ViT-B-32)
        quick, weights = bool(tag.get("quick_gelu", model_cfg.get("quick_gelu", False))), pretrained
    elif Path(pretrained).is_file():
        quick, weights = _activation_of_file(architecture, model_cfg, pretrained, activation), pretrained
        digest = sha256_file(pretrained)
    else:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
        raise InputError(f"{architecture}:{pretrained}: no such tag or file; tags: {known}")
    try:
        with _quiet(), no_code(local=False):
            tagged = None if digest else weights
            clip = open_clip.create_model(architecture, pretrained=tagged, quick_gelu=quick, pretrained_hf=False)
            if weights is None:
                _fill_uninitialised(clip)
            changed = load_weights(clip, weights, architecture) if digest and weights else {}
            tokenizer = open_clip.get_tokenizer(architecture, **tokenizer_options(model_cfg["text_cfg"]))
    except InputError:
        raise
    except Exception as error:  # huggingface_hub too
        raise InputError(f"{architecture}:{pretrained}: open_clip cannot load it ({first_line(error)})") from error
    config = {
        "model_cfg": {**model_cfg, "quick_gelu": quick},
        "preprocess_cfg": open_clip.get_model_preprocess_cfg(clip),
    }
    info = {"name": architecture, "pretrained": pretrained, "sha256": digest, **changed}
    return wrap(clip, tokenizer, config, info)


def _fill_uninitialised(clip: torch.nn.Module) -> None:
    """Fresh values for CoCa's last projection, which open_clip leaves as the memory was: at times not numbers."""
    decoder = getattr(clip, "text_decoder", None)
    projection = getattr(decoder, "text_projection", None)
    if projection is not None:
        torch.nn.init.normal_(projection, std=projection.shape[0] ** -0.5)


def _activation_of_file(architecture: str, model_cfg: dict[str, Any], path: str, activation: str | None) -> bool:
    if _own_activation(model_cfg):
        return False
    if activation is not None:
        return ACTIVATIONS[activation]
    if model_cfg.get("quick_gelu"):
        return True
    raise InputError(
        f"{path}: a weights file does not say its activation; for {architecture} add --activation quickgelu (OpenAI's "
        "weights and what was fine-tuned from them) or --activation gelu (most other open_clip weights)"
    )


def _own_activation(model_cfg: dict[str, Any]) -> bool:
    """Whether both towers bring their own activation, so that `quick_gelu` has no say."""
    return bool(model_cfg["vision_cfg"].get("timm_model_name") and model_cfg["text_cfg"].get("hf_model_name"))


def wrap(clip: Any, tokenizer: Any, config: dict[str, Any], info: dict[str, Any]) -> Model:
    """A `Model` of an open_clip module; its activation and digest of the configuration go into `info`."""
    if "resized_image_grid" in info:
        log.warning("%s: the grid of image positions is resized: %s", info["name"], info["resized_image_grid"])
    preprocess_cfg = open_clip.get_model_preprocess_cfg(clip)
    config = deepcopy(config)
    config["preprocess_cfg"] = {k: v for k, v in preprocess_cfg.items() if k != "size"}
    model_cfg = config["model_cfg"]
    model_cfg.setdefault("quick_gelu", False)
    own = _own_activation(model_cfg)
    info = {**info, "activation": "own" if own else "quickgelu" if model_cfg["quick_gelu"] else "gelu"}
    info["parameters"] = sum(p.numel() for p in clip.parameters())
    info["config_sha256"] = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()
    try:
        preprocess = image_transform_v2(PreprocessCfg(**preprocess_cfg), is_train=False)
    except (AssertionError, TypeError, ValueError):
        raise InputError(f"{info['name']}: 'preprocess_cfg' states no image transform that open_clip knows") from None
    return Model(clip, preprocess, tokenizer, config, info)
