"""SPEC: size, position, existence and count in drawn-over scenes, asked both ways."""

from __future__ import annotations

from pathlib import Path

from compoclip.data.images import FolderStore
from compoclip.errors import InputError
from compoclip.evaluation.aggregate import SPEC as FOLDERS
from compoclip.evaluation.captions import Row
from compoclip.evaluation.captions import subset as caption_subset
from compoclip.evaluation.image_choices import image_subset
from compoclip.evaluation.places import Finder, rows_of, texts
from compoclip.evaluation.scoring import Subset
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, plain_mean


def _rows(path: Path) -> list[tuple[str, list[str], int]]:
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


def load(request: Request) -> Loaded:
    root = request.root("spec")
    places = (root / "spec", root / "spec" / "data", root / "SPEC", root / "SPEC" / "data", root)
    base = next((p for p in places if any((p / folder).is_dir() for folder in FOLDERS)), places[0])
    subsets: list[Subset] = []
    for folder in FOLDERS:
        find = Finder(FolderStore(base / folder, rotate=False))
        for way in ("i2t", "t2i"):
            path = base / folder / {"i2t": "image2text.json", "t2i": "text2image.json"}[way]
            if not path.is_file():
                continue
            rows = _rows(path)
            name = f"{folder}::{way}"
            if way == "i2t":
                made = [Row(query, tuple(keys)) for query, keys, _ in rows]
                subsets.append(caption_subset(name, made, find, request, "strict"))
            else:
                subsets.append(image_subset(name, [(query, tuple(keys)) for query, keys, _ in rows], find, request))
    if not subsets:
        raise DataMissing(f"spec: no FOLDER/image2text.json found; looked for {', '.join(FOLDERS)} in {base}")
    return Loaded(subsets, {"annotations": str(base)})


def averages(counts: dict[str, int]) -> dict[str, Average]:
    rules = {"mean of folders and directions": plain_mean(counts)}
    for way in ("i2t", "t2i"):
        own = {n: c for n, c in counts.items() if n.endswith(way)}
        if own:
            rules[way] = plain_mean(own)
    return rules


TASK = Task(
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
    load=load,
    averages=averages,
)
