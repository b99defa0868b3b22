"""What a model folder may state. A folder is data from somewhere: none of its files may name code or a place to load
from, so the configurations are held against an allow-list before open_clip or transformers reads them."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import open_clip
from open_clip.coca_model import MultimodalCfg
from open_clip.model import CLIPTextCfg, CLIPVisionCfg

from compoclip.errors import InputError
from compoclip.io import read_json

TOWERS = {"vision_cfg": CLIPVisionCfg, "text_cfg": CLIPTextCfg, "multimodal_cfg": MultimodalCfg}
MODEL = {"embed_dim", "quick_gelu", "custom_text", "init_logit_scale", "init_logit_bias", "nonscalar_logit_scale"}
KEYWORDS = {  # of the fields that are handed on as keyword arguments
    "tokenizer_kwargs": {"clean", "strip_sep_token", "language"},
    "act_kwargs": {"approximate", "negative_slope", "alpha", "beta"},
    "norm_kwargs": {"eps", "elementwise_affine", "bias"},
}
# keys of Hugging Face configurations that name code, another repository, or a kernel to fetch
CODE = ("auto_map", "trust_remote_code", "custom_pipelines", "quantization_config", "base_model_name_or_path")
ATTENTION = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal", "experts_implementation")
PLAIN_ATTENTION = (None, "eager", "sdpa")
VOCABULARY = ("tokenizer.json", "vocab.json", "added_tokens.json", "merges.json")  # words, and no settings
FILE_KEYS = ("vocab_file", "merges_file", "spm_file", "source_spm", "target_spm", "transformers_weights")
NAME = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
LARGEST = 2**31 - 1
SMALL = 50e6  # weights that fit into memory anywhere; what is wrong with them is better said by open_clip


def check_open_clip(path: Path, config: Any) -> dict[str, Any]:
    """The part of `open_clip_config.json` that is used, each of its fields one that a folder may state.

    Raises InputError that names the file and the field.
    """
    file = path / "open_clip_config.json"
    model = config.get("model_cfg") if isinstance(config, dict) else None
    if not isinstance(model, dict) or not all(isinstance(model.get(key), dict) for key in ("vision_cfg", "text_cfg")):
        raise InputError(f"{file}: no 'model_cfg' with 'vision_cfg' and 'text_cfg' in it")
    for key, value in model.items():
        if key in TOWERS and isinstance(value, dict):
            _check_tower(file, key, value)
        elif key not in MODEL:
            raise _refused(file, f"model_cfg.{key}")
        else:
            _check_plain(file, f"model_cfg.{key}", value)
    preprocess = config.get("preprocess_cfg", {})
    if not isinstance(preprocess, dict):
        raise InputError(f"{file}: 'preprocess_cfg' is no object")
    for key, value in preprocess.items():
        _check_plain(file, f"preprocess_cfg.{key}", value)
    _check_size(file, path, model)
    check_hugging_face(path)
    return {"model_cfg": model, "preprocess_cfg": preprocess}


def _check_tower(file: Path, tower: str, stated: dict[str, Any]) -> None:
    known = {field.name for field in fields(TOWERS[tower])}
    for key, value in stated.items():
        where = f"{tower}.{key}"
        if key not in known:
            raise _refused(file, where)
        if key in KEYWORDS and isinstance(value, dict):
            for name, setting in value.items():
                if name not in KEYWORDS[key]:
                    raise _refused(file, f"{where}.{name}")
                _check_plain(file, f"{where}.{name}", setting)
        elif key == "timm_model_name" and value is not None and not (isinstance(value, str) and NAME.fullmatch(value)):
            raise InputError(f"{file}: {where} {value!r} is not the name of a timm architecture; nothing is fetched")
        else:
            _check_plain(file, where, value)
    name = stated.get("hf_model_name")
    if name and not (file.parent / "text" / "config.json").is_file() and name not in _known_text_towers():
        raise InputError(
            f"{file}: {tower}.hf_model_name {name!r} is not in this folder, and nothing is fetched for a folder; "
            f"put its config.json and tokenizer files into {file.parent / 'text'}"
        )


def _check_plain(file: Path, where: str, value: Any) -> None:
    """Numbers, flags, short texts, and lists of numbers: nothing that contains more settings."""
    for item in value if isinstance(value, list) and len(value) <= 64 else [value]:
        number = isinstance(item, (int, float)) and abs(item) <= LARGEST
        text = isinstance(item, str) and len(item) <= 4096
        if not (item is None or number or (text and not isinstance(value, list))):
            raise InputError(f"{file}: {where} is {str(item)[:80]!r}; a plain setting is wanted")


def _refused(file: Path, where: str) -> InputError:
    return InputError(f"{file}: {where} is not among the settings that a model folder may state; take it out")


def _known_text_towers() -> set[str]:
    """Hugging Face text towers that open_clip's own configurations name; they are read from this machine's cache."""
    configs = (open_clip.get_model_config(name) or {} for name in open_clip.list_models())
    return {name for config in configs if (name := config.get("text_cfg", {}).get("hf_model_name"))}


def _check_size(file: Path, path: Path, model: dict[str, Any]) -> None:
    """Refuse towers that are larger than the weights beside them: they would fill memory before they fail to load.

    Counts what is certain (blocks, embeddings) against a byte a weight, the smallest there is.
    """
    weights = [p for p in path.iterdir() if p.suffix in (".safetensors", ".bin") and p.is_file()]
    most = max((p.stat().st_size for p in weights), default=0)
    for tower in TOWERS:
        stated = model.get(tower) or {}
        if stated.get("timm_model_name") or stated.get("hf_model_name"):
            continue
        width, layers, ratio = (stated.get(k) for k in ("width", "layers", "mlp_ratio"))
        sizes = [v if isinstance(v, (int, float)) and v == v else 0 for v in (width, layers, ratio)]
        words = sum(v for k in ("vocab_size", "context_length") if isinstance(v := stated.get(k), int))
        need = sizes[1] * sizes[0] ** 2 * (4 + 2 * sizes[2]) + sizes[0] * words
        if need > max(most, SMALL) and weights:
            raise InputError(f"{file}: {tower} states {need:.3g} weights, more than the files here hold ({most} bytes)")


def check_hugging_face(path: Path) -> None:
    """Refuse what Hugging Face configurations in a folder (and in its `text/`) must not state.

    Raises InputError that names the file and the key: code (`auto_map`), another repository (`adapter_config.json`),
    kernels to fetch, and file names that lead out of the folder.
    """
    for folder in (path, path / "text"):
        if not folder.is_dir():
            continue
        if (folder / "adapter_config.json").exists():
            raise InputError(
                f"{folder / 'adapter_config.json'}: an adapter, which names another model to fetch; merge it into its "
                "model first (peft: merge_and_unload) and save that"
            )
        for file in sorted(folder.glob("*.json")):
            if file.name not in VOCABULARY:
                _check_json(file, read_json(file))


def _check_json(file: Path, value: Any) -> None:
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo += item
        if not isinstance(item, dict):
            continue
        for key, inner in item.items():
            if key in CODE and inner not in (None, False, {}, []):
                raise InputError(f"{file}: {key!r} names code or another model; nothing of the kind is run or fetched")
            if key in ATTENTION and inner not in PLAIN_ATTENTION:
                raise InputError(f"{file}: {key} {inner!r} may name a kernel to fetch; take the line out")
            names = inner.values() if key == "weight_map" and isinstance(inner, dict) else [inner]
            if key == "weight_map" or key in FILE_KEYS:
                _check_names(file, key, list(names))
            todo.append(inner)


def _check_names(file: Path, key: str, names: list[Any]) -> None:
    for name in names:
        if isinstance(name, str) and name.replace("\\", "/").removeprefix("./").count("/"):
            raise InputError(f"{file}: {key} {name!r} leads out of the folder; name a file in it")


@contextlib.contextmanager
def no_code(local: bool = True) -> Iterator[None]:
    """No question whether to run a repository's code (the answer is no), and for a local folder no network at all."""
    from huggingface_hub import constants
    from transformers import dynamic_module_utils as modules

    before = constants.HF_HUB_OFFLINE, modules.TIME_OUT_REMOTE_CODE
    modules.TIME_OUT_REMOTE_CODE = 0
    constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE or local
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, modules.TIME_OUT_REMOTE_CODE = before


def tokenizer_options(text_cfg: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments of `open_clip.get_tokenizer`: where transformers makes it, without a repository's code."""
    return {"trust_remote_code": False} if text_cfg.get("hf_tokenizer_name") else {}


def strip_code(folder: Path) -> None:
    """Take out of an export what is not data: tokenizers may save the code they came with."""
    for path in [p for p in folder.rglob("*") if p.is_file()]:
        if path.suffix not in (".json", ".txt", ".model", ".safetensors", ".jinja", ".bpe"):
            path.unlink()
        elif path.name in ("tokenizer_config.json", "config.json"):
            found = json.loads(path.read_text("utf-8"))
            if isinstance(found, dict) and found.pop("auto_map", None) is not None:
                path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
