"""Image-text retrieval over any set of photos with captions: which caption, which image, among all of the set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.forms import Retrieval
from compoclip.evaluation.pictures import FolderStore, Picture, Store, Stores, TarStore, beside, is_image, open_store
from compoclip.evaluation.tables import SUFFIXES, field, read_table
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, look

PLACES = (".", "retrieval/*", "*", "data/*")
IMAGE_KEYS = ("image", "filepath", "file", "filename", "image_path")
CAPTION_KEYS = ("captions", "caption", "title", "text")


def table_of(folder: Path) -> Path | None:
    return next((folder / f"captions{s}" for s in SUFFIXES if (folder / f"captions{s}").is_file()), None)


def read_captions(path: Path, split: str = "test") -> dict[str, list[str]]:
    """Captions by image, in file order. Rows of `split` alone are kept where the table has any, else all rows.

    A row may hold one caption, or a list of them (JSON lines: `captions`). Raises InputError naming the line.
    """
    every: dict[str, list[str]] = {}
    chosen: dict[str, list[str]] = {}
    for number, row in read_table(path):
        image = str(field(path, number, row, IMAGE_KEYS))
        value = field(path, number, row, CAPTION_KEYS)
        captions = value if isinstance(value, list) else [value]
        if not all(isinstance(c, str) and c.strip() for c in captions):
            raise InputError(f"{path}: line {number} has a caption that is empty or no text")
        captions = [" ".join(c.split()) for c in captions]  # a line break within a caption is no part of what it says
        every.setdefault(image, []).extend(captions)
        if row.get("split") == split:
            chosen.setdefault(image, []).extend(captions)
    if not every:
        raise InputError(f"{path}: no rows; it needs a header line with image and caption, and a row for each caption")
    return chosen or every


def images_of(folder: Path) -> Store:
    """`images` as a folder, .tar or .zip beside the table; else the folder's own .tar shards; else the folder."""
    place = beside(folder / "images")
    if place is not None:
        return open_store(place)
    shards = sorted(folder.glob("*.tar"))
    return Stores([TarStore(s) for s in shards]) if shards else FolderStore(folder)


def read_shards(shards: Sequence[Path]) -> list[tuple[Picture, list[str]]]:
    """Samples of webdataset tars: an image, and captions from `.json` (`captions` or `caption`) or `.txt`."""
    out = []
    for shard in shards:
        store = TarStore(shard)
        texts = {str(PurePosixPath(n).with_suffix("")): n for n in store.names() if n.endswith((".txt", ".json"))}
        for name in store.names():
            if not is_image(name):
                continue
            member = texts.get(str(PurePosixPath(name).with_suffix("")))
            if member is None:
                raise InputError(f"{shard}: image {name} has no .json or .txt beside it with its captions")
            picture = store.get(name)
            assert picture is not None
            out.append((picture, _captions(shard, member, store.read_bytes(member))))
    return out


def _captions(shard: Path, member: str, data: bytes) -> list[str]:
    try:
        text = data.decode("utf-8")
        value: Any = text.splitlines() if member.endswith(".txt") else json.loads(text)
    except ValueError as error:
        raise InputError(f"{shard}: {member} is broken ({error})") from None
    if isinstance(value, dict):
        value = value.get("captions") or value.get("caption")
    captions = [value] if isinstance(value, str) else value
    if not isinstance(captions, list) or not all(isinstance(c, str) for c in captions):
        raise InputError(f"{shard}: {member} holds no captions; it needs `captions`, a list of texts")
    return [c for c in captions if c.strip()]


def read_set(folder: Path, request: Request) -> Retrieval:
    table = table_of(folder)
    if table is None:
        shards = sorted(folder.glob("test*.tar")) or sorted(folder.glob("*.tar"))
        samples = read_shards(shards)
        missing = 0
    else:
        captions = read_captions(table)
        store = images_of(folder)
        pairs = [(store.get(name), texts) for name, texts in captions.items()]
        samples = [(p, texts) for p, texts in pairs if p is not None]
        missing = len(pairs) - len(samples)
        if not samples:
            raise DataMissing(f"{table}: none of its images, such as {next(iter(captions))}, lies in {store.where}")
    samples = list(request.cut(samples))
    return Retrieval(
        folder.name, [p for p, _ in samples], [t for _, t in samples], missing=missing, rule=request.ties or "strict"
    )


def _has_samples(folder: Path) -> bool:
    if table_of(folder) is not None:
        return True
    shards = sorted(folder.glob("*-[0-9]*.tar"))
    if not shards:
        return False
    names = TarStore(shards[0]).names()
    return any(n.endswith((".json", ".txt")) for n in names) and any(is_image(n) for n in names)


def find_sets(root: Path) -> list[Path]:
    """Folders with captions: the root itself, DIR/retrieval/NAME, DIR/NAME, DIR/data/NAME; first of a name wins."""
    found: dict[str, Path] = {}
    for folder in look(root, PLACES):
        if folder.is_dir() and folder.name not in found and _has_samples(folder):
            found[folder.name] = folder
    return list(found.values())


def load(request: Request) -> Loaded:
    root = request.root("retrieval")
    folders = find_sets(root)
    if not folders:
        looked = ", ".join(str(root / p / "captions.tsv") for p in PLACES)
        raise DataMissing(
            f"retrieval: no captions table (.tsv, .csv, .jsonl) nor webdataset tars found; looked at {looked}"
        )
    return Loaded([read_set(f, request) for f in folders], {"sets": [str(f) for f in folders]})


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """R@1 of both directions over all sets; the two directions alone are what published tables print."""
    rules = {"mean of R@1 both ways": Average(dict.fromkeys(counts, 1.0))}
    for way in ("i2t", "t2i"):
        names = [name for name in counts if name.endswith(f"/{way}")]
        if names:
            rules[way] = Average(dict.fromkeys(names, 1.0))
    return rules


TASK = Task(
    name="retrieval",
    title="Retrieval: the caption of an image and the image of a caption, among all of the set",
    source="your own data: a captions table with images, or webdataset tars",
    licence="that of your data",
    size="any",
    chance="own captions / all captions (i2t), 1 / images (t2i)",
    rule="R@k: any own caption among the first k (i2t), the own image among the first k (t2i); ties count against",
    citation="Karpathy & Fei-Fei, Deep Visual-Semantic Alignments, CVPR 2015 (protocol)",
    version="1",
    needs="DIR/retrieval/NAME/captions.tsv (image, caption, optional split) with images/, images.tar or shards beside",
    load=load,
    averages=averages,
)
