"""Recognition sets that their makers give out in a form of their own: the toolkit's, ObjectNet's, STL-10's binary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from compoclip.errors import InputError
from compoclip.evaluation.images import ImageRef, beside, from_array, is_image, open_store
from compoclip.evaluation.tables import read_lines
from compoclip.evaluation.toolkit_layout import LAYOUT, read_index
from compoclip.io import read_json

Read = tuple[Sequence[ImageRef | None], list[Any], list[str]]  # images, the label or labels of each, class names

FOLDER_LABELS, TO_IMAGENET = "folder_to_objectnet_label.json", "objectnet_to_imagenet_1k.json"
SIDE = 96  # pixels of STL-10's images


def read_objectnet(folder: Path, split: str) -> Read | None:
    """ObjectNet's 113 classes that ImageNet has, too: `images/FOLDER/FILE.png`, and what folders mean in `mappings/`.

    Classes stand in the order of their folders and are called as ObjectNet calls them, in lower case; the red border
    of a pixel is left on, both as in CLIP_benchmark.
    """
    base = next((p for p in (folder, folder / "objectnet-1.0") if (p / "mappings" / FOLDER_LABELS).is_file()), None)
    place = None if base is None else beside(base / "images")
    if base is None or place is None or split != "test":
        return None
    called, kept = read_json(base / "mappings" / FOLDER_LABELS), read_json(base / "mappings" / TO_IMAGENET)
    if not isinstance(called, dict) or not isinstance(kept, dict):
        raise InputError(f"{base / 'mappings'}: {FOLDER_LABELS} and {TO_IMAGENET} must be objects")
    classes = sorted(name for name, label in called.items() if label in kept)
    at = {name: k for k, name in enumerate(classes)}
    store = open_store(place)
    rows = [(name, at.get(PurePosixPath(name).parent.name)) for name in sorted(store.names()) if is_image(name)]
    found = [(image_ref, k) for name, k in rows if k is not None and (image_ref := store.get(name)) is not None]
    if not found:
        raise InputError(f"{place}: no image in a folder of a class that ImageNet has, too, such as {classes[:1]}")
    return [p for p, _ in found], [k for _, k in found], [str(called[name]).lower() for name in classes]


def read_stl10(folder: Path, split: str) -> Read | None:
    """STL-10's `test_X.bin` (an image is three planes of 96 columns), `test_y.bin` (1 to 10) and `class_names.txt`."""
    base = next((p for p in (folder, folder / "stl10_binary") if (p / f"{split}_X.bin").is_file()), None)
    if base is None:
        return None
    pixels, size = base / f"{split}_X.bin", 3 * SIDE * SIDE
    labels = np.fromfile(base / f"{split}_y.bin", np.uint8) if (base / f"{split}_y.bin").is_file() else np.zeros(0)
    names = read_lines(base / "class_names.txt")
    if pixels.stat().st_size != size * len(labels) or not len(labels):
        raise InputError(
            f"{pixels}: {pixels.stat().st_size} bytes for the {len(labels)} labels beside it; fetch it again"
        )
    if labels.min() < 1 or labels.max() > len(names):
        raise InputError(f"{base}: a label is outside the {len(names)} of class_names.txt")
    planes = np.memmap(pixels, np.uint8, "r").reshape(-1, 3, SIDE, SIDE)
    images = [from_array(plane.transpose(2, 1, 0), f"{pixels}: image {k}") for k, plane in enumerate(planes)]
    return images, [int(label) - 1 for label in labels], names


OWN_LAYOUTS: dict[str, Callable[[Path, str], Read | None]] = {
    LAYOUT: read_index,
    "objectnet": read_objectnet,
    "stl10 binary": read_stl10,
}
