"""Image-text retrieval over any set of photos with captions: which caption, which image, among all of the set."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.data.columnar import split_files
from compoclip.errors import InputError
from compoclip.evaluation.captioned import (
    CAPTION_KEYS,
    IMAGE_KEYS,
    KNOWN,
    Known,
    captions_of,
    find_store,
    is_captioned,
    read_file,
    read_pictures,
)
from compoclip.evaluation.pictures import Picture, Store, Stores, beside, is_image, open_store
from compoclip.evaluation.places import Finder
from compoclip.evaluation.rows import read_rows
from compoclip.evaluation.scoring import Retrieval
from compoclip.evaluation.tables import SUFFIXES, field, read_table
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, look

Samples = list[tuple[Picture | None, list[str]]]
PLACES = (".", "retrieval/*", "*", "data/*")


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
        captions = captions_of(f"{path}: line {number}", field(path, number, row, CAPTION_KEYS))
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
    return Stores([open_store(s) for s in shards]) if shards else open_store(folder)


def read_shards(shards: Sequence[Path]) -> list[tuple[Picture, list[str]]]:
    """Samples of webdataset tars: an image, and captions from `.json` (`captions` or `caption`) or `.txt`."""
    out = []
    for shard in shards:
        store = open_store(shard)
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
    """One folder's set: a captions table with images, tars of images with captions, or a Hugging Face data set."""
    table = table_of(folder)
    name = folder.name.removeprefix("wds_")
    if table is not None:
        captions = read_captions(table)
        store = images_of(folder)
        find = Finder(store)
        samples: Samples = [(find(image), texts) for image, texts in captions.items()]
        return _form(
            name,
            samples,
            request,
            f"{table}: none of its images, such as {next(iter(captions))}, is in its {store.where}",
        )
    plain = sorted(folder.glob("test*.tar")) or sorted(folder.glob("*.tar"))
    rows = None if plain else read_rows(folder)
    samples = list(read_shards(plain)) if rows is None else read_pictures(rows, folder)
    return _form(name, samples, request, f"{folder}: holds no image")


def read_known(known: Known, path: Path, request: Request) -> Retrieval:
    """A published set by its official file."""
    root, captions = request.root("retrieval"), read_file(path)
    store = find_store(root, known, list(captions))
    if store is None:
        looked = ", ".join(str(root / stem) for stem in known.images)
        raise DataMissing(f"{path}: none of its images, such as {next(iter(captions))}, is in {looked}")
    find = Finder(store)
    return _form(known.name, [(find(name), texts) for name, texts in captions.items()], request, "")


def _form(name: str, samples: Samples, request: Request, empty: str) -> Retrieval:
    here = [(picture, texts) for picture, texts in samples if picture is not None]
    if not here:
        raise DataMissing(empty)
    kept = list(request.cut(here))
    missing = len(samples) - len(here)
    return Retrieval(name, [p for p, _ in kept], [t for _, t in kept], missing=missing, rule=request.ties or "strict")


def _has_samples(folder: Path, asked: bool) -> bool:
    """A captions table, tars with captions, or (where it is the very folder for them) a Hugging Face data set."""
    if table_of(folder) is not None or is_captioned(folder):
        return True
    if asked and (split_files(folder, "test") or list(folder.glob("data-*.arrow"))):
        return True
    shards = sorted(folder.glob("*-[0-9]*.tar"))
    if not shards:
        return False
    names = open_store(shards[0]).names()
    return any(n.endswith((".json", ".txt")) for n in names) and any(is_image(n) for n in names)


def find_sets(root: Path) -> list[Path]:
    """Folders with captions: the root itself, DIR/retrieval/NAME, DIR/NAME, DIR/data/NAME; first of a name wins."""
    found: dict[str, Path] = {}
    for folder in look(root, PLACES):
        asked = folder.parent.name == "retrieval"
        if folder.is_dir() and folder.name not in found and _has_samples(folder, asked):
            found[folder.name] = folder
    return list(found.values())


def load(request: Request) -> Loaded:
    root = request.root("retrieval")
    subsets, places, absent = [], [], []
    for folder in find_sets(root):
        subsets.append(read_set(folder, request))
        places.append(str(folder))
    for known in KNOWN:
        path = known.find(root)
        if path is None or any(s.name == known.name for s in subsets):
            continue
        try:
            subsets.append(read_known(known, path, request))
            places.append(str(path))
        except DataMissing as error:
            absent.append(str(error))
    if not subsets:
        looked = ", ".join(str(root / p / "captions.tsv") for p in PLACES)
        raise DataMissing(
            "; ".join(absent)
            or f"retrieval: no captions table (.tsv, .csv, .jsonl), webdataset tars, Hugging Face data set or Karpathy "
            f"split found; looked at {looked}, {', '.join(str(root / f) for k in KNOWN for f in k.files[:1])}"
        )
    return Loaded(list(subsets), {"sets": places} | ({"absent": absent} if absent else {}))


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
    source="COCO and Flickr30k (Karpathy's splits), COCO-Counterfactuals, or your own captions and images",
    licence="that of your data",
    size="any",
    chance="own captions / all captions (i2t), 1 / images (t2i)",
    rule="R@k: any own caption among the first k (i2t), the own image among the first k (t2i); ties count against",
    citation="Karpathy & Fei-Fei, Deep Visual-Semantic Alignments, CVPR 2015 (protocol)",
    version="1",
    needs="DIR/retrieval/NAME/captions.tsv (image, caption, optional split) with images/, images.tar or shards beside; "
    "DIR/wds_NAME/test/0.tar; DIR/coco_karpathy/coco_karpathy_test.json and DIR/val2014; "
    "DIR/flickr30k/flickr30k_test.json and flickr30k-images/",
    load=load,
    averages=averages,
)
