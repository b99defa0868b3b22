"""Images are opened without trust: named formats alone, bounded, and every mode as a viewer shows it."""

from __future__ import annotations

import io
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from compoclip.decode import AVIF, FORMATS, IMAGE_SUFFIXES, open_image
from compoclip.errors import InputError


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(size: tuple[int, int] = (4, 3), mode: str = "RGB") -> bytes:
    return encoded(Image.new(mode, size))


def halves(left: tuple[int, ...] = (255, 255, 255), right: tuple[int, ...] = (0, 0, 0)) -> Image.Image:
    image = Image.new("RGB", (16, 8), right)
    image.paste(left, (0, 0, 8, 8))
    return image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "LA", "I;16"])
def test_any_mode_becomes_rgb(mode: str) -> None:
    assert open_image(png(mode=mode)).mode == "RGB"


def test_bad_images_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="row 7"):
        open_image(b"not an image", where="row 7")
    with pytest.raises(InputError, match="broken"):
        open_image(png((64, 64))[:-20], where="row 8")
    with pytest.raises(InputError, match="no such image"):
        open_image(tmp_path / "none.png")
    monkeypatch.setattr("compoclip.decode.MAX_PIXELS", 10)
    with pytest.raises(InputError, match="pixels"):
        open_image(png((4, 3)))


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 20 20
%%EndComments
(it-ran) (w) file closefile
showpage
%%EOF
"""
OTHER_FORMATS = {
    "eps": EPS,
    "eps with a preview": struct.pack("<4sIIIIIIHH", b"\xc5\xd0\xd3\xc6", 32, len(EPS), 0, 0, 0, 0, 0, 0) + EPS,
    "wmf": b"\xd7\xcd\xc6\x9a" + b"\0" * 40,
    "fits": b"SIMPLE  =                    T" + b" " * 2850,
}


@pytest.mark.parametrize("kind", [*OTHER_FORMATS, "ico", "pcx", "tga", "psd", "icns", "jpeg2000", "sgi", "dds"])
@pytest.mark.parametrize("name", ["x.jpg", "x.png"])
def test_a_format_that_is_not_named_is_refused_whatever_the_file_is_called(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*args: object, **options: object) -> None:
        raise AssertionError(f"a program was started: {args}")

    monkeypatch.setattr(subprocess, "check_call", started)
    monkeypatch.setattr(subprocess, "Popen", started)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs")
    if kind in OTHER_FORMATS:
        data = OTHER_FORMATS[kind]
    elif kind == "psd":
        data = b"8BPS" + struct.pack(">H6xHIIHHIII", 1, 3, 8, 8, 8, 3, 0, 0, 0) + b"\0\0" + b"\0" * 192
    else:
        data = encoded(Image.new("RGB", (32, 32), "red"), kind.upper())
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match="not an image of a known format"):
        open_image(path)
    with pytest.raises(InputError, match="not an image of a known format"):
        open_image(data)


@pytest.mark.parametrize("kind", [*FORMATS, "MPO"])
def test_named_formats_are_read(kind: str) -> None:
    found = open_image(encoded(halves(), kind))
    assert found.size == (16, 8)
    assert np.asarray(found)[4, 2].min() > 240
    assert np.asarray(found)[4, 13].max() < 15
    assert (".avif" in IMAGE_SUFFIXES) == AVIF


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def lying_png(width: int, height: int) -> bytes:
    """A few bytes that say they are a large image."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def lying_bmp(width: int, height: int) -> bytes:
    return struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)


def lying_ppm(width: int, height: int) -> bytes:
    return f"P6 {width} {height} 255\n".encode()


def lying_gif(width: int, height: int) -> bytes:
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x08\x02\x44\x01\x00;"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0" * 6 + frame


@pytest.mark.parametrize("make", [lying_png, lying_bmp, lying_ppm, lying_gif])
def test_decompression_bombs_are_refused_before_they_are_decoded(make) -> None:
    for size in ((10_000, 9_999), (60_000, 60_000)):  # between Pillow's warning and its error, and above both
        with pytest.raises(InputError, match="pixels"):
            open_image(make(*size), where="row 3")


def test_a_compressed_comment_that_unpacks_to_much_is_refused() -> None:
    body = png()
    bomb = chunk(b"zTXt", b"c\0\0" + zlib.compress(b"\0" * (80 << 20)))
    with pytest.raises(InputError, match="broken image"):
        open_image(body[:33] + bomb + body[33:])


RAMP = np.linspace(0, 65535, 256).round().astype(np.uint16)[None].repeat(4, axis=0)


