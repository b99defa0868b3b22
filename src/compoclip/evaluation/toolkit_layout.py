"""The tree that the ELEVATER toolkit downloads: an index of a split, a list of labels, and zips of images.

An index is lines `ARCHIVE.zip@IMAGE LABEL[,LABEL…]` with labels counted from 0 in `labels.txt`, or a COCO-like JSON
(`images` with `file_name` and `zip_file`, `annotations`, `categories`), as the package vision-datasets documents them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.images import ImageRef, open_store
from compoclip.evaluation.tables import read_lines
from compoclip.io import read_json

LAYOUT = "elevater toolkit"
LABELS = ("labels.txt", "labelmap.txt")
INDEX = {
    "test": ("test.txt", "test_images.txt", "test_ic.txt", "test.json", "test_meta.json"),
    "train": ("train.txt", "train_images.txt", "train_ic.txt", "train.json", "train_meta.json"),
    "val": ("val.txt", "valid.txt", "val_ic.txt", "val.json", "validation_meta.json"),
}


def _image_refs(folder: Path, paths: Iterable[str]) -> list[ImageRef | None]:
    """Images by `ARCHIVE.zip@NAME`, or by a path in the folder; each archive is opened once."""
    stores, found = {"": open_store(folder)}, []
    for path in paths:
        archive, _, name = path.rpartition("@")
        if archive not in stores:
            place = folder / Path(archive.replace("\\", "/")).name
            if not place.is_file():
                raise InputError(f"{folder}: the index names {archive}, which is not there; fetch it again")
            stores[archive] = open_store(place)
        found.append(stores[archive].get(name))
    return found


def read_index(folder: Path, split: str) -> tuple[list[ImageRef | None], list[Any], list[str]] | None:
    """(images, the label or labels of each, label names) of a split; None where this is not such a tree.

    Raises InputError for an index that is broken, naming the line.
    """
    files: list[str] = [*INDEX.get(split, ())]
    if split == "test" and folder.name.startswith("imagenet"):
        files += INDEX["val"]  # its validation photos are its test
    path = next((folder / name for name in files if (folder / name).is_file()), None)
    labels = next((folder / name for name in LABELS if (folder / name).is_file()), None)
    if path is None or (path.suffix != ".json" and labels is None):
        return None
    read = _coco(path) if labels is None or path.suffix == ".json" else (_lines(path), read_lines(labels))
    if read is None or not read[0]:
        return None  # ImageNet's index of the training photos lists none
    rows, names = read
    image_refs = _image_refs(folder, [image for image, _ in rows])
    if not any(image_refs):
        raise InputError(f"{path}: none of its {len(rows)} images is there")
    for image_ref, (_, own) in zip(image_refs, rows):
        if image_ref is not None and (not own or min(own) < 0 or max(own) >= len(names)):
            raise InputError(
                f"{path}: {image_ref.where} has the labels {own}, outside the {len(names)} of its label list"
            )
    single = all(len(own) == 1 for image_ref, (_, own) in zip(image_refs, rows) if image_ref is not None)
    return image_refs, [own[0] if single and own else own for _, own in rows], names


def _lines(path: Path) -> list[tuple[str, list[int]]]:
    out = []
    for number, line in enumerate(read_lines(path), 1):
        image, _, labels = line.rpartition(" ")  # only the path may contain spaces
        try:
            out.append((image, [int(label) for label in labels.split(",")]))
        except ValueError:
            image = ""
        if not image:
            raise InputError(f"{path}: line {number} must be an image and its labels, such as 'test.zip@1.jpg 3'")
    return out


def _coco(path: Path) -> tuple[list[tuple[str, list[int]]], list[str]] | None:
    table = read_json(path)
    parts = ("images", "annotations", "categories")
    if not isinstance(table, dict) or not all(isinstance(table.get(part), list) for part in parts):
        return None
    try:
        categories = sorted(table["categories"], key=lambda c: c["id"])  # labels count in the order of their ids
        place = {c["id"]: i for i, c in enumerate(categories)}
        labels: dict[Any, list[int]] = {}
        for annotation in table["annotations"]:
            labels.setdefault(annotation["image_id"], []).append(place[annotation["category_id"]])
        zips = [f"{image['zip_file']}@" if image.get("zip_file") else "" for image in table["images"]]
        rows = [(f"{z}{i['file_name']}", labels.get(i["id"], [])) for z, i in zip(zips, table["images"])]
        return rows, [str(c["name"]) for c in categories]
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: an image, annotation or category lacks {error}") from None
