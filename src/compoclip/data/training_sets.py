"""Training sets by name: `--data coco --data-root DIR` becomes the files that lie there, in our layout or theirs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from compoclip.data.sources.columns import tidy
from compoclip.errors import InputError
from compoclip.io import write_text

SETTINGS = ("image_key", "caption_key", "split")


@lru_cache(maxsize=1)
def training_sets() -> dict[str, dict[str, Any]]:
    """`training_sets.yaml`."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(
        (resources.files("compoclip.data") / "training_sets.yaml").read_text("utf-8")
    )
    return found


def is_training_set(name: str) -> bool:
    return name in training_sets()


def locate(name: str, root: str | Path) -> dict[str, str]:
    """A run's `data`, `image_root` and the like for a named set below `root`.

    Caption files that lie one a photo (CC3M's by CoCa) are gathered into a table beside them, once.
    Raises InputError that says which files are wanted and what fetches them.

    >>> locate("coco", "data")  # doctest: +SKIP
    {'data': 'data/coco/train_neg_clip.tsv', 'image_root': 'data/coco/images'}
    """
    known = training_sets()
    if name not in known:
        raise InputError(f"{name}: no such training set; known: {', '.join(known)}")
    root = Path(root)
    for layout in known[name]["layouts"]:
        if "texts" in layout and (root / layout["texts"]).is_dir() and not (root / layout["data"]).is_file():
            gather(root / layout["texts"], root / layout["data"])
        path = root / layout["data"]
        if not path.exists() or (path.is_dir() and not any(path.glob("*.tar"))):
            continue
        out = {"data": str(path)}
        if "image_root" in layout:
            folder = next((root / place for place in layout["image_root"] if (root / place).is_dir()), None)
            if folder is None:
                wanted = " or ".join(str(root / place) for place in layout["image_root"])
                raise InputError(f"{name}: {path} is here and its photos are not; put them at {wanted}{_fetch(name)}")
            out["image_root"] = str(folder)
        return out | {key: layout[key] for key in SETTINGS if key in layout}
    wanted = " or ".join(str(root / layout["data"]) for layout in known[name]["layouts"])
    raise InputError(f"{name}: wanted {wanted}{_fetch(name)}")


def _fetch(name: str) -> str:
    return f"; `compoclip data get {name} --data-root DIR` fetches what may be fetched and tells the rest"


def gather(texts: Path, table: Path) -> int:
    """Write `image, caption` of a folder of `KEY.txt`; returns the rows. A file without text is left out."""
    rows = list(_rows(texts))
    if not rows:
        raise InputError(f"{texts}: no KEY.txt with a caption in it")
    write_text(table, "image\tcaption\n" + "".join(f"{image}\t{caption}\n" for image, caption in rows))
    return len(rows)


def _rows(texts: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(texts.rglob("*.txt")):
        caption = tidy(path.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0])
        if caption:
            yield f"{path.stem}.jpg", caption.replace('"', "'") if caption.startswith('"') else caption
