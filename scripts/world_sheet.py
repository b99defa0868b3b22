"""Draw docs/world.png: every shape in every style, the colours, and pairs with their captions.

python scripts/world_sheet.py docs/world.png
"""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from compoclip.data import world
from compoclip.data.world import Scene
from compoclip.data.world.scene import crowd, generator, single
from compoclip.io import write_bytes

SCALE, GAP, LINE, MARGIN = 2, 4, 15, 78
TILE = world.IMAGE_SIZE * SCALE
INK = (30, 30, 30)


def style_rows() -> list[tuple[str, list[Scene], list[str]]]:
    """One row a style: the shapes in the order of world.SHAPES, mostly at readable sizes."""
    rows = []
    for number, style in enumerate(world.STYLES):
        scenes = [single(generator(2, "gallery", number, i), style, shape) for i, shape in enumerate(world.SHAPES)]
        rows.append((style, scenes, list(world.SHAPES) if number == 0 else []))
    return rows


def colour_row() -> tuple[str, list[Scene], list[str]]:
    scenes = []
    for i, colour in enumerate(world.COLOURS):
        scene = single(generator(3, "gallery", 9, i), "solid", "circle")
        thing = scene.things[0]._replace(colour=colour, half_radius=28, x=24, y=24)
        scenes.append(replace(scene, things=(thing,)))
    return "colours", scenes, list(world.COLOURS)


def sentences() -> tuple[str, list[Scene], list[str]]:
    scenes = [world.finetune_scene(5, i) for i in range(6)]
    return "pairs", scenes, [scene.captions[0] for scene in scenes]


def counted() -> tuple[str, list[Scene], list[str]]:
    counts = (1, 2, 3, 4)
    return "counts", [crowd(generator(5, "gallery", 10, n), "solid", n) for n in counts], [str(n) for n in counts]


def wrapped(text: str, width: int) -> str:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def sheet() -> Image.Image:
    rows = [*style_rows(), colour_row(), counted(), sentences()]
    width = MARGIN + len(world.SHAPES) * (TILE + GAP)
    heights = [TILE + GAP + (LINE * (2 if row[0] == "pairs" else 1) if row[2] else 0) for row in rows]
    canvas = Image.new("RGB", (width, sum(heights) + GAP), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(12)
    top = GAP
    for (name, scenes, labels), height in zip(rows, heights):
        pen.text((6, top + TILE // 2 - 8), name, fill=INK, font=font)
        step = (TILE + GAP) * (2 if name == "pairs" else 1)
        for i, scene in enumerate(scenes):
            left = MARGIN + i * step
            canvas.paste(Image.fromarray(scene.image).resize((TILE, TILE), Image.Resampling.NEAREST), (left, top))
            if labels:
                pen.text((left, top + TILE), wrapped(labels[i], 34), fill=INK, font=font, spacing=1)
        top += height
    return canvas.quantize(200, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: python scripts/world_sheet.py OUT.png")

    buffer = io.BytesIO()
    sheet().save(buffer, format="PNG", optimize=True)
    write_bytes(Path(sys.argv[1]), buffer.getvalue())
    print(f"{sys.argv[1]}: {len(buffer.getvalue()) / 1000:.0f} kB, {np.prod(sheet().size) / 1e6:.1f} million pixels")


if __name__ == "__main__":
    main()
