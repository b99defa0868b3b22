"""ColorFoil: the first caption of a photo that names a colour, and the same with other colours in their places.

The official notebook draws the colours anew at each start, so that no two of its sets are the same. Here they depend on
a seed and the photo alone. Photos and captions are chosen as it chooses them (words of CSS3, in the case and without
the marks that they are written with), and the four of its list that are black and white are left out as it leaves them
out. Unlike there, a colour is exchanged only as a word of its own ("covered" stays), and "gray" not for "grey".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import ImageColor

from compoclip.data.order import pick
from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.questions import Row
from compoclip.io import read_json

SEED = 1
NAMED = frozenset(ImageColor.colormap) - {"rebeccapurple"}  # CSS3's 147; the other came with CSS4
FOILS = ("blue", "black", "red", "pink", "yellow", "grey", "orange", "white", "green", "brown")
GREY = frozenset({550, 1164, 1752, 2236})  # places in the official list


def foil(caption: str, photo: object, seed: int = SEED) -> str:
    """The caption with each of its colours exchanged for another of the ten.

    >>> foil("A man in a red shirt is covered", 7)
    'A man in a blue shirt is covered'
    """
    out = caption.split(" ")
    for place, word in enumerate(out):
        if word in NAMED:
            others = [colour for colour in FOILS if colour != ("grey" if word == "gray" else word)]
            out[place] = others[pick(len(others), "colorfoil", seed, photo, place)]
    return " ".join(out)


def rows(path: Path) -> list[tuple[str, Row]]:
    """The rows that COCO's captions of its 2017 validation photos give."""
    table = read_json(path)
    listed, told = (table.get(key) if isinstance(table, dict) else None for key in ("images", "annotations"))
    if not isinstance(listed, list) or not isinstance(told, list):
        raise InputError(f"{path}: not COCO's captions (an object with the lists images and annotations)")
    captions: dict[Any, str] = {}
    for number, row in enumerate(told):
        if not isinstance(row, dict) or not isinstance(row.get("caption"), str) or "image_id" not in row:
            raise InputError(f"{path}: annotation {number} needs image_id and caption")
        if not NAMED.isdisjoint(row["caption"].split(" ")):
            captions.setdefault(row["image_id"], row["caption"])
    found = [row for row in listed if isinstance(row, dict) and row.get("id") in captions]
    return [
        (
            f"{path}: image {row['id']}",
            {
                "image": row.get("file_name"),
                "caption": captions[row["id"]],
                "foil": foil(captions[row["id"]], row["id"]),
            },
        )
        for place, row in enumerate(found)
        if place not in GREY
    ]


TASK = benchmark("colorfoil", rows=rows)
