"""Benchmarks of one caption and several images: SVO-Probes, ImageCoDe, and SPEC, which asks both ways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import SPEC as SPEC_FOLDERS
from compoclip.evaluation.captions import Row
from compoclip.evaluation.captions import subset as caption_subset
from compoclip.evaluation.forms import ImageChoice, Subset
from compoclip.evaluation.pictures import FolderStore, beside, is_image, open_store
from compoclip.evaluation.places import Finder, find_files, find_images, note_absent, rows_of, texts
from compoclip.evaluation.tables import field, read_table
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, plain_mean, pooled
from compoclip.io import read_json

Question = tuple[str, tuple[str, ...]]  # caption, image names with the true one first


def image_subset(name: str, rows: Sequence[Question], find: Finder, request: Request) -> ImageChoice:
    """The rows whose every image is there; the others are counted as missing."""
    here = [(text, found) for text, names in rows if (found := find.all(names)) is not None]
    kept = request.cut(here)
    missing = len(rows) - len(here)
    rule = request.ties or "strict"
    return ImageChoice(name, [text for text, _ in kept], [found for _, found in kept], missing=missing, rule=rule)


SVO_KINDS = ("subj_neg", "verb_neg", "obj_neg")


def read_svo(path: Path) -> dict[str, list[Question]]:
    """Rows by the one part that is false; rows with several, and exact copies, are left out as officially."""
    out: dict[str, dict[Question, None]] = {kind: {} for kind in SVO_KINDS}
    for number, row in read_table(path):
        true = [k for k in SVO_KINDS if str(field(path, number, row, [k])).strip().lower() == "true"]
        if len(true) != 1:
            continue
        images = tuple(f"{field(path, number, row, [k])}.jpg" for k in ("pos_image_id", "neg_image_id"))
        out[true[0]][str(field(path, number, row, ["sentence"])), images] = None
    return {kind: list(rows) for kind, rows in out.items() if rows}


def load_svo(request: Request) -> Loaded:
    root = request.root("svo_probes")
    path = next(iter(find_files("svo_probes", root, ("svo_probes", "."), ["svo_probes.csv"]).values()))
    tables = read_svo(path)
    wanted = [name for rows in tables.values() for _, names in rows for name in names]
    find = Finder(find_images("svo_probes", root, ("svo_probes/images", "images"), wanted))
    subsets: list[Subset] = [image_subset(kind, rows, find, request) for kind, rows in tables.items()]
    return Loaded(subsets, {"annotations": str(path), "images": find.store.where})


SVO = Task(
    name="svo_probes",
    title="SVO-Probes: which of two images has this subject, verb and object",
    source="https://github.com/google-deepmind/svo_probes (images by address, many are gone)",
    licence="CC BY 4.0 (data)",
    size="36,841 rows; 22,162 with images in published runs",
    chance="50",
    rule="strict, sentence to image, rows with one false part; score: mean of subject, verb and object",
    citation="Hendricks & Nematzadeh, Probing Image-Language Transformers for Verb Understanding, ACL Findings 2021",
    version="1",
    needs="DIR/svo_probes/svo_probes.csv and images/IMAGE_ID.jpg",
    load=load_svo,
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)


def _ten(names: Sequence[str]) -> tuple[str, ...]:
    """Image names of a set in the order of the number in their names (img10 after img9)."""

    def number(name: str) -> tuple[int, str]:
        digits = re.findall(r"\d+", PurePosixPath(name).stem)
        return (int(digits[-1]) if digits else 0, name)

    return tuple(sorted(names, key=number))


def load_imagecode(request: Request) -> Loaded:
    root = request.root("imagecode")
    path = next(iter(find_files("imagecode", root, ("imagecode", "imagecode/data"), ["valid_data.json"]).values()))
    sets = beside(path.parent / "image-sets") or beside(root / "image-sets")
    if sets is None:
        raise DataMissing(f"imagecode: no folder, .tar or .zip {path.parent / 'image-sets'}; put image-sets.zip there")
    store = open_store(sets)
    by_set: dict[str, list[str]] = {}
    for name in store.names():
        if is_image(name):
            by_set.setdefault(PurePosixPath(name).parent.name, []).append(name)
    rows: dict[str, list[Question]] = {"videos": [], "static": []}
    lost = dict.fromkeys(rows, 0)
    table = read_json(path)
    if not isinstance(table, dict):
        raise InputError(f"{path}: must be an object of sets, each an object of captions by place")
    for folder, captions in table.items():
        kind = "static" if "open-images" in folder else "videos"
        names = _ten(by_set.get(PurePosixPath(folder).name, ()))
        for index, caption in captions.items():
            if not (str(index).isdigit() and isinstance(caption, str)):
                raise InputError(f"{path}: set {folder}: place {index!r} must be 0 to 9 with a text")
            if int(index) >= len(names):
                lost[kind] += 1
                note_absent(f"image-sets/{PurePosixPath(folder).name}")
                continue
            true = names[int(index)]
            rows[kind].append((caption, (true, *(n for n in names if n != true))))
    find = Finder(store)
    subsets = [image_subset(kind, own, find, request) for kind, own in rows.items() if own or lost[kind]]
    for subset in subsets:
        subset.missing += lost[subset.name]
    return Loaded(list(subsets), {"annotations": str(path), "images": store.where})


IMAGECODE = Task(
    name="imagecode",
    title="ImageCoDe: which of ten nearly equal images a long caption tells of",
    source="https://github.com/McGill-NLP/imagecode, https://zenodo.org/record/6518944",
    licence="MIT",
    size="2,302 captions (valid): 1,872 of video frames, 430 of photos",
    chance="10",
    rule="strict argmax over ten images; score: all captions pooled",
    citation="Krojer et al., Image Retrieval from Contextual Descriptions, ACL 2022",
    version="1",
    needs="DIR/imagecode/valid_data.json and image-sets/ or image-sets.zip beside it",
    load=load_imagecode,
    averages=lambda counts: {"item-weighted": pooled(counts)},
)


def _spec_rows(path: Path) -> list[tuple[str, list[str], int]]:
    out = []
    for where, row in rows_of(path):
        (query,) = texts(path, where, row, "query")
        keys, label = row.get("keys"), row.get("label")
        if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys):
            raise InputError(f"{path}: {where} needs keys, a list of texts")
        if not isinstance(label, int) or not 0 <= label < len(keys):
            raise InputError(f"{path}: {where}: label {label!r} is outside its {len(keys)} keys")
        out.append((query, [keys[label], *keys[:label], *keys[label + 1 :]], label))
    return out


def load_spec(request: Request) -> Loaded:
    root = request.root("spec")
    places = (root / "spec", root / "spec" / "data", root / "SPEC", root / "SPEC" / "data", root)
    base = next((p for p in places if any((p / folder).is_dir() for folder in SPEC_FOLDERS)), places[0])
    subsets: list[Subset] = []
    for folder in SPEC_FOLDERS:
        find = Finder(FolderStore(base / folder))
        for way in ("i2t", "t2i"):
            path = base / folder / {"i2t": "image2text.json", "t2i": "text2image.json"}[way]
            if not path.is_file():
                continue
            rows = _spec_rows(path)
            name = f"{folder}::{way}"
            if way == "i2t":
                made = [Row(query, tuple(keys)) for query, keys, _ in rows]
                subsets.append(caption_subset(name, made, find, request, "strict"))
            else:
                subsets.append(image_subset(name, [(query, tuple(keys)) for query, keys, _ in rows], find, request))
    if not subsets:
        raise DataMissing(f"spec: no FOLDER/image2text.json found; looked for {', '.join(SPEC_FOLDERS)} in {base}")
    return Loaded(subsets, {"annotations": str(base)})


def spec_averages(counts: dict[str, int]) -> dict[str, Average]:
    rules = {"mean of folders and directions": plain_mean(counts)}
    for way in ("i2t", "t2i"):
        own = {n: c for n, c in counts.items() if n.endswith(way)}
        if own:
            rules[way] = plain_mean(own)
    return rules


SPEC = Task(
    name="spec",
    title="SPEC: size, position, existence and count in drawn-over scenes, both ways",
    source="https://huggingface.co/datasets/wjpoom/SPEC",
    licence="none stated",
    size="15,000 rows a direction in 6 folders",
    chance="27.3 (mean of the folders)",
    rule="strict; score: mean over six folders and both directions",
    citation="Peng et al., Synthesize, Diagnose, and Optimize, CVPR 2024",
    version="1",
    needs="DIR/spec/{absolute_size,…}/image2text.json, text2image.json and the images they name",
    load=load_spec,
    averages=spec_averages,
)

TASKS = (SVO, IMAGECODE, SPEC)
