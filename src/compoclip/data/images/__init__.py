"""One image store: where a photo lies (folder, tar, zip, table cell), found by its name and read in place."""

from compoclip.data.images.refs import FileImage, ImageRef, ImageView, PixelImage, TarImage, ZipImage
from compoclip.data.images.stores import (
    FolderStore,
    Store,
    Stores,
    TarStore,
    ZipStore,
    beside,
    is_image,
    is_litter,
    open_store,
)

__all__ = [
    "FileImage",
    "FolderStore",
    "ImageRef",
    "ImageView",
    "PixelImage",
    "Store",
    "Stores",
    "TarImage",
    "TarStore",
    "ZipImage",
    "ZipStore",
    "beside",
    "is_image",
    "is_litter",
    "open_store",
]