@pytest.mark.parametrize("kind", ["png", "tiff", "tiff, big-endian", "tiff of 32 bits", "pgm"])
def test_a_ramp_of_sixteen_bits_is_a_ramp_of_eight(kind: str) -> None:
    if kind == "pgm":
        data = b"P5 256 4 65535\n" + RAMP.astype(">u2").tobytes()
    elif kind == "tiff, big-endian":
        data = encoded(Image.frombytes("I;16B", (256, 4), RAMP.astype(">u2").tobytes()), "TIFF")
    elif kind == "tiff of 32 bits":
        data = encoded(Image.fromarray(RAMP.astype(np.int32)), "TIFF")
    else:
        data = encoded(Image.fromarray(RAMP), kind.upper())
    pixels = np.asarray(open_image(data))
    assert pixels.shape == (4, 256, 3)
    assert (pixels == np.arange(256)[None, :, None]).all()


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_floating_point_pixels_keep_their_shades(top: float) -> None:
    ramp = np.linspace(0, top, 256, dtype=np.float32)[None].repeat(4, axis=0)
    pixels = np.asarray(open_image(encoded(Image.fromarray(ramp), "TIFF")))
    assert (pixels == np.arange(256)[None, :, None]).all()


@pytest.mark.parametrize("values", [[0.0, np.nan], [0.0, np.inf], [-1.0, 1.0], [0.0, 4000.0]])
def test_pixels_that_are_no_shades_are_refused(values: list[float]) -> None:
    image = Image.fromarray(np.array([values], np.float32))
    with pytest.raises(InputError, match="row 2: floating-point pixels from"):
        open_image(encoded(image, "TIFF"), where="row 2")
    with pytest.raises(InputError, match="integer pixels from -3 to 70000"):
        open_image(encoded(Image.fromarray(np.array([[-3, 70000]], np.int32)), "TIFF"))


def transparent(mode: str) -> bytes:
    """Left half opaque red (grey where the mode has no colour), right half fully transparent black."""
    image = halves((200, 0, 0)).convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat([[255] * 8 + [0] * 8], 8, axis=0).astype(np.uint8)))
    if mode == "P":  # one colour of the palette is transparent
        paletted = halves((200, 0, 0)).quantize(2)
        dark = paletted.getpixel((12, 4))
        return encoded(paletted, "PNG", transparency=dark)
    if mode == "RGB":
        return encoded(halves((200, 0, 0)), "PNG", transparency=(0, 0, 0))
    if mode == "L":
        return encoded(halves((200, 200, 200)).convert("L"), "PNG", transparency=0)
    if mode == "gif":
        paletted = halves((200, 0, 0)).quantize(2)
        return encoded(paletted, "GIF", transparency=paletted.getpixel((12, 4)))
    if mode == "webp":
        return encoded(image, "WEBP", lossless=True)
    return encoded(image.convert(mode), "PNG")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L", "gif", "webp"])
def test_what_is_transparent_lies_on_white(mode: str) -> None:
    pixels = np.asarray(open_image(transparent(mode)))
    assert (pixels[4, 12] == 255).all()
    assert pixels[4, 2].min() < 201


def test_half_transparent_pixels_are_mixed_with_white() -> None:
    pixels = np.asarray(open_image(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 128)))))
    assert (abs(pixels.astype(int) - 127) <= 1).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_exif_says_where_that_is_asked_for(kind: str, orientation: int) -> None:
    from PIL import ImageOps

    image = Image.new("RGB", (32, 16), "black")
    image.paste((255, 255, 255), (0, 0, 16, 8))  # one corner: every orientation gives another picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, kind, exif=exif)
    seen = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")) > 128
    assert (np.asarray(open_image(data, rotate=True)) > 128).tolist() == seen.tolist()
    assert open_image(data).size == (32, 16)


@pytest.mark.parametrize("value", [0, 9, 65000])
def test_an_orientation_that_means_nothing_is_none(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert open_image(encoded(halves(), "JPEG", exif=exif), rotate=True).size == (16, 8)


@pytest.mark.parametrize("exif", [b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0junk", b"\xff" * 40])
def test_a_damaged_exif_block_loses_no_photo(exif: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    assert open_image(encoded(halves(), "JPEG", exif=exif), rotate=True).size == (16, 8)
    assert capfd.readouterr().err == ""


def test_a_jpeg_may_come_at_a_part_of_its_size(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(600), np.arange(900))[..., None] * np.array([0.1, 0.15, 0.12])
    image = Image.fromarray(smooth.astype(np.uint8))
    for format in ("JPEG", "PNG"):
        out = io.BytesIO()
        image.save(out, format, quality=95)
        sizes = {least: open_image(out.getvalue(), least=least).size for least in (0, 601, 300, 299, 150, 70, 1)}
        if format == "PNG":
            assert set(sizes.values()) == {(900, 600)}
            continue
        assert sizes == {
            0: (900, 600), 601: (900, 600), 300: (450, 300), 299: (450, 300), 150: (225, 150),
            70: (113, 75), 1: (113, 75),
        }  # fmt: skip
        half = np.asarray(open_image(out.getvalue(), least=300), dtype=float)
        assert np.abs(half - np.asarray(image.resize((450, 300), Image.Resampling.BOX), dtype=float)).mean() < 2
        turned = Image.open(io.BytesIO(out.getvalue()))
        exif = Image.Exif()
        exif[0x0112] = 6
        with_turn = io.BytesIO()
        turned.save(with_turn, "JPEG", exif=exif)
        assert open_image(with_turn.getvalue(), rotate=True, least=300).size == (300, 450)
