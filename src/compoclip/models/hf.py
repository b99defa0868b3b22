"""Hugging Face's own CLIP and SigLIP models, read through transformers with their own tokenizer and image processor.

They can be measured, not trained: their towers are not open_clip's. Weights are read from safetensors alone, and no
code from a repository is run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from compoclip.errors import InputError
from compoclip.io import read_json, sha256_file
from compoclip.models.allowed import check_hugging_face, no_code
from compoclip.models.device import numbers
from compoclip.models.model import Model
from compoclip.models.weights import first_line

# SigLIP and SigLIP 2 were trained on lower-case texts (big_vision's configurations); SigLIP 2's towers of one image
# size come with Gemma's tokenizer, which keeps capitals
LOWERED = "lower-cased, as in training"
KINDS = ("clip", "siglip", "siglip2")


def is_checkpoint(path: Path) -> bool:
    """Whether a folder is a Hugging Face CLIP or SigLIP checkpoint, by its config.json."""
    config = path / "config.json"
    ours = (path / "open_clip_config.json").is_file() or (path / "export").is_dir()
    if ours or not config.is_file():
        return False
    found = read_json(config)
    return isinstance(found, dict) and found.get("model_type") in KINDS


class Preprocess:
    """PIL image -> (3, H, W), as the checkpoint's image processor does it."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, image: Image.Image) -> Tensor:
        found: Tensor = self.processor(images=image, return_tensors="pt")["pixel_values"][0]
        return found

    def __repr__(self) -> str:
        settings = json.dumps(self.processor.to_dict(), sort_keys=True, default=str)
        return f"{type(self.processor).__name__}({settings})"


class HFModel(Model):
    """`Model` over a transformers module: the same `encode_image`, `encode_text`, `score`, `scale` and `info`.

    `preprocess` is None for SigLIP 2, whose images keep their shape and are cut into patches; it takes PIL images.
    """

    def __init__(self, module: Any, processor: Any, tokenizer: Any, info: dict[str, Any]) -> None:
        self._module, self._processor, self.tokenizer, self.info = module, processor, tokenizer, info
        patches = info["model_type"] == "siglip2"
        self.preprocess: Any = None if patches else Preprocess(processor)
        self.config = {"model_cfg": module.config.to_dict(), "preprocess_cfg": repr(Preprocess(processor))}

    @property
    def module(self) -> Any:
        return self._module

    @property
    def clip(self) -> Any:
        raise InputError(
            f"{self.info['name']}: a Hugging Face model can be measured, not trained, blended or saved; "
            "take the same weights as open_clip has them"
        )

    @clip.setter
    def clip(self, value: Any) -> None:
        raise AttributeError("a Hugging Face model has no open_clip module")

    @property
    def width(self) -> int:
        texts = self._module.config.text_config
        return int(getattr(self._module.config, "projection_dim", 0) or texts.projection_size or texts.hidden_size)

    @property
    def scale(self) -> float:
        return float(self._module.logit_scale.detach().float().exp())

    @torch.no_grad()
    def encode_image(self, images: Sequence[Image.Image] | Image.Image | Tensor, batch_size: int = 64) -> Tensor:
        if isinstance(images, Image.Image):
            images = [images]
        out = []
        with numbers(self.device, self.precision):
            for start in range(0, len(images), batch_size):
                part = images[start : start + batch_size]
                if isinstance(part, Tensor):
                    inputs: dict[str, Tensor] = {"pixel_values": part}
                else:
                    inputs = dict(self._processor(images=list(part), return_tensors="pt"))
                found = self._module.get_image_features(**{k: v.to(self.device) for k, v in inputs.items()})
                out.append(_unit(found))
        return torch.cat(out) if out else torch.zeros(0, self.width)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        texts = [texts] if isinstance(texts, str) else list(texts)
        out = []
        with numbers(self.device, self.precision):
            for start in range(0, len(texts), batch_size):
                ids = self.tokens(texts[start : start + batch_size])
                out.append(_unit(self._module.get_text_features(**{k: v.to(self.device) for k, v in ids.items()})))
        return torch.cat(out) if out else torch.zeros(0, self.width)

    def tokens(self, texts: list[str]) -> dict[str, Tensor]:
        """What the text tower takes. SigLIP pools the last place of texts of one fixed length, without a mask; CLIP
        pools the end token behind a causal mask, so its texts are padded to the longest alone."""
        clip = self.info["model_type"] == "clip"
        if self.info["texts"] == LOWERED:
            texts = [text.lower() for text in texts]
        out = self.tokenizer(
            texts,
            padding=True if clip else "max_length",
            truncation=True,
            max_length=self._module.config.text_config.max_position_embeddings,
            return_tensors="pt",
        )
        return {k: out[k] for k in (("input_ids", "attention_mask") if clip else ("input_ids",))}


