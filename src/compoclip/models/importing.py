"""A checkpoint of any published layout as a model: what is in it, where each fact comes from, every key placed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from open_clip.model import CLIP, set_model_preprocess_cfg
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg
from torch import Tensor

from compoclip.errors import InputError
from compoclip.io import read_json, sha256_file
from compoclip.models.infer import HEAD_WIDTH, infer_config, known_name
from compoclip.models.layouts import ImportedState, published, tidy
from compoclip.models.model import Model
from compoclip.models.weights import first_line, read_tensors, refuse

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".tar")
DERIVED = 0.5  # relative distance of two models' block weights: fine-tunes have a few hundredths, strangers about 1.4


@dataclass
class Found:
    """What a checkpoint is, and where each fact comes from: `lines()` is what `convert` prints."""

    file: str
    sha256: str | None
    facts: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, name: str, value: object, source: str) -> None:
        self.facts[name] = (str(value), source)

    def lines(self) -> list[str]:
        width = max(map(len, self.facts), default=0)
        return [f"{name:<{width}}  {value}  ({source})" for name, (value, source) in self.facts.items()]

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": Path(self.file).name,
            "sha256": self.sha256,
            "found": {k: list(v) for k, v in self.facts.items()},
        }


def import_file(
    path: str | Path,
    activation: str | None = None,
    base: Model | None = None,
    lora_alpha: float | None = None,
) -> tuple[Model, Found]:
    """A weights file as a model.

    activation: `gelu` or `quickgelu`; a file does not record it. base: the model it was trained from, which gives the
    activation, tokenizer and transform where the weights are near its own (a test on the weights), and refuses an
    `activation` that contradicts it. lora_alpha: the numerator of LoRA's scale, 1 where it is not given.

    Raises InputError, one line, for anything that is not placed, missing, of another shape, or not a number.

    >>> model, found = import_file("coco_fsc-clip-lora-ViT-B-32.pt", activation="quickgelu")  # doctest: +SKIP
    """
    path = Path(path)
    layout = tidy(read_tensors(path), str(path), lora_alpha)
    layout.state = {key.removeprefix("text."): value for key, value in layout.state.items()}
    found = Found(str(path), sha256_file(path))
    head_width = HEAD_WIDTH
    if base is not None:
        head_width = base.config["model_cfg"]["vision_cfg"].get("head_width", HEAD_WIDTH)
    config = infer_config(layout.state, str(path), head_width)
    name = known_name(config)
    source = "shapes of the weights; heads of 64" if base is None else "shapes of the weights; heads as the base's"
    found.add("architecture", name or _shape_words(config), source)
    _tell_layout(layout, found, lora_alpha)
    found.add("context length", config["text_cfg"]["context_length"], "rows of the position weights")
    config["quick_gelu"] = _activation(path, layout.state, activation, base, found) == "quickgelu"
    tokenizer, preprocess = None, None
    if base is not None and base.config["model_cfg"]["text_cfg"]["vocab_size"] == config["text_cfg"]["vocab_size"]:
        preprocess = base.config["preprocess_cfg"]
        config["text_cfg"] = {**base.config["model_cfg"]["text_cfg"], **config["text_cfg"]}
        if config["text_cfg"]["vocab_size"] != 49408:  # CLIP's own is made for the context length of the weights
            tokenizer = base.tokenizer
    model = build(config, layout.state, str(path), tokenizer, preprocess)
    model.info.update({"name": name or str(path), "pretrained": path.name, "sha256": found.sha256})
    if name:
        model.info["architecture"] = name
    found.add("weights", f"{len(model.clip.state_dict())} placed", "every one of the architecture's")
    return model, found


def _tell_layout(layout: ImportedState, found: Found, lora_alpha: float | None) -> None:
    words = {"open_clip": "OpenAI's and open_clip's", "huggingface": "Hugging Face CLIPModel's"}[layout.family]
    where = f"under {layout.wrapper!r}" if layout.wrapper else "the file itself"
    found.add("layout", f"{words} names", f"{where}, prefix {layout.prefix!r}" if layout.prefix else where)
    if layout.beside:
        found.add("left beside", ", ".join(layout.beside[:8]), "no weights of the model")
    for reason, count in layout.dropped.items():
        found.add(f"left out ({count})", reason, "layouts.yaml")
    if layout.lora:
        alpha = "told" if lora_alpha is not None else "not in the file; what FSC-CLIP, TSVLC and DAC train with"
        scale = f"{layout.lora.alpha:g}/{layout.lora.rank}"
        found.add("LoRA", f"rank {layout.lora.rank} on {layout.lora.layers} layers, merged", layout.lora.layout)
        found.add("LoRA scale", scale, f"rank: height of A; alpha: {alpha}")


def _shape_words(config: dict[str, Any]) -> str:
    vision, text = config["vision_cfg"], config["text_cfg"]
    return (
        f"ViT {vision['width']} x {vision['layers']}, patch {vision['patch_size']}, image {vision['image_size']}; "
        f"text {text['width']} x {text['layers']}"
    )


def _activation(path: Path, state: dict[str, Tensor], asked: str | None, base: Model | None, found: Found) -> str:
    """The activation, from the base that the weights are near to, or as it was told; never guessed."""
    if base is not None:
        distance = relative_distance(state, base.clip.state_dict())
        if distance is not None and distance < DERIVED:
            own = base.info["activation"]
            if asked not in (None, own):
                raise InputError(
                    f"{path}: its weights are {distance:.3f} away from the base's, which needs {own}, and not {asked}"
                )
            found.add("activation", own, f"the base's: relative distance of the weights {distance:.3f}")
            return str(own)
        if asked is None:
            far = "of another shape" if distance is None else f"a relative distance of {distance:.2f} away"
            raise InputError(f"{path}: its weights are {far}, so not trained from that base; tell the activation")
    if asked is not None:
        found.add("activation", asked, "told")
        return asked
    like = published(path)
    hint = (
        f"; a file of this name is {like['name']}'s ({like['home']}), which needs {like['activation']}" if like else ""
    )
    raise InputError(
        f"{path}: a weights file does not say its activation: add --activation quickgelu (OpenAI's weights and what "
        "was fine-tuned from them) or gelu (most other open_clip weights), or --base with the model it was trained "
        f"from{hint}"
    )


def relative_distance(state: dict[str, Tensor], base: dict[str, Tensor]) -> float | None:
    """|W - W0| / |W0| over the blocks' matrices; None where a shape differs. 0 for the same model, about 1.4 for two
    that were trained apart."""
    keys = [k for k, v in state.items() if "resblocks" in k and v.ndim == 2]
    if not keys or any(k not in base or base[k].shape != state[k].shape for k in keys):
        return None
    gap = sum(float((state[k].double() - base[k].double()).square().sum()) for k in keys)
    found: float | None = (gap / max(1e-30, sum(float(base[k].double().square().sum()) for k in keys))) ** 0.5
    return found


def build(
    config: dict[str, Any],
    state: dict[str, Tensor],
    where: str,
    tokenizer: Any = None,
    preprocess: dict[str, Any] | None = None,
) -> Model:
    """A model of a configuration with these weights; tokenizer and transform are CLIP's own where none is given.

    Raises InputError for weights that are missing, unknown or of another shape, naming the first.
    """
    from compoclip.models.load import wrap  # load.py loads files through this one

    with torch.device("meta"):  # shapes without memory: what is built for real is no larger than the weights
        outline = _tower(config, where)
    refuse(outline.state_dict(), state, where, "its architecture")
    clip = _tower(config, where)
    clip.load_state_dict(state)
    context, words = config["text_cfg"]["context_length"], config["text_cfg"]["vocab_size"]
    if tokenizer is None:
        if words != 49408:
            raise InputError(
                f"{where}: a vocabulary of {words} words, not CLIP's 49408; a weights file has no tokenizer: give its "
                "folder, or --base with a model that has the same"
            )
        tokenizer = SimpleTokenizer(context_length=context)
    if getattr(tokenizer, "context_length", context) != context:
        raise InputError(f"{where}: {context} text places in the weights and {tokenizer.context_length} in the base")
    set_model_preprocess_cfg(clip, {**asdict(PreprocessCfg()), **(preprocess or {}), "size": clip.visual.image_size})
    clip.eval()
    return wrap(clip, tokenizer, {"model_cfg": config}, {"name": where, "pretrained": None, "sha256": None})


def _tower(config: dict[str, Any], where: str) -> CLIP:
    quick = bool(config.get("quick_gelu", False))
    try:
        return CLIP(config["embed_dim"], dict(config["vision_cfg"]), dict(config["text_cfg"]), quick_gelu=quick)
    except Exception as error:  # shapes that no tower can have
        raise InputError(f"{where}: open_clip cannot build this architecture ({first_line(error)})") from error


def read_folder_weights(folder: Path) -> dict[str, Tensor]:
    """A Hugging Face folder's tensors, in one file or in shards."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        listed = read_json(index)
        places = listed.get("weight_map") if isinstance(listed, dict) else None
        names = list(dict.fromkeys(places.values())) if isinstance(places, dict) else []
        if not names or any(not isinstance(name, str) or Path(name).name != name for name in names):
            raise InputError(f"{index}: lists no weights files, or files outside its folder")
        return {k: v for name in names for k, v in read_tensors(folder / name).items()}
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            found: dict[str, Tensor] = read_tensors(folder / name)
            return found
    raise InputError(f"{folder}: no model.safetensors or pytorch_model.bin here")
