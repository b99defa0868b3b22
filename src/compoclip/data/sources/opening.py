"""From what the user typed to a source: the kind is told from the name and the columns."""

from __future__ import annotations

from pathlib import Path

from compoclip.data.images.names import IMAGE_SUFFIXES
from compoclip.data.sources.base import Source
from compoclip.data.sources.degla import is_degla, read_degla
from compoclip.data.sources.delimited import open_delimited
from compoclip.data.sources.folder import read_folder
from compoclip.data.sources.huggingface import HuggingFaceSource, is_saved_dataset
from compoclip.data.sources.json_file import open_json
from compoclip.data.sources.jsonl import open_jsonl
from compoclip.data.sources.negclip import is_negclip, read_negclip
from compoclip.data.sources.parquet import open_parquet
from compoclip.data.sources.rows import Options, Table
from compoclip.data.sources.shards import expand, is_pattern
from compoclip.data.sources.table import read_table
from compoclip.data.sources.webdataset import of_split, read_webdataset
from compoclip.errors import InputError

TABLE_SUFFIXES = (".tsv", ".tab", ".csv", ".jsonl", ".ndjson", ".json", ".parquet")
HUB_PREFIX = "hf:"


def open_source(
    spec: str | Path,
    image_root: str | Path | None = None,
    image_key: str | None = None,
    caption_key: str | None = None,
    split: str | None = None,
) -> Source:
    """Open training data.

    `spec` is a table (TSV, CSV, JSONL, JSON, Parquet), a webdataset tar, a pattern of tars (glob, `{00000..00011}`,
    `a.tar::b.tar`), a folder (with a `captions.*` table, with tars, with images beside `.txt` files, or written by
    `datasets.save_to_disk`), or the id of a Hugging Face data set (`hf:owner/name`, or `owner/name` where no such
    path exists).
    Images named by a table are looked up below `image_root`, else beside the table, in `images/`, and in tars that
    lie there.

    What cannot be used is skipped and counted in `.report`. Raises InputError for a missing file, a wrong column, a
    wrong split, and a source without a usable sample.
    """
    text = str(spec)
    options = Options(image_root, image_key, caption_key, split)
    if text.startswith(HUB_PREFIX):
        return HuggingFaceSource(text.removeprefix(HUB_PREFIX), options)
    if is_pattern(text):
        return _open_files(expand(text), text, options)
    path = Path(text)
    if path.is_dir():
        return _open_folder(path, options)
    if path.exists():
        return _open_files([path], text, options)
    if isinstance(spec, str) and text.count("/") == 1 and not text.startswith((".", "/")) and not path.suffix:
        return HuggingFaceSource(text, options)
    raise InputError(f"{text}: no such file or folder")


def _open_files(paths: list[Path], name: str, options: Options) -> Source:
    tars = [path for path in paths if path.suffix.lower() == ".tar"]
    if len(tars) == len(paths):
        return read_webdataset(of_split(tars, options), name, options)
    if len(paths) > 1:
        other = next(path for path in paths if path not in tars)
        raise InputError(f"{name}: several files must all be tars; {other.name} is not (join the tables into one)")
    if paths[0].name.lower().endswith((".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".tar.bz2")):
        raise InputError(f"{paths[0]}: a compressed tar cannot be read at random; decompress it first")
    return _open_table(paths[0], options)


def open_table(path: Path, options: Options) -> Table:
    """Open a table file by its suffix. Raises InputError for a suffix that names none."""
    suffix = path.suffix.lower()
    if suffix in (".tsv", ".tab", ".csv"):
        return open_delimited(path)
    if suffix in (".jsonl", ".ndjson"):
        return open_jsonl(path)
    if suffix == ".json":
        return open_json(path)
    if suffix == ".parquet":
        return open_parquet(path, options)
    raise InputError(f"{path}: unknown kind of file; wanted {', '.join(TABLE_SUFFIXES)} or .tar")


def _open_table(path: Path, options: Options) -> Source:
    table = open_table(path, options)
    named = options.image_key is not None or options.caption_key is not None
    if is_negclip(table) and not named:
        return read_negclip(table, options)
    if is_degla(table) and not named:
        return read_degla(table, options)
    return read_table(table, options)


def _open_folder(path: Path, options: Options) -> Source:
    if is_saved_dataset(path):
        return HuggingFaceSource(str(path), options)
    tables = [path / f"captions{suffix}" for suffix in TABLE_SUFFIXES if (path / f"captions{suffix}").is_file()]
    if len(tables) > 1:
        raise InputError(f"{path}: holds {tables[0].name} and {tables[1].name}; name the one to use")
    if tables:
        return _open_table(tables[0], options)
    tars = sorted(path.glob("*.tar"))
    if tars:
        return read_webdataset(of_split(tars, options), str(path), options)
    others = sorted(child for child in path.iterdir() if child.suffix.lower() in TABLE_SUFFIXES)
    pictures = any(child.suffix.lower() in IMAGE_SUFFIXES for child in path.rglob("*"))
    if len(others) == 1 and not any(path.rglob("*.txt")):
        return _open_table(others[0], options)
    if not pictures:
        found = ", ".join(child.name for child in others[:5]) or "nothing of the kind"
        raise InputError(
            f"{path}: wanted captions.tsv (or .csv, .jsonl, .parquet), tars, or images with .txt files; found {found}"
        )
    return read_folder(path)
