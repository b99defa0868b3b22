"""Whether an exported model gives the features of the one it was made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from compoclip.errors import RunError
from compoclip.export.fingerprint import CAPTION, test_image
from compoclip.models import Model

TOLERANCE = 1e-4  # largest difference of a coordinate of features of length 1, in fp32
CAPTIONS = (
    CAPTION,
    "two dogs! and one cat, asleep",
    "a",
    "",
    "the small green triangle above the big yellow cross " * 12,
)
BATCHES = (1, 3)  # sizes that differ from the one a graph is traced with


@dataclass(frozen=True)
class Equality:
    """Largest differences between the source's features and the export's, both of length 1."""

    image: float
    text: float
    keys: int
    tolerance: float = TOLERANCE
    preprocessing: float | None = None
    tokens: bool | None = None

    def check(self, what: str) -> Equality:
        """Itself. Raises RunError where the export is another model."""
        if not max(self.image, self.text) <= self.tolerance or self.tokens is False:
            raise RunError(
                f"{what}: features differ by {self.image:.2g} (image) and {self.text:.2g} (text), more than "
                f"{self.tolerance:g}{'' if self.tokens is not False else ', and tokens differ'}; nothing was written"
            )
        return self

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def sample_pixels(model: Model) -> Tensor:
    """Preprocessed inputs (4, 3, H, W): the test image and noise of a photo's range."""
    first = model.pixels([test_image()])
    noise = torch.randn(3, *first.shape[1:], generator=torch.Generator().manual_seed(0))
    return torch.cat([first, noise])


def compare(
    model: Model, image: Callable[[Tensor], Tensor], text: Callable[[Tensor], Tensor], keys: int, **extra: Any
) -> Equality:
    """Run both on the same pixels and token ids, in batches of several sizes; `image` and `text` give unit rows."""
    pixels, ids = sample_pixels(model), model.tokenize(CAPTIONS)
    gaps = []

    def text_here(batch: Tensor) -> Tensor:
        return torch.nn.functional.normalize(model.text_features(batch, cut=False).pooled, dim=-1)

    for inputs, ours, theirs in ((pixels, model.encode_image, image), (ids, text_here, text)):
        gap = 0.0
        for size in (len(inputs), *BATCHES):
            with torch.no_grad():
                gap = max(gap, float((ours(inputs[:size]).cpu() - theirs(inputs[:size])).abs().max()))
        gaps.append(gap)
    return Equality(gaps[0], gaps[1], keys, **extra)
