"""Hard positives (Kamath et al. 2024): does a model that tells true captions from false ones know a paraphrase?

Seen in the project's files: the three tables in `data/` (caption and hard negative) and `swapped_data/` (hard positive
and hard negative), row by row of the same image; the comparisons of its evaluation script, strict, both captions of a
row judged against the negative of `swapped_data/`; the names of its three figures (original and augmented test
accuracy, brittleness); that REPLACE is the mean of attributes and relations. Not seen: the paper's formula of
brittleness. It is taken here as the share of rows whose negative lies strictly between the two true captions, which is
what the script counts by two of its outcomes. The mean of SWAP and REPLACE in one figure is ours.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.captions import box
from compoclip.evaluation.pictures import Picture
from compoclip.evaluation.places import Finder, find_files, find_images, rows_of, texts
from compoclip.evaluation.scoring import HARD_POSITIVE, Grid, Subset
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task

FILES = {
    "visual_genome_attribution.json": "swap",
    "vl_checklist_attributes.json": "replace_att",
    "vl_checklist_relations.json": "replace_rel",
}
IMAGES = {
    "swap": ("hard_positives/data/images", "hard_positives/images", "aro/images", "images"),
    "replace_att": ("hard_positives/data", "hard_positives/images", "vg", "vg/images", "VG_100K", "images"),
}
IMAGES["replace_rel"] = IMAGES["replace_att"]
WEIGHTS = {"swap": 1.0, "replace_att": 0.5, "replace_rel": 0.5}
METRICS = {"original": "original", "hard positive": "positive", "brittleness": "brittleness"}


def _name(path: str) -> str:
    """The image's name, with its Visual Genome folder where it has one: `VG_100K_2/1.jpg` of `data/VG_100K_2/1.jpg`."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return "/".join(parts[-2:]) if len(parts) > 1 and parts[-2].startswith("VG_100K") else parts[-1]


Rows = list[tuple[str, tuple[int, int, int, int] | None, tuple[str, str, str, str]]]


def read_rows(original: Path, reworded: Path) -> Rows:
    """(image, box, (caption, hard positive, its negative, the original negative)) of two tables that go row by row."""
    first, second = rows_of(original), rows_of(reworded)
    if len(first) != len(second):
        raise InputError(f"{reworded}: {len(second)} rows for the {len(first)} of {original}; they must go row by row")
    out: Rows = []
    for (where, row), (_, other) in zip(first, second):
        image, caption, negative = texts(original, where, row, "image_path", "true_caption", "false_caption")
        image2, positive, negative2 = texts(reworded, where, other, "image_path", "true_caption", "false_caption")
        if _name(image) != _name(image2):
            raise InputError(f"{reworded}: {where} is of image {image2}, but {original} has {image} there")
        out.append((_name(image), _box(original, where, row), (caption, positive, negative2, negative)))
    return out


def _box(path: Path, where: str, row: dict[str, Any]) -> tuple[int, int, int, int] | None:
    return box(path, where, row, "bbox_x", "bbox_y", "bbox_w", "bbox_h") if "bbox_x" in row else None


def _subset(name: str, rows: Rows, find: Finder, request: Request) -> Grid:
    here: list[tuple[Picture, tuple[str, str, str, str]]] = []
    for image, corner, captions in rows:
        picture = find(image)
        if picture is not None:
            here.append((picture if corner is None else picture.crop(*corner), captions))
    kept = request.cut(here)
    images, texts = [[picture] for picture, _ in kept], [captions for _, captions in kept]
    return Grid(name, HARD_POSITIVE, images, texts, missing=len(rows) - len(here))


def load(request: Request) -> Loaded:
    root = request.root("hard_positives")
    pairs = [(f"data/{file}", f"swapped_data/{file}") for file in FILES]
    folders = ("hard_positives", ".") if (root / "swapped_data").is_dir() else ("hard_positives",)
    found = find_files("hard_positives", root, folders, [name for pair in pairs for name in pair])
    subsets: list[Subset] = []
    absent = []
    for (original, reworded), name in zip(pairs, FILES.values()):
        if (original in found) != (reworded in found):
            there, gone = (original, reworded) if original in found else (reworded, original)
            raise InputError(f"{found[there]}: its counterpart {gone} is not there; each row needs both")
        if original not in found:
            absent.append(name)
            continue
        rows = read_rows(found[original], found[reworded])
        if not rows:
            raise InputError(f"{found[original]}: no rows")
        try:
            store = find_images("hard_positives", root, IMAGES[name], [image for image, _, _ in rows])
        except DataMissing as error:
            absent.append(str(error))
            continue
        subsets.append(_subset(name, rows, Finder(store), request))
    if not subsets:
        raise DataMissing("; ".join(absent))
    return Loaded(subsets, {"annotations": str(next(iter(found.values())).parent.parent), "absent": absent})


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """The mean of SWAP and REPLACE, REPLACE itself the mean of attributes and relations; and each of them alone."""
    own = {name: WEIGHTS[name] for name in counts}
    full = len(own) == len(WEIGHTS)
    title = "augmented: mean of SWAP and REPLACE" if full else "augmented: mean of those there"
    rules = {title: Average(own)} | {name: Average(own, metric) for name, metric in METRICS.items()}
    for kind in ("swap", "replace"):
        part = {name: weight for name, weight in own.items() if name.startswith(kind)}
        if part:
            rules[f"{kind.upper()} augmented"] = Average(part)
            rules |= {f"{kind.upper()} {name}": Average(part, metric) for name, metric in METRICS.items()}
    return rules


TASK = Task(
    name="hard_positives",
    title="Hard positives: the true caption and its paraphrase, both above the false one",
    source="https://github.com/amitakamath/hard_positives (annotations), Visual Genome (photos)",
    licence="none stated",
    size="56,191 rows of two true captions: SWAP 28,748, REPLACE attributes 10,575 and relations 16,868",
    chance="33.3 augmented, 50 original, 33.3 brittleness",
    rule="strict; score: augmented test accuracy, mean of SWAP and REPLACE (mean of attributes and relations)",
    citation="Kamath et al., The Hard Positive Truth about Vision-Language Compositionality, ECCV 2024",
    version="1",
    needs="DIR/hard_positives/{data,swapped_data}/*.json; ARO's images in DIR/aro/images, VG's in DIR/vg/VG_100K*",
    load=load,
    averages=averages,
)
