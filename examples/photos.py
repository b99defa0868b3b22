"""Images and captions for the examples, drawn here: what your own folder and table stand for."""

from __future__ import annotations

import csv
from pathlib import Path

from compoclip.data.sources.builtin import WorldSource


def draw(folder: Path, count: int = 64) -> Path:
    """Write `count` images to `folder/images` and `folder/captions.csv` with the columns image and caption."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image", "caption"])
        for number, sample in enumerate(WorldSource(seed=0, count=count)):
            name = f"{number:04d}.png"
            sample.image.load().save(folder / "images" / name)
            table.writerows([name, caption] for caption in sample.captions[:2])
    return folder / "captions.csv"
