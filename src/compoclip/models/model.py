"""A loaded model: an open_clip module, its tokenizer and transform, and features for people, losses and evaluation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from compoclip.errors import InputError
from compoclip.models.device import numbers
from compoclip.models.image_tower import Pooled, image_backbone, image_projection
from compoclip.models.text_tower import TextOutput, encode_ids

__all__ = ["Model"]


class Model:
    """An open_clip model ready for use.

    Attributes: `clip`, the open_clip module; `preprocess`, the evaluation transform (PIL image -> (3, H, W));
    `tokenizer`; `config`, what `open_clip_config.json` has, the activation always stated; `info`, where it is from;
    `precision`, fp32 or bf16, what `encode_image` and `encode_text` run in (training has its own).
    """

    precision = "fp32"

    def __init__(self, clip: Any, preprocess: Any, tokenizer: Any, config: dict[str, Any], info: dict[str, Any]):
        self.clip, self.preprocess, self.tokenizer, self.config, self.info = clip, preprocess, tokenizer, config, info
        self._ids: dict[str, Tensor] = {}

    def __repr__(self) -> str:
        return f"Model({self.info.get('name')!r}, activation={self.info.get('activation')!r}, width={self.width})"

    @property
    def module(self) -> Any:
        """The module with the weights."""
        return self.clip

    @property
    def device(self) -> torch.device:
        found: torch.device = next(self.module.parameters()).device
        return found

    @property
    def width(self) -> int:
        """Width of the joint space."""
        return int(self.config["model_cfg"]["embed_dim"])

    @property
    def scale(self) -> float:
        """The learned logit scale, exponentiated."""
        return float(self.clip.logit_scale.detach().float().exp())

    def to(self, device: str | torch.device) -> Model:
        self.module.to(device)
        return self

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids (N, context length). Captions come back in every epoch, so their ids are kept.

        Raises InputError where the tokenizer gives a token beyond the model's vocabulary.
        """
        new = [t for t in dict.fromkeys(texts) if t not in self._ids]
        if new:
            if len(self._ids) + len(new) > 1_000_000:
                self._ids.clear()
                new = list(dict.fromkeys(texts))
            ids = self.token_ids(new).to(torch.int32)
            self._ids.update(zip(new, ids))
        if not texts:
            return torch.zeros(0, getattr(self.tokenizer, "context_length", 77), dtype=torch.long)
        return torch.stack([self._ids[t] for t in texts]).long()

    def token_ids(self, texts: Sequence[str]) -> Tensor:
        """Token ids (N, context length) of at least one text, of which none are kept. Raises as `tokenize` does."""
        ids: Tensor = self.tokenizer(list(texts)).long()
        words = self.config.get("model_cfg", {}).get("text_cfg", {}).get("vocab_size")
        if isinstance(words, int) and int(ids.max()) >= words:
            raise InputError(f"the tokenizer gives token {int(ids.max())} and the model knows {words}: not its own?")
        return ids

    def image_features(self, pixels: Tensor, dense: bool = False) -> Pooled:
        """Pixels (B, 3, H, W) -> pooled (B, D) and patch tokens (B, P, D) in the joint space, not normalised."""
        return image_projection(self.clip.visual, image_backbone(self.clip.visual, pixels, dense))

    def text_features(self, ids: Tensor, dense: bool = False, cut: bool = True) -> TextOutput:
        """Ids (N, L) -> pooled (N, D), tokens (N, T, D) and mask (N, T) in the joint space, not normalised."""
        return encode_ids(self.clip, ids.to(self.device), dense, cut)

    def pixels(self, images: Sequence[Image.Image] | Tensor) -> Tensor:
        """PIL images, or an already preprocessed (N, 3, H, W) tensor, as a tensor."""
        if isinstance(images, Tensor):
            if images.ndim != 4 or images.shape[1] != 3:
                raise InputError(f"preprocessed images must be (N, 3, H, W); got {tuple(images.shape)}")
            return images
        if not len(images):
            return torch.zeros(0, 3, 1, 1)
        return torch.stack([self.preprocess(image) for image in images])

    @torch.no_grad()
    def encode_image(self, images: Sequence[Image.Image] | Image.Image | Tensor, batch_size: int = 64) -> Tensor:
        """Images (or one) -> (N, D) float32 on the CPU, L2-normalised."""
        if isinstance(images, Image.Image):
            images = [images]
        out = []
        with _evaluating(self.module), numbers(self.device, self.precision):
            for start in range(0, len(images), batch_size):
                pixels = self.pixels(images[start : start + batch_size]).to(self.device)
                out.append(F.normalize(self.image_features(pixels).pooled.float(), dim=-1).cpu())
        return torch.cat(out) if out else torch.zeros(0, self.width)

    @torch.no_grad()
    def encode_text(self, texts: Sequence[str], batch_size: int = 256) -> Tensor:
        """Texts (or one) -> (N, D) float32 on the CPU, L2-normalised."""
        if isinstance(texts, str):
            texts = [texts]
        out = []
        with _evaluating(self.module), numbers(self.device, self.precision):
            for start in range(0, len(texts), batch_size):
                pooled = self.text_features(self.tokenize(texts[start : start + batch_size])).pooled
                out.append(F.normalize(pooled.float(), dim=-1).cpu())
        return torch.cat(out) if out else torch.zeros(0, self.width)

    def score(self, image: Image.Image | Tensor, captions: Sequence[str]) -> Tensor:
        """Cosine of one image with each caption, (N,)."""
        one = image[None] if isinstance(image, Tensor) and image.ndim == 3 else image
        return self.encode_text(captions) @ self.encode_image(one)[0]


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, whatever mode it was in before."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)
