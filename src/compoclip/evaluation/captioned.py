"""Images with captions in the files that retrieval benchmarks are given out in.

BLIP's, Karpathy's and CLIP_benchmark's JSON of Karpathy's splits, and tables of image names and captions, through the
readers of training. A user's own sets are read whole as training reads them; see `tasks/retrieval`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compoclip.data.sources.columns import CAPTION_COLUMNS, IMAGE_COLUMNS, SPLIT_COLUMNS, caption_list
from compoclip.errors import InputError
from compoclip.evaluation.images import is_image
from compoclip.evaluation.tables import field, read_lines, read_table


@dataclass(frozen=True)
class Known:
    """A published set: its files and the places of its images below a data root, in the order they are looked for.

    `read` gives captions by image name, where the file is none of the usual ones.
    """

    name: str
    folders: tuple[str, ...]
    files: tuple[str, ...]
    images: tuple[str, ...]
    read: Callable[[Path], dict[str, list[str]]] | None = None

    def find(self, root: Path) -> Path | None:
        places = (root / folder / file for folder in self.folders for file in self.files)
        return next((path for path in places if path.exists()), None)

    def captions(self, path: Path) -> dict[str, list[str]]:
        """Captions by image name, in the file's order. Raises InputError naming the row that is not understood."""
        return read_file(path) if self.read is None else self.read(path)


def captions_of(where: str, value: Any) -> list[str]:
    """Captions of a cell: a text, a list of texts, or such a list as text. Raises InputError where there is none."""
    try:
        values = caption_list(value)
    except ValueError as error:
        raise InputError(f"{where} has a list of captions that cannot be read ({error})") from None
    if not values or not all(isinstance(v, str) and v.strip() for v in values):
        raise InputError(f"{where} has a caption that is empty or no text")
    return [" ".join(str(v).split()) for v in values]  # a line break within a caption is no part of what it says


def read_file(path: Path, split: str = "test") -> dict[str, list[str]]:
    """Captions by image name, in the file's order. Raises InputError naming the row that is not understood."""
    out: dict[str, list[str]] = {}
    for image, texts in _pairs(path, split):
        out.setdefault(image, []).extend(texts)
    if not out:
        raise InputError(f"{path}: no image with captions in it")
    return out


def _pairs(path: Path, split: str) -> Iterator[tuple[str, list[str]]]:
    if path.suffix == ".txt":  # CLIP_benchmark's `image,caption`, whose captions may contain commas, unquoted
        for number, line in enumerate(read_lines(path)[1:], 2):
            stem, _, caption = line.partition(".jpg,")
            yield f"{stem}.jpg", captions_of(f"{path}: line {number}", caption)
        return
    for number, row in read_table(path):
        where = f"{path}: line {number}"
        if "image_0" in row and "caption_0" in row:  # COCO-Counterfactuals: two images, a caption each
            for k in "01":
                name = str(field(path, number, row, [f"image_{k}"]))
                yield name if is_image(name) else f"{name}.jpg", captions_of(where, row.get(f"caption_{k}"))
        elif next((row[name] for name in SPLIT_COLUMNS if name in row), None) in (None, "", split):
            name = str(field(path, number, row, IMAGE_COLUMNS))
            yield name, captions_of(where, field(path, number, row, CAPTION_COLUMNS))
