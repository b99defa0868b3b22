"""Images of benchmarks: the project's one image store, read as the official code reads it (no EXIF rotation)."""

from functools import partial

from compoclip.data import images
from compoclip.data.images import ImageRef, PixelImage, Store, Stores, beside, is_image

__all__ = ["ImageRef", "Store", "Stores", "beside", "from_array", "is_image", "open_store"]

open_store = partial(images.open_store, rotate=False)  # a folder, a .tar or a .zip
from_array = partial(PixelImage, rotate=False)  # (H, W, 3) uint8 and what messages call it; known by its pixels
