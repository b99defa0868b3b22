"""Negatives in any form to any other: our own Parquet, and the published ones of `data/sources/names.yaml`.

Reading gives rows as in `store`; what is broken is told with the file and the row, for a conversion must lose nothing.
CE-CLIP's `.npy` files are pickles, which run code when opened: they are refused, and its JSON forms are read.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from compoclip.data.sources.columns import IMAGE_COLUMNS, optional_column
from compoclip.data.sources.delimited import open_delimited
from compoclip.data.sources.json_file import open_json
from compoclip.data.sources.opening import TABLE_SUFFIXES, open_table
from compoclip.data.sources.rows import Options, Reading
from compoclip.data.sources.table import LAYOUTS, table_records
from compoclip.errors import InputError
from compoclip.io import write_json, write_text
from compoclip.negatives.store import Row, iterate, read_shard, write_shard
from compoclip.negatives.types import Negative

FLAGGED = "ce-clip-flags"  # CE-CLIP's older files, which are read and not written
FORMS = (*(name for name in LAYOUTS if name != FLAGGED), "parquet")
MARKS = {layout.lists or next(iter(layout.texts)): name for name, layout in LAYOUTS.items()}


def image_of(caption_id: str) -> str:
    """The image in a caption id made of image and number ("x.jpg#2" -> "x.jpg"); "" for an id without one."""
    image, mark, number = caption_id.rpartition("#")
    return image if mark and re.fullmatch(r"\d+(~\d+)?", number) else ""


def iterate_format(path: str | Path, form: str | None = None) -> Iterator[Row]:
    """Rows of a file in one of the forms, recognised by its columns or keys where `form` is not given.

    A folder is read as a build of ours. Raises InputError for an unknown form, or a broken file or row, which it names.
    """
    path = Path(path)
    if path.is_dir():
        return iterate(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    _check_form(form or FORMS[0])
    if path.suffix == ".npy":
        raise InputError(f"{path}: a pickle, which could run code; save the dictionaries as JSON and read those")
    if form == "parquet" or (form is None and path.suffix == ".parquet"):
        return read_shard(path)
    return _published(path, form)


def _published(path: Path, form: str | None) -> Iterator[Row]:
    if form is None or path.suffix.lower() in TABLE_SUFFIXES:
        table = open_table(path, Options())
    else:
        table = (open_delimited if form == "negclip" else open_json)(path)
    reading = Reading(images=False)
    usual = "negclip" if path.suffix in (".tsv", ".csv") else None
    fitting = [name for name, layout in LAYOUTS.items() if layout.fits(table.columns)]
    name = next((own for own in fitting if form is None or own.removesuffix("-flags") == form), None)
    name = name or form or next((MARKS[column] for column in table.columns if column in MARKS), usual)
    if name is None:
        raise InputError(f"{path}: none of the known forms ({', '.join(FORMS)}); name it with --from")
    layout = LAYOUTS[name]
    if missing := [column for column in layout.needed if column not in table.columns]:
        raise InputError(f"{path}: no {', '.join(missing)}; is it another form? name it with --from")
    image = layout.image or optional_column(table.columns, IMAGE_COLUMNS) or ""
    name = path.stem.replace("_", "-") if layout.kind == "file" else name.removesuffix("-flags")
    rows: dict[tuple[str, str], list[Negative]] = {}
    for record in table_records(table, reading, replace(layout, image=image)):
        reading.report.refuse()
        for place, (caption_id, caption) in enumerate(zip(record.ids, record.captions)):
            pairs = zip((record.negatives or [])[place], (record.kinds or [])[place])
            found = [Negative(text, f"{name}-{kind}" if kind else name, (), path.name) for text, kind in pairs]
            if layout.kind == "file":  # a row a negative
                rows.setdefault((record.name, caption), []).extend(found)
            else:
                yield caption_id, caption, found
    reading.report.refuse()
    numbers: Counter[str] = Counter()
    for (image, caption), found in rows.items():
        yield f"{image}#{numbers[image]}", caption, found
        numbers[image] += 1


def write_format(path: str | Path, rows: Iterable[Row], form: str) -> None:
    """Write rows, as `iterate_format` gives them, in one of the forms; see `convert` for what each contains.

    COCO file names give their number as DeGLA's `image_id`; other images keep their name. The similar images of
    NegCLIP's table are each row's own.
    """
    _check_form(form)
    path = Path(path)
    if form == "parquet":
        write_shard(path, rows)
        return
    kept = (row for row in rows if len(row[2]) >= LAYOUTS[form].least)
    entries = [entry for number, row in enumerate(kept) for entry in ENTRIES[form](number, image_of(row[0]), row)]
    if form == "negclip":
        text = io.StringIO()
        writer = csv.DictWriter(text, NEGCLIP, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(entries)
        write_text(path, text.getvalue())
    else:
        write_json(path, {str(k): entry for k, entry in enumerate(entries)} if form == "sugarcrepe" else entries)


NEGCLIP = ("", "title", "filepath", "neg_caption", "neg_image")


def _negclip(number: int, image: str, row: Row) -> list[dict[str, Any]]:
    return [dict(zip(NEGCLIP, (number, row[1], image, [n.text for n in row[2]], [number])))]


def _degla(number: int, image: str, row: Row) -> list[dict[str, Any]]:
    coco = re.search(r"(\d{12})\.jpg$", image)
    texts = [n.text for n in row[2]]
    return [{"image_id": int(coco[1]) if coco else image, "original": row[1], "enhanced": texts}]


def _ce_clip(number: int, image: str, row: Row) -> list[dict[str, Any]]:
    texts = [{"edited_caption": n.text, "category": n.kind} for n in row[2]]
    return [{"image_path": image, "caption": row[1], "negatives": texts}]


def _sugarcrepe(number: int, image: str, row: Row) -> list[dict[str, Any]]:
    return [{"filename": image, "caption": row[1], "negative_caption": n.text} for n in row[2]]


ENTRIES: dict[str, Callable[[int, str, Row], list[dict[str, Any]]]] = {
    "negclip": _negclip,
    "degla": _degla,
    "ce-clip": _ce_clip,
    "sugarcrepe": _sugarcrepe,
}


def convert(source: str | Path, out: str | Path, to: str, form: str | None = None) -> dict[str, int]:
    """Write what `source` has into the file `out` in the form `to`; how much was read, and how much that form keeps.

    NegCLIP's and SugarCrepe's forms have no place for a caption without negatives, DeGLA's none for one with fewer
    than four. Raises InputError for bad input, and where `out` is a folder or `source` itself.
    """
    out = Path(out)
    _check_form(to)
    if out.is_dir() or (out.exists() and out.samefile(source)):
        raise InputError(f"{out}: --out names a new file")
    read: Counter[str] = Counter()
    least = LAYOUTS[to].least if to in LAYOUTS else 0

    def counted() -> Iterator[Row]:
        for row in iterate_format(source, form):
            kept = len(row[2]) >= least
            read.update(captions=1, negatives=len(row[2]))
            read.update(captions_written=kept, negatives_written=len(row[2]) * kept)
            yield row

    write_format(out, counted(), to)
    return dict(read)


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise InputError(f"unknown format {form!r}; known are {', '.join(FORMS)}")
