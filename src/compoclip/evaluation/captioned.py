"""Images with captions in the files that retrieval benchmarks are given out in.

- Karpathy's splits: BLIP's list (`coco_karpathy_test.json`), Karpathy's own (`dataset_coco.json`), CLIP_benchmark's in
  COCO's form (`coco_test_karpathy.json`);
- a table of image names and captions (`test_1k_flickr.csv`).

A user's own sets are read as training reads them; see `tasks/retrieval`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.pictures import Store, Stores, beside, is_image, open_store
from compoclip.evaluation.tables import SUFFIXES, field, read_lines, read_table
from compoclip.io import read_json

IMAGE_KEYS = ("image", "filepath", "file", "filename", "image_path")
CAPTION_KEYS = ("captions", "caption", "sentences", "title", "raw", "text")


@dataclass(frozen=True)
class Known:
    """A published set: its files and images below a data root, in the order they are looked for.

    `read` gives captions by image name, where the file is none of the usual ones; `every` place of images is searched.
    """

    name: str
    folders: tuple[str, ...]
    files: tuple[str, ...]
    images: tuple[str, ...]
    read: Callable[[Path], dict[str, list[str]]] | None = None
    every: bool = False

    def find(self, root: Path) -> Path | None:
        places = (root / folder / file for folder in self.folders for file in self.files)
        return next((path for path in places if path.exists()), None)


KNOWN = (
    Known(
        "coco_karpathy",
        ("coco_karpathy", "coco-karpathy", "retrieval/coco_karpathy", "mscoco_captions", "coco", "."),
        ("coco_karpathy_test.json", "coco_test_karpathy.json", "dataset_coco.json"),
        ("coco_karpathy/images", "val2014", "coco/val2014", "mscoco_captions/val2014", "coco/images", "images"),
    ),
    Known(
        "flickr30k",
        ("flickr30k", "retrieval/flickr30k", "Flickr30K", "."),
        ("flickr30k_test.json", "dataset_flickr30k.json", "test_1k_flickr.csv", "flickr30k_test_karpathy.txt"),
        (
            "flickr30k/flickr30k-images",
            "flickr30k/images_flickr_1k_test",
            "flickr30k/images",
            "Flickr30K/images",
            "flickr30k-images",
            "flickr30k",
            "images",
        ),
    ),
    Known(
        "flickr8k",
        ("flickr8k", "retrieval/flickr8k", "Flickr8k"),
        ("dataset_flickr8k.json", "flickr8k_test_karpathy.txt"),
        ("flickr8k/Flicker8k_Dataset", "flickr8k/Images", "flickr8k/images", "Flicker8k_Dataset", "flickr8k"),
    ),
    Known(
        "coco_counterfactuals",
        ("coco_counterfactuals/data", "coco_counterfactuals", "coco-counterfactuals/data"),
        ("examples.jsonl",),
        ("coco_counterfactuals/data/images", "coco_counterfactuals/images", "coco-counterfactuals/data/images"),
    ),
)


def captions_of(where: str, value: Any) -> list[str]:
    """Captions of a cell: a text, a list of texts, or a JSON list as text. Raises InputError where there is none."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(ValueError):  # a caption may begin with a bracket
            value = json.loads(value)
    values = value if isinstance(value, list) else [value]
    values = [v.get("raw") if isinstance(v, dict) else v for v in values]
    if not values or not all(isinstance(v, str) and v.strip() for v in values):
        raise InputError(f"{where} has a caption that is empty or no text")
    return [" ".join(v.split()) for v in values]  # a line break within a caption is no part of what it says


def read_file(path: Path, split: str = "test") -> dict[str, list[str]]:
    """Captions by image name, in the file's order. Raises InputError naming the row that is not understood."""
    out: dict[str, list[str]] = {}
    for image, texts in _pairs(path, split):
        out.setdefault(image, []).extend(texts)
    if not out:
        raise InputError(f"{path}: no image with captions in it")
    return out


def _pairs(path: Path, split: str) -> Iterable[tuple[str, list[str]]]:
    if path.suffix == ".txt":  # CLIP_benchmark's `image,caption`, whose captions may hold commas, unquoted
        for number, line in enumerate(read_lines(path)[1:], 2):
            stem, _, caption = line.partition(".jpg,")
            yield f"{stem}.jpg", captions_of(f"{path}: line {number}", caption)
        return
    if path.suffix in SUFFIXES:
        for number, row in read_table(path):
            where = f"{path}: line {number}"
            if "image_0" in row and "caption_0" in row:  # COCO-Counterfactuals: two images, a caption each
                for k in "01":
                    name = str(field(path, number, row, [f"image_{k}"]))
                    yield name if is_image(name) else f"{name}.jpg", captions_of(where, row.get(f"caption_{k}"))
                continue
            if row.get("split") in (None, "", split):
                yield (
                    str(field(path, number, row, IMAGE_KEYS)),
                    captions_of(where, field(path, number, row, CAPTION_KEYS)),
                )
        return
    table = read_json(path)
    if isinstance(table, dict) and "annotations" in table:
        yield from _coco(path, table)
        return
    rows = table.get("images") if isinstance(table, dict) else table
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: neither a list of images with captions nor an object with `images`")
    for number, row in enumerate(rows):
        if row.get("split") not in (None, split):
            continue
        image = next((row[k] for k in ("image", "filename", "file_name") if isinstance(row.get(k), str)), None)
        texts = next((row[k] for k in CAPTION_KEYS if k in row), None)
        if image is None:
            raise InputError(f"{path}: row {number} names no image")
        yield image, captions_of(f"{path}: row {number}", texts)


def _coco(path: Path, table: dict[str, Any]) -> Iterable[tuple[str, list[str]]]:
    try:
        names = {image["id"]: str(image["file_name"]) for image in table["images"]}
        for row in table["annotations"]:
            yield names[row["image_id"]], captions_of(f"{path}: annotation {row.get('id')}", row["caption"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not COCO's captions: `images` with id and file_name, and so on ({error})") from None


def find_store(root: Path, known: Known, wanted: Sequence[str]) -> Store | None:
    """The first of the known places that holds any of the wanted images, or every such place."""
    found = []
    for stem in known.images:
        place = beside(root / stem)
        store = None if place is None else open_store(place)
        if store is not None and any(store.get(name) for name in wanted):
            if not known.every:
                return store
            found.append(store)
    return Stores(found) if found else None


def is_captioned(folder: Path) -> bool:
    """Whether a folder is a webdataset of captions: CLIP_benchmark's `dataset_type.txt`, or a member for the texts."""
    shards = sorted((folder / "test").glob("*.tar"))
    if not shards:
        return False
    kind = folder / "dataset_type.txt"
    if kind.is_file():
        return kind.read_text("utf-8").strip().lower() == "retrieval"
    suffixes = {PurePosixPath(n).suffix.lower() for n in open_store(shards[0]).names()}
    return bool(suffixes & {".txt", ".json"}) and not suffixes & {".npy", ".cls"}
