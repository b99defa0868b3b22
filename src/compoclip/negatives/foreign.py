"""Other people's files of negatives: NegCLIP's TSV, DeGLA's JSON, CE-CLIP's dictionaries, SugarCrepe's JSON.

Reading gives rows as in `store`. What is broken is told with the file and the row. CE-CLIP's `.npy` files are pickles,
which run code when opened: they are refused, and its JSON form is read.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from compoclip.data.sources.delimited import open_delimited
from compoclip.data.sources.json_file import open_json
from compoclip.data.sources.rows import Reading
from compoclip.data.sources.table import table_records
from compoclip.errors import InputError
from compoclip.io import read_json, write_json, write_text
from compoclip.negatives.store import Row
from compoclip.negatives.types import Negative

DEGLA_LEAST = 4  # negatives; its loader stacks four a caption
CE_CLIP_KEYS = {
    "relation_aug_caption": "relation",
    "adj_aug_caption": "adjective",
    "noun_aug_caption": "noun",
    "verb_aug_caption": "verb",
}


def image_of(caption_id: str) -> str:
    """The image in a caption id made of image and number ("x.jpg#2" -> "x.jpg"); "" for an id without one."""
    image, mark, number = caption_id.rpartition("#")
    return image if mark and re.fullmatch(r"\d+(~\d+)?", number) else ""


class _Ids:
    """Caption ids as `captions` makes them: image and number."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def __call__(self, image: str) -> str:
        number = self.seen.get(image, 0)
        self.seen[image] = number + 1
        return f"{image}#{number}"


def read_negclip(path: Path) -> Iterator[Row]:
    """`title`, `filepath`, `neg_caption` (a list literal, never evaluated). Raises InputError naming the row."""
    yield from _as_training(path, "negclip", "title", "filepath", "neg_caption")


def read_degla(path: Path) -> Iterator[Row]:
    """A list of `image_id`, `original`, `enhanced` (four or more strings)."""
    yield from _as_training(path, "degla", "image_id", "original", "enhanced")


def _as_training(path: Path, form: str, *columns: str) -> Iterator[Row]:
    """Rows as training reads them, but for what it would pass over: a conversion must lose nothing."""
    is_json = path.suffix.lower() == ".json" or form == "degla"
    table, reading = (open_json if is_json else open_delimited)(path), Reading(images=False)
    _need(path, dict.fromkeys(table.columns), *columns)
    for record in table_records(table, reading):
        reading.report.refuse()
        for caption_id, caption, negatives in zip(record.ids, record.captions, record.negatives or []):
            yield caption_id, caption, [_taken(text, form, path) for text in negatives]
    reading.report.refuse()


def read_ce_clip(path: Path) -> Iterator[Row]:
    """Both of its forms: `*_aug_caption` with `valid_caption` flags, or `negatives` of `edited_caption`, `category`."""
    if path.suffix == ".npy":
        raise InputError(f"{path}: a pickle, which could run code; save the dictionaries as JSON and read those")
    ids = _Ids()
    for number, item in enumerate(_list(path, read_json(path)), 1):
        _need(path, item, "caption", row=number)
        _texts(path, number, "caption", [item["caption"]])
        found = []
        if "negatives" in item:
            for negative in _list(path, item["negatives"], number):
                _need(path, negative, "edited_caption", row=number)
                _texts(path, number, "edited_caption", [negative["edited_caption"]])
                found.append(_taken(negative["edited_caption"], f"ce-clip-{negative.get('category', 'edit')}", path))
        else:
            present = [(key, kind) for key, kind in CE_CLIP_KEYS.items() if item.get(key)]
            valid = item.get("valid_caption") or [1] * len(CE_CLIP_KEYS)
            flags = dict(zip(CE_CLIP_KEYS, _list(path, valid, number)))
            _texts(path, number, "an augmented caption", [item[key] for key, _ in present])
            found = [_taken(item[key], f"ce-clip-{kind}", path) for key, kind in present if flags.get(key, 1)]
        yield ids(str(item.get("image_path") or item.get("image_id") or "")), str(item["caption"]), found


