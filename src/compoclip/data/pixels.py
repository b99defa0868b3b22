"""Images to tensors: the part of a preprocessing that ends in uint8 is told from the part that is arithmetic."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Preprocess = Callable[[Image.Image], Tensor]


def to_uint8(image: Image.Image) -> Tensor:
    """An RGB image as uint8 (3, H, W)."""
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()


def split_preprocess(preprocess: Preprocess) -> tuple[Preprocess, Callable[[Tensor], Tensor]] | None:
    """(image -> uint8, uint8 batch -> float batch) with the same result, bit for bit, as `preprocess` on each
    image.

    Known for open_clip's and torchvision's usual end (to tensor, normalise); None for anything else.
    """
    steps = getattr(preprocess, "transforms", None)
    if not steps or len(steps) < 3 or type(steps[-1]).__name__ != "Normalize":
        return None
    if type(steps[-2]).__name__ not in ("ToTensor", "MaybeToTensor"):
        return None
    head, normalize = steps[:-2], steps[-1]
    mean = torch.as_tensor(normalize.mean, dtype=torch.float32).view(-1, 1, 1)
    std = torch.as_tensor(normalize.std, dtype=torch.float32).view(-1, 1, 1)
    return partial(_head, head), partial(_tail, mean, std)


GAP = (
    2  # times the pixels that a resize leaves; nearer to it, features move ten times as far (benchmarks/jpeg_draft.py)
)


def least_side(preprocess: object) -> int:
    """Pixels of each side that a JPEG may be decoded to before this preprocessing; 0 where it begins with no resize."""
    first = next(iter(getattr(preprocess, "transforms", None) or ()), None)
    size = getattr(first, "size", None)
    if not type(first).__name__.startswith("Resize") or size is None:
        return 0
    return GAP * int(max(size) if isinstance(size, (tuple, list)) else size)


def _head(steps: list[Callable[[Image.Image], Image.Image]], image: Image.Image) -> Tensor:
    for step in steps:
        image = step(image)
    return to_uint8(image)


def _tail(mean: Tensor, std: Tensor, pixels: Tensor) -> Tensor:
    return pixels.float().div_(255).sub_(mean).div_(std)


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed torch's, Python's and numpy's global generators for a random augmentation, and put them back afterwards."""
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        random.setstate(states[1])
        np.random.set_state(states[2])  # noqa: NPY002


class PixelCache:
    """Preprocessed images by sample index (and size, where that differs), up to a number of bytes.

    Beyond it, images are decoded each time.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._kept: dict[Hashable, Tensor] = {}
        self._lock = threading.Lock()

    def get(self, index: Hashable) -> Tensor | None:
        return self._kept.get(index)

    def put(self, index: Hashable, pixels: Tensor) -> None:
        size = pixels.numel() * pixels.element_size()
        with self._lock:
            if index not in self._kept and self.used + size <= self.limit:
                self._kept[index] = pixels
                self.used += size

    def __len__(self) -> int:
        return len(self._kept)
