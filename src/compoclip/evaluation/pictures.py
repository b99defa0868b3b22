"""Images of benchmarks: the project's one image store, read as the official code reads it (no EXIF rotation)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compoclip.data import images
from compoclip.data.images import ImageRef, PixelImage, Store, Stores, beside, is_image

__all__ = ["Picture", "Store", "Stores", "beside", "from_array", "is_image", "open_store"]

Picture = ImageRef


def open_store(path: str | Path, rotate: bool = False) -> Store:
    """A folder, a .tar or a .zip as a `Store`; `rotate` turns its photos by their EXIF tag (a user's own data)."""
    return images.open_store(path, rotate)


def from_array(pixels: NDArray[np.uint8], where: str) -> PixelImage:
    """A picture of an (H, W, 3) uint8 array; its key is the hash of its pixels."""
    return PixelImage(pixels, where, rotate=False)