def read_sugarcrepe(path: Path) -> Iterator[Row]:
    """An object keyed "0", "1", ... of `filename`, `caption`, `negative_caption`; the file's name is the kind."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path}: SugarCrepe's form is one object keyed by row number")
    grouped: dict[tuple[str, str], list[Negative]] = {}
    for key, item in value.items():
        _need(path, item, "filename", "caption", "negative_caption", row=key)
        for name in ("filename", "caption", "negative_caption"):
            _texts(path, key, name, [item[name]])
        negatives = grouped.setdefault((item["filename"], item["caption"]), [])
        negatives.append(_taken(item["negative_caption"], path.stem.replace("_", "-"), path))
    ids = _Ids()
    for (image, caption), negatives in grouped.items():
        yield ids(image), caption, negatives


def write_negclip(path: Path, rows: Iterable[Row], hard_images: dict[str, list[int]] | None = None) -> None:
    """NegCLIP's TSV. `hard_images`: caption id -> rows of images to contrast with; default the row itself."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(["", "title", "filepath", "neg_caption", "neg_image"])
    for number, (caption_id, caption, negatives) in enumerate(row for row in rows if row[2]):
        images = (hard_images or {}).get(caption_id, [number])
        writer.writerow([number, caption, image_of(caption_id), [n.text for n in negatives], images])
    write_text(path, text.getvalue())


def write_degla(path: Path, rows: Iterable[Row], least: int = DEGLA_LEAST) -> int:
    """DeGLA's JSON; captions with fewer than `least` negatives, which its loader cannot batch, are left out, counted.

    COCO file names give their number as `image_id`; other images keep their name.
    """
    items, short = [], 0
    for caption_id, caption, negatives in rows:
        if len(negatives) < least:
            short += 1
            continue
        image = image_of(caption_id)
        coco = re.search(r"(\d{12})\.jpg$", image)
        items.append(
            {"image_id": int(coco[1]) if coco else image, "original": caption, "enhanced": [n.text for n in negatives]}
        )
    write_json(path, items)
    return short


def write_ce_clip(path: Path, rows: Iterable[Row]) -> None:
    """CE-CLIP's newer form, as JSON."""
    write_json(
        path,
        [
            {
                "image_path": image_of(caption_id),
                "caption": caption,
                "negatives": [{"edited_caption": n.text, "category": n.kind} for n in negatives],
            }
            for caption_id, caption, negatives in rows
        ],
    )


def write_sugarcrepe(path: Path, rows: Iterable[Row]) -> None:
    """SugarCrepe's JSON: one entry a negative."""
    entries = [
        {"filename": image_of(caption_id), "caption": caption, "negative_caption": negative.text}
        for caption_id, caption, negatives in rows
        for negative in negatives
    ]
    write_json(path, {str(number): entry for number, entry in enumerate(entries)})


def _taken(text: str, kind: str, path: Path) -> Negative:
    return Negative(" ".join(text.split()), kind, (), path.name)


def _list(path: Path, value: Any, row: int | None = None) -> list[Any]:
    if not isinstance(value, list):
        at = f" row {row}" if row is not None else ""
        raise InputError(f"{path}{at}: a list is wanted, not {type(value).__name__}; is it another form? (--from)")
    return value


def _texts(path: Path, row: Any, name: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        raise InputError(f"{path} row {row}: {name} is no caption or list of captions: {str(value)[:40]}")


def _need(path: Path, item: Any, *keys: str, row: Any = None) -> None:
    missing = [key for key in keys if key not in item] if isinstance(item, dict) else keys
    if missing:
        at = f" row {row}" if row is not None else ""
        raise InputError(f"{path}{at}: no {', '.join(missing)}; is it another form? name it with --from")
