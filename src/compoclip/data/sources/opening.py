"""From what the user typed to what is read: the kind of data is told from its name and its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from compoclip.data.images.names import IMAGE_SUFFIXES, is_litter, walk
from compoclip.data.sources.base import Source
from compoclip.data.sources.columns import usable_caption
from compoclip.data.sources.delimited import open_delimited
from compoclip.data.sources.huggingface import download, hub_files, is_saved_dataset, open_columnar, saved_files
from compoclip.data.sources.json_file import open_json, open_jsonl
from compoclip.data.sources.paired import photo_records, tar_records
from compoclip.data.sources.rows import Input, Options, Reading, Record, Table
from compoclip.data.sources.samples import gather
from compoclip.data.sources.shards import expand, is_pattern
from compoclip.data.sources.table import table_records
from compoclip.errors import InputError

__all__ = ["OPENERS", "open_source"]

OPENERS: dict[str, Callable[[Path], Table]] = {
    **dict.fromkeys((".tsv", ".tab", ".csv"), open_delimited),
    **dict.fromkeys((".jsonl", ".ndjson", ".jsonlines"), open_jsonl),
    ".json": open_json,
}
TABLE_SUFFIXES = (*OPENERS, ".parquet", ".arrow")
HUB_PREFIX = "hf:"
COMPRESSED = (".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2")


def open_source(
    spec: str | Path,
    image_root: str | Path | None = None,
    image_key: str | None = None,
    caption_key: str | None = None,
    split: str | None = None,
) -> Source:
    """Open captioned images.

    `spec` is a table (TSV, CSV, JSONL, JSON, Parquet, Arrow), a webdataset tar, a pattern of tars (glob,
    `{00000..00011}`, `a.tar::b.tar`), a folder (with a `captions.*` table, with tars, with images beside `.txt` files,
    laid out as on the Hugging Face hub, or written by `datasets.save_to_disk`), a zip of images with `.txt` files, or
    the id of a Hugging Face data set (`hf:owner/name`, or `owner/name` where no such path exists).
    Images named by a table are looked up below `image_root`, else beside the table, in `images/`, and in tars and zips
    that lie there.

    What cannot be used is skipped and counted in `.report`. Raises InputError for a missing file, a wrong column, a
    wrong split, a source without a usable sample, and one of which more than half of the rows cannot be used.

    image_key, caption_key: columns of images and captions, where they are not found by their names. split: rows of this
    split only.

    Example: open_source("captions.tsv", image_root="images")
    """
    reading = Reading(Options(image_root, image_key, caption_key, split))
    found = open_input(spec, reading.options)
    return gather(found.name, found.records(reading), found.base, reading)


def open_input(spec: str | Path, options: Options, images: bool = True) -> Input:
    """Find and recognise data. `images`: False where captions alone will do, as in a file of plain lines."""
    text = str(spec)
    if text.startswith(HUB_PREFIX):
        text = text.removeprefix(HUB_PREFIX)
        return _columnar(download(text, options), Path(text), options)
    if text.startswith("~"):
        text = str(Path(text).expanduser())
    if is_pattern(text):
        return _files(expand(text), text, options, images)
    path = Path(text)
    if path.is_dir():
        return _folder(path, options, images)
    if path.exists():
        return _files([path], text, options, images)
    if isinstance(spec, str) and text.count("/") == 1 and not text.startswith((".", "/")) and not path.suffix:
        return _columnar(download(text, options), path, options)
    raise InputError(f"{text}: no such file or folder")


def _columnar(files: Sequence[Path], path: Path, options: Options) -> Input:
    """Files that are of one split already."""

    def records(reading: Reading) -> Iterator[Record]:
        whole = replace(reading, options=replace(options, split=None))
        return table_records(open_columnar(files, path, options), whole)

    return Input(str(path), path if path.is_dir() else Path(), records)


def _files(paths: list[Path], name: str, options: Options, images: bool) -> Input:
    tars = [path for path in paths if path.suffix.lower() == ".tar"]
    if len(tars) == len(paths):
        return Input(name, tars[0].parent, partial(tar_records, tars))
    if len(paths) > 1:
        other = next(path for path in paths if path not in tars)
        raise InputError(f"{name}: several files must all be tars; {other.name} is not (join the tables into one)")
    path = paths[0]
    if path.name.lower().endswith(COMPRESSED):
        raise InputError(f"{path}: a compressed tar cannot be read at random; decompress it first")
    if path.suffix.lower() == ".zip":
        return Input(name, path.parent, partial(photo_records, path))
    if path.suffix.lower() == ".txt" and not images:
        return Input(name, path.parent, partial(_lines, path))
    return _table(path, options)


def _table(path: Path, options: Options) -> Input:
    table = open_table(path, options)
    return Input(str(path), path.parent, partial(table_records, table))


def open_table(path: Path, options: Options) -> Table:
    """Open a table file by its suffix. Raises InputError for a suffix that names none."""
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".arrow"):
        return open_columnar([path], path, options)
    if suffix in OPENERS:
        return OPENERS[suffix](path)
    raise InputError(f"{path}: unknown kind of file; wanted {', '.join(TABLE_SUFFIXES)}, .tar or .zip")


def _folder(path: Path, options: Options, images: bool) -> Input:
    if is_saved_dataset(path):
        return _columnar(saved_files(path, options), path, options)
    tables = [path / f"captions{suffix}" for suffix in TABLE_SUFFIXES if (path / f"captions{suffix}").is_file()]
    if len(tables) > 1:
        raise InputError(f"{path}: contains {tables[0].name} and {tables[1].name}; name the one to use")
    if tables:
        return _table(tables[0], options)
    tars = sorted(path.glob("*.tar")) or sorted(path.glob("*/*.tar"))
    if tars:
        return Input(str(path), path, partial(tar_records, tars))
    if files := hub_files(path, options) or sorted(path.glob("data-*.arrow")):
        return _columnar(files, path, options)
    others = sorted(child for child in path.iterdir() if child.suffix.lower() in TABLE_SUFFIXES)
    names = [name for name in walk(path) if not is_litter(name)]
    if len(others) == 1 and not any(name.endswith(".txt") for name in names):
        return _table(others[0], options)
    if len(others) > 1 and all(other.suffix.lower() == ".parquet" for other in others):
        return _columnar(others, path, options)
    if not any(name.lower().endswith(IMAGE_SUFFIXES) for name in names):
        found = ", ".join(child.name for child in others[:5]) or "nothing of the kind"
        raise InputError(
            f"{path}: wanted captions.tsv (or .csv, .jsonl, .parquet), tars, or images with .txt files; found {found}"
        )
    return Input(str(path), path, partial(photo_records, path))


def _lines(path: Path, reading: Reading) -> Iterator[Record]:
    """Plain lines, a caption each."""
    with open(path, "rb") as handle:
        for number, raw in enumerate(handle, 1):
            spot = f"{path}:{number}"
            if not raw.strip():
                continue
            reading.report.rows += 1
            try:
                text = usable_caption(raw.decode("utf-8-sig"), spot, reading.report)
            except UnicodeDecodeError:
                reading.report.skip("not UTF-8", spot)
                continue
            if text is not None:
                yield Record("", spot, [text], [""])
