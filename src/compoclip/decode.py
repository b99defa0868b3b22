"""The one place where an encoded image becomes pixels: named formats only, bounded, every mode as viewers show it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError, features

from compoclip.errors import InputError

__all__ = ["IMAGE_SUFFIXES", "open_image"]

# Pillow also knows formats that start other programs (EPS starts Ghostscript) or that nobody keeps photos in; a file's
# name is no guide to its format. JPEG brings MPO along, which many cameras write; PPM is how GTSRB is published.
AVIF = "avif" in features.get_supported()
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", *(("AVIF",) if AVIF else ()))
# endings of the files that can be decoded on this machine: .avif only where Pillow was built with it
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")
IMAGE_SUFFIXES = (*_SUFFIXES, ".avif") if AVIF else _SUFFIXES
MAX_PIXELS = 89_478_485  # where Pillow begins to warn of a decompression bomb; over it an image is refused
ORIENTATION = 0x0112  # the EXIF tag
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

ImageFile.LOAD_TRUNCATED_IMAGES = False
# what Pillow warns of is refused here; a filter set around each image would not be safe between threads
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\..*")


def open_image(
    source: str | Path | bytes | BinaryIO,
    where: str | None = None,
    rotate: bool = False,
    max_pixels: int | None = None,
    least: int = 0,
) -> Image.Image:
    """Decode an image to RGB, (height, width) pixels of 8 bits.

    Sixteen bits are scaled to eight; floating-point pixels are taken as 0 to 1, or 0 to 255 where one is larger;
    transparent parts lie on white. `rotate` turns the image as its EXIF orientation says, as every viewer does: for a
    user's own photos. Published benchmarks are measured without it, as their own code reads them.
    `where` names the image in messages (a row, a tar member); the path does where it is not given. Larger images than
    `max_pixels` (`MAX_PIXELS` where not given) are refused before they are decoded.
    `least`: a JPEG may come at a half, a quarter or an eighth of its size, as long as each side keeps so many pixels:
    several times faster, its pixels slightly other ones than those of the whole image resized.

    Raises InputError for a missing file, a format that is none of `FORMATS`, a broken or truncated image, pixels
    outside the range of an image, and a decompression bomb.

    source: a path, the bytes of a file, or an open one.

    Example: open_image("photo.jpg", rotate=True).size
    """
    name = where or (str(source) if isinstance(source, (str, Path)) else "image")
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
            most = MAX_PIXELS if max_pixels is None else max_pixels
            if image.width * image.height > most:
                raise InputError(f"{name}: {image.width} x {image.height} pixels is over the limit of {most}")
            if least:
                image.draft(None, (least, least))  # does nothing for other formats
            image.load()
            orientation = _orientation(image) if rotate else 1
            pixels = _rgb(image, name)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name}: no such image file") from None
    except Image.DecompressionBombError:
        raise InputError(f"{name}: too many pixels, a decompression bomb? (limit {MAX_PIXELS})") from None
    except UnidentifiedImageError:
        raise InputError(f"{name}: not an image of a known format ({', '.join(FORMATS)})") from None
    except Exception as error:  # on damaged files Pillow's readers raise nearly every kind
        why = str(error) or type(error).__name__
        raise InputError(f"{name}: broken image ({why})") from None
    return pixels.transpose(TURNS[orientation]) if orientation in TURNS else pixels


def _rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return Image.fromarray(_eight_bits(image, name)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        # "La" and "RGBa" hold colours already multiplied by their alpha, and have one way out each
        image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode)).convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image, name: str) -> Any:
    """(H, W) uint8 of a grey image with more bits; Pillow's own conversion clips everything over 255 to white."""
    values = np.asarray(image)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if image.mode == "F":
        if not (low >= 0.0 and high <= 255.0):  # NaN fails too
            raise InputError(f"{name}: floating-point pixels from {low:g} to {high:g}; save it as 0 to 1, or 8 bit")
        return np.rint(values * 255.0 if high <= 1.0 else values).astype(np.uint8)
    if low < 0 or high > 65535:
        raise InputError(f"{name}: integer pixels from {low:g} to {high:g}; save it as 8 or 16 bit")
    if image.mode == "I" and image.format == "TIFF" and high <= 255:
        return values.astype(np.uint8)  # 32-bit integers state no range: small ones are bytes
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged block loses the turn, not the photo
        return 1
