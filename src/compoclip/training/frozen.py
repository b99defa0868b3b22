"""Features of a frozen tower, computed once a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from compoclip.distributed import ALONE, Ranks
from compoclip.errors import InputError, RunError
from compoclip.io import atomic_path
from compoclip.models import Model
from compoclip.models.image_tower import Pooled, Projected, image_backbone, image_projection
from compoclip.models.text_tower import TextOutput, encode_ids
from compoclip.progress import track

CACHE_LIMIT_GIB = 8.0


class FrozenImages:
    """Features of every image of a run, in memory: pooled (N, W) and, if `dense`, patches (N, P, W).

    `project` keeps them in the joint space, for a tower frozen whole; else the backbone's, for a head that is trained.
    """

    def __init__(self, pooled: Tensor, tokens: Tensor | None, project: bool) -> None:
        self.pooled, self.tokens, self.project = pooled, tokens, project

    @classmethod
    @torch.no_grad()
    def build(
        cls,
        model: Model,
        batches: Iterable[tuple[Sequence[int], Tensor]],
        count: int,
        dense: bool,
        project: bool,
        ranks: Ranks = ALONE,
        needed: int | None = None,
    ) -> FrozenImages:
        """Run the backbone over (indices, pixels) batches with indices below `count`, `needed` of them over all ranks.

        Raises RunError where the features would not fit `CACHE_LIMIT_GIB`.
        """
        needed = count if needed is None else needed
        pooled = tokens = None
        model.clip.eval()
        for indices, pixels in track(batches, "image features"):
            out = image_backbone(model.clip.visual, pixels.to(model.device), dense)
            out = image_projection(model.clip.visual, out) if project else out
            if pooled is None:
                width, patches = out.pooled.shape[1], out.tokens.shape[1] if out.tokens is not None else 0
                size = needed * width * 4 * (1 + patches) / 2**30
                if size > CACHE_LIMIT_GIB:
                    raise RunError(
                        f"features of {needed} images need {size:.0f} GiB, over the limit of {CACHE_LIMIT_GIB:.0f}: "
                        "drop the terms that need patches, or train without lock_image"
                    )
                pooled = _zeros(count, width)
                tokens = None if out.tokens is None else _zeros(count, *out.tokens.shape[1:])
            pooled[list(indices)] = out.pooled.float().cpu()
            if tokens is not None and out.tokens is not None:
                tokens[list(indices)] = out.tokens.float().cpu()
        shapes = ranks.share(None if pooled is None else (pooled.shape, None if tokens is None else tokens.shape))
        known = next((shape for shape in shapes if shape is not None), None)
        if known is None:
            raise RunError("no images to compute features of")
        if ranks.count > 1:  # rows of other ranks are zero here, so that their sum is everyone's rows
            pooled = ranks.total(_zeros(*known[0]) if pooled is None else pooled)
            if known[1] is not None:
                tokens = ranks.total(_zeros(*known[1]) if tokens is None else tokens)
        assert pooled is not None
        return cls(pooled, tokens, project)

    def write(self, path: Path) -> None:
        with atomic_path(path) as temporary:
            save_file(
                {name: v for name, v in (("pooled", self.pooled), ("tokens", self.tokens)) if v is not None}, temporary
            )

    @classmethod
    def read(cls, path: Path, project: bool, dense: bool) -> FrozenImages:
        """What `write` wrote. Raises InputError for a file it did not."""
        try:
            kept = load_file(path)
            return cls(kept["pooled"], kept["tokens"] if dense else None, project)
        except (SafetensorError, KeyError, OSError) as error:
            raise InputError(f"{path}: not a file of kept features ({error}); delete it") from None

    def take(self, indices: Sequence[int], device: torch.device) -> Pooled:
        rows = torch.as_tensor(list(indices), dtype=torch.long)
        kind = Projected if self.project else Pooled
        return kind(self.pooled[rows].to(device), None if self.tokens is None else self.tokens[rows].to(device))


def _zeros(*shape: int) -> Tensor:
    """Zeros that take memory only where something is written to them."""
    return torch.from_numpy(np.zeros(shape, dtype=np.float32))


class FrozenTexts:
    """Features of a frozen text tower by caption, filled as captions come.

    On a CPU each text is computed by itself: in a batch the last bits of its features depend on what else is in it,
    and a resumed run has other texts left to compute than one that was never stopped.
    """

    def __init__(self, clip: torch.nn.Module, dense: bool, limit: int = 500_000) -> None:
        self.clip, self.dense, self.limit = clip, dense, limit
        self._kept: dict[str, tuple[Tensor, Tensor | None, Tensor | None]] = {}

    @torch.no_grad()
    def encode(self, texts: Sequence[str], ids: Tensor) -> TextOutput:
        """As `encode_ids` of the texts; each is computed the first time it is seen."""
        new = [i for i, text in enumerate(texts) if text not in self._kept]
        if len(self._kept) + len(new) > self.limit:
            self._kept.clear()
            new = list(range(len(texts)))
        alone = ids.device.type == "cpu"
        for group in [[i] for i in new] if alone else [new] if new else []:
            out = encode_ids(self.clip, ids[group], self.dense)
            for row, i in enumerate(group):
                tokens = mask = None
                if out.tokens is not None and out.mask is not None:
                    length = int(out.mask[row].nonzero().max()) + 1 if out.mask[row].any() else 1
                    tokens, mask = out.tokens[row, :length].clone(), out.mask[row, :length].clone()
                self._kept[texts[i]] = (out.pooled[row].clone(), tokens, mask)
        rows = [self._kept[text] for text in texts]
        pooled = torch.stack([row[0] for row in rows])
        if not self.dense:
            return TextOutput(pooled, None, None)
        pad: Callable[..., Tensor] = torch.nn.utils.rnn.pad_sequence
        return TextOutput(
            pooled,
            pad([row[1] for row in rows], batch_first=True),
            pad([row[2] for row in rows], batch_first=True),
        )