def _unit(found: Any) -> Tensor:
    # transformers 5 hands back an output object where 4 gave the tensor
    features = found if isinstance(found, Tensor) else found.pooler_output
    return F.normalize(features.float(), dim=-1).cpu()


def load_hf(name: str, device: str) -> HFModel:
    """A checkpoint's folder, or an id of the Hugging Face hub. Raises InputError for anything that cannot be used."""
    import transformers

    local = Path(name).is_dir()
    if local:
        check_hugging_face(Path(name))
    with quiet(), no_code(local):
        try:
            config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
            if config.model_type not in KINDS:
                raise InputError(f"{name}: a model of type {config.model_type!r}; known are {', '.join(KINDS)}")
            module, report = transformers.AutoModel.from_pretrained(
                name, config=config, use_safetensors=True, trust_remote_code=False, output_loading_info=True
            )
            processor = transformers.AutoImageProcessor.from_pretrained(name, trust_remote_code=False)
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
        except InputError:
            raise
        except Exception as error:  # transformers, huggingface_hub, tokenizers and safetensors raise many kinds
            raise InputError(f"{name}: transformers cannot load it ({first_line(error)})") from error
    absent = sorted(key for key in report["missing_keys"] if not key.endswith("position_ids"))
    if absent:  # transformers only warns, and measures fresh weights
        raise InputError(f"{name}: {len(absent)} weights are not in its files, the first {absent[0]}")
    texts = config.text_config
    info = {
        "name": name,
        "pretrained": None,
        "model_type": config.model_type,
        "activation": str(getattr(texts, "hidden_act", "own")),
        "parameters": sum(p.numel() for p in module.parameters()),
        "sha256": _digest(Path(name), module),
        "image_processor": type(processor).__name__,
        "tokenizer": type(tokenizer).__name__,
        "texts": "as the tokenizer takes them",
    }
    if not _lowers(tokenizer) and config.model_type != "clip":
        info["texts"] = LOWERED
    module.eval()
    model = HFModel(module.float(), processor, tokenizer, info)
    model.to(device)
    return model


def _lowers(tokenizer: Any) -> bool:
    """Whether a tokenizer makes no difference between capitals and small letters."""
    text = "A Red DOG beside Two Cats"
    return bool(tokenizer(text)["input_ids"] == tokenizer(text.lower())["input_ids"])


def _digest(path: Path, module: Any) -> str:
    """SHA-256 of the weights file; of the tensors where there are several, or none on this disk."""
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else []
    if len(files) == 1:
        return sha256_file(files[0])
    digest = hashlib.sha256()
    for key, tensor in sorted(module.state_dict().items()):
        digest.update(key.encode())
        digest.update(memoryview(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What transformers says while loading; what matters of it is raised."""
    from transformers.utils import logging as own

    before, bars = own.get_verbosity(), own.is_progress_bar_enabled()
    own.set_verbosity(logging.CRITICAL)
    own.disable_progress_bar()
    try:
        yield
    finally:
        own.set_verbosity(before)
        if bars:
            own.enable_progress_bar()
