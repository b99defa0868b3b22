"""VALSE (Parcalabescu et al. 2022): a photo, its caption and a foil, over eleven instruments."""

from __future__ import annotations

from functools import partial

from compoclip.evaluation.aggregate import VALSE_PIECES
from compoclip.evaluation.mirrors import Mirror, choices, first_of
from compoclip.evaluation.places import Finder, find_files, find_images, rows_of, texts
from compoclip.evaluation.scoring import CHOICE, Grid, Subset
from compoclip.evaluation.task import Average, Loaded, Request, Task, plain_mean, pooled

INSTRUMENTS = tuple(name for piece in VALSE_PIECES for name in piece)
AGREED = 2  # annotators of three who found the caption, and not the foil, to fit the picture
ANNOTATIONS = ("valse", "valse/data", "VALSE/data", "annotations/valse", "reference/annotations/valse", ".")
IMAGES = (
    "valse/images",
    "images",
    "val2017",
    "coco/val2017",
    "coco_val2017_300/images",
    "data/coco_val2017_300/images",
    "val2014",
    "coco/val2014",
    "train2014",
    "coco/train2014",
    "swig/images_512",
    "visual7w/images",
    "VisualDialog_val2018",
    "visdial/VisualDialog_val2018",
)


def load(request: Request) -> Loaded:
    root = request.root("valse")
    files = find_files("valse", root, ANNOTATIONS, [f"{name}.json" for name in INSTRUMENTS])
    tables = {}
    for name, path in files.items():
        rows = []
        for where, row in rows_of(path):
            agreed = (row.get("mturk") or {}).get("caption", 0)
            if agreed >= AGREED:
                rows.append(texts(path, where, row, "image_file", "caption", "foil"))
        tables[name.removesuffix(".json")] = rows
    wanted = [r[0] for rows in tables.values() for r in rows]
    find = Finder(find_images("valse", root, IMAGES, wanted, every=True))
    subsets: list[Subset] = []
    for name, rows in tables.items():
        here = [(p, caption, foil) for image, caption, foil in rows if (p := find(image)) is not None]
        kept = request.cut(here)
        subsets.append(
            Grid(
                name,
                CHOICE,
                [[p] for p, _, _ in kept],
                [[caption, foil] for _, caption, foil in kept],
                missing=len(rows) - len(here),
                rule=request.ties or "strict",
            )
        )
    return Loaded(subsets, {"annotations": str(next(iter(files.values())).parent), "images": find.store.where})


def averages(counts: dict[str, int]) -> dict[str, Average]:
    rules = {}
    if set(counts) == set(INSTRUMENTS):
        rules["vl_compo"] = Average({n: 1.0 / len(piece) for piece in VALSE_PIECES for n in piece})
        rules["mean of 11"] = plain_mean(counts)
    rules["micro"] = pooled(counts)
    return rules


TASK = Task(
    name="valse",
    title="VALSE: caption against foil, by linguistic phenomenon",
    source="https://github.com/Heidelberg-NLP/VALSE (annotations); Visual7W, COCO, SWiG, VisualDialog (photos)",
    licence="MIT (annotations); photos: terms of each source",
    size="7,702 valid rows (of 8,782) in 11 instruments",
    chance="50",
    rule="strict; rows that two of three annotators accepted; score: vl_compo (mean of 7 pieces), mean of 11 beside it",
    citation="Parcalabescu et al., VALSE: A Task-Independent Benchmark for Vision and Language Models, ACL 2022",
    version="1",
    needs="DIR/valse/*.json; photos in DIR/valse/images (folder, .tar, .zip) or in COCO's, SWiG's, Visual7W's folders",
    load=first_of(load, partial(choices, Mirror("valse", {name: name for name in INSTRUMENTS}), "strict")),
    averages=averages,
)
