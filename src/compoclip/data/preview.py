"""`data preview`: a contact sheet of a source, with its captions and their negatives, to look at before training."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from compoclip.data.order import draw
from compoclip.data.sources import Sample, open_source
from compoclip.errors import InputError
from compoclip.io import atomic_path, check_writable

CELL, PHOTO, MARGIN, FONT_SIZE, LINE = 260, 200, 12, 13, 16  # pixels
WRAP = 36  # characters a line
LINES = 9  # of text under a photo
INK, GREY, RED, PAPER = (20, 20, 20), (120, 120, 120), (170, 30, 30), (255, 255, 255)


def preview(
    path: str | Path,
    out: str | Path,
    count: int = 12,
    columns: int = 4,
    seed: int = 0,
    image_root: str | Path | None = None,
    image_key: str | None = None,
    caption_key: str | None = None,
    split: str | None = None,
) -> dict[str, Any]:
    """Write a PNG of `count` samples drawn by `seed`, captions in black and negatives in red.

    Returns {out, shown, broken, report, read}. An image that cannot be read is shown as a grey box with the reason.
    Raises InputError as `open_source` does, and for a count or columns below 1.
    """
    if count < 1 or columns < 1:
        raise InputError("count and columns must be at least 1")
    if Path(out).suffix.lower() != ".png":
        raise InputError(f"{out}: the sheet is written as PNG; give a name that ends in .png")
    check_writable(out)
    source = open_source(path, image_root, image_key, caption_key, split)
    chosen = draw(range(len(source)), count, "preview", seed)
    broken: list[str] = []
    cells = [_cell(source[index], broken) for index in chosen]
    sheet = _sheet(cells, min(columns, len(cells)))
    with atomic_path(out) as temporary:
        sheet.save(temporary, "PNG")
    return {
        "out": str(out),
        "shown": len(cells),
        "broken": broken,
        "report": source.report.as_dict(),
        "read": str(source.report),
    }


def _cell(sample: Sample, broken: list[str]) -> Image.Image:
    cell = Image.new("RGB", (CELL, PHOTO + LINES * LINE + MARGIN), PAPER)
    pen, font = ImageDraw.Draw(cell), _font()
    try:
        photo = sample.image.load()
        photo.thumbnail((CELL - MARGIN, PHOTO), Image.Resampling.LANCZOS)
        cell.paste(photo, ((CELL - photo.width) // 2, (PHOTO - photo.height) // 2))
    except InputError as error:
        broken.append(str(error))
        pen.rectangle((MARGIN // 2, 0, CELL - MARGIN // 2, PHOTO), fill=(225, 225, 225))
        _write(pen, font, textwrap.wrap(str(error), WRAP)[:8], 10, GREY)
    lines = [(line, GREY) for line in textwrap.wrap(sample.image_id, WRAP)[:1]]
    for number, caption in enumerate(sample.captions):
        lines += [(line, INK) for line in textwrap.wrap(f"• {caption}", WRAP)]
        own = sample.negatives[number] if sample.negatives is not None else ()
        lines += [(line, RED) for wrong in own for line in textwrap.wrap(f"✗ {wrong}", WRAP)]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], ("…", GREY)]
    for row, (line, colour) in enumerate(lines):
        _write(pen, font, [line], PHOTO + 4 + row * LINE, colour)
    return cell


def _write(pen: Any, font: Any, lines: Sequence[str], top: int, colour: tuple[int, int, int]) -> None:
    for row, line in enumerate(lines):
        pen.text((MARGIN // 2, top + row * LINE), line, fill=colour, font=font)


def _font() -> Any:
    """DejaVu, which matplotlib brings along and which has most of the world's letters."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), FONT_SIZE)


def _sheet(cells: Sequence[Image.Image], columns: int) -> Image.Image:
    rows = -(-len(cells) // columns)
    width, height = cells[0].size
    sheet = Image.new("RGB", (columns * (width + MARGIN) + MARGIN, rows * (height + MARGIN) + MARGIN), PAPER)
    for k, cell in enumerate(cells):
        sheet.paste(cell, (MARGIN + k % columns * (width + MARGIN), MARGIN + k // columns * (height + MARGIN)))
    return sheet
