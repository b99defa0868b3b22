"""The figure of an explanation: scores as bars, and a map of patches for each word of each caption."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compoclip.errors import InputError
from compoclip.io import write_bytes
from compoclip.report.explain import Explanation, new_places

__all__ = ["draw"]

COLUMNS = 12  # word maps in a line, at most
KEY = "bright patches weigh most in a word's local score; framed words differ from the first caption"
FORMATS = (".png", ".svg", ".pdf")
BASE, TUNED = "#8a8f98", "#0072b2"  # Okabe and Ito's blue against grey


def draw(readings: Sequence[Explanation], captions: Sequence[str], path: str | Path) -> None:
    """Write the figure (.png, .svg or .pdf). One block a caption; with two models, the maps of each.

    Words in which a caption differs from the first are bold and framed. Raises InputError for another suffix.

    readings: of `read`, one or two models; captions: those that they read; path: of the file.

    Example: draw([read(base, image, captions), read(tuned, image, captions)], captions, "why.png")
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: an image is written as {', '.join(FORMATS)}")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    blocks = [(row, reading) for row in range(len(captions)) for reading in readings if reading.words]
    counts = [len(reading.words[row]) for row, reading in blocks]
    lines = [-(-count // COLUMNS) for count in counts]
    columns = max((-(-count // line) for count, line in zip(counts, lines)), default=1)  # no word left for a line alone
    head = max(2.4, 0.5 * len(captions) * len(readings) + 0.9)
    tile = min(1.2, 10.6 / columns)
    heights = [head] + [0.45 + (tile + 0.15) * count for count in lines]
    figure = pyplot.figure(figsize=(11, sum(heights) + 0.2), layout="constrained")
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _scores(parts[0], readings, captions)
    for part, count, (row, reading) in zip(parts[1:], lines, blocks):
        _maps(part, reading, row, captions, (count, columns))
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lower()[1:], dpi=110)
    pyplot.close(figure)
    write_bytes(path, buffer.getvalue())


def _scores(part: Any, readings: Sequence[Explanation], captions: Sequence[str]) -> None:
    image_axes, bars = part.subplots(1, 2, width_ratios=[1, 2.6])
    image_axes.imshow(readings[0].view)
    image_axes.set_title("what the model sees", fontsize=9)
    image_axes.axis("off")
    height = 0.8 / len(readings)
    for index, reading in enumerate(readings):
        places = np.arange(len(captions)) + index * height
        colour = TUNED if index == len(readings) - 1 else BASE
        drawn = bars.barh(places, reading.scores, height * 0.92, color=colour, label=reading.name)
        labels = [f"{s:.4f}" + ("  ◀ highest" if i == reading.best else "") for i, s in enumerate(reading.scores)]
        bars.bar_label(drawn, labels, padding=3, fontsize=8)
    bars.set_yticks(np.arange(len(captions)) + 0.4 - height / 2, [_wrapped(c) for c in captions], fontsize=9)
    bars.invert_yaxis()
    low, high = min(0.0, *(s for r in readings for s in r.scores)), max(s for r in readings for s in r.scores)
    bars.set_xlim(low, high + 0.3 * (high - low or 1.0))
    bars.set_xlabel("cosine of image and caption", fontsize=9)
    if any(reading.words for reading in readings):
        bars.annotate(KEY, (0, -0.3), xycoords="axes fraction", fontsize=8, color="#5b6470")
    bars.spines[["top", "right"]].set_visible(False)
    if len(readings) > 1:
        bars.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=len(readings))


def _maps(part: Any, reading: Explanation, row: int, captions: Sequence[str], shape: tuple[int, int]) -> None:
    changed = new_places(*([word for word, _ in reading.words[place]] for place in (0, row)))
    local = "" if reading.local is None else f"   (local score {reading.local[row]:.1f})"
    part.suptitle(f"{reading.name}: {captions[row]}{local}".replace("$", r"\$"), fontsize=9.5, x=0.01, ha="left")
    axes = np.atleast_1d(part.subplots(*shape)).ravel()
    for axis in axes:
        axis.axis("off")
    for place, (axis, (word, grid)) in enumerate(zip(axes, reading.words[row])):
        axis.imshow(reading.view.convert("L"), cmap="gray", alpha=0.55, extent=(0, 1, 0, 1))
        axis.imshow(grid, cmap="viridis", alpha=0.6, extent=(0, 1, 0, 1), interpolation="nearest")
        new = place in changed
        axis.set_title(word.replace("$", r"\$"), fontsize=9, fontweight="bold" if new else "normal", pad=3)
        if new:
            axis.add_patch(_frame())


def _frame() -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((0, 0), 1, 1, fill=False, edgecolor="#c44f00", linewidth=2.5)


def _wrapped(caption: str, width: int = 38) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(caption.replace("$", r"\$"), width, max_lines=3, placeholder=" …"))
