"""ARO (Yuksekgonul et al. 2023): relations and attributes on cut-out regions, and word order of whole captions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.evaluation.captions import Row, box, subset
from compoclip.evaluation.mirrors import Mirror, choice
from compoclip.evaluation.orders import freeze
from compoclip.evaluation.places import Finder, find_files, find_images, rows_of, texts
from compoclip.evaluation.scoring import Subset
from compoclip.evaluation.task import Average, DataMissing, Loaded, Request, Task, plain_mean

RELATION, ATTRIBUTE = "visual_genome_relation.json", "visual_genome_attribution.json"
ORDERS = {"coco_order.jsonl": "COCO_Order", "flickr30k_order.jsonl": "Flickr30k_Order"}
COPIES = Mirror(
    "aro",
    {
        "Visual_Relation": "VG_Relation",
        "Visual_Attribution": "VG_Attribute",
        "COCO_Order": "COCO_Order",
        "Flickr30k_Order": "Flickr30k_Order",
        "Flickr_Order": "Flickr30k_Order",
    },
)
SPLITS = {
    "coco_order.jsonl": ("coco_karpathy/coco_karpathy_test.json", "coco_karpathy_test.json"),
    "flickr30k_order.jsonl": ("flickr30k/flickr30k_test.json", "flickr30k_test.json"),
}
FOLDERS = ("aro", "aro/data", "ARO", ".")
IMAGES = ("aro/images", "images", "vg/images", "VG_100K")
ORDER_IMAGES = {
    "COCO_Order": ("aro/val2014", "val2014", "coco/val2014", "coco/images", "images", "aro/images"),
    "Flickr30k_Order": (
        *("aro/flickr30k-images", "flickr30k/flickr30k-images", "flickr30k-images", "flickr30k/images"),
        *("images", "aro/images"),
    ),
}
LEAST = 25  # rows an attribute pair needs to count


def excluded_relations() -> frozenset[str]:
    """Relations that the official mean leaves out (spatially symmetric or rare ones)."""
    text = resources.files("compoclip.evaluation.published").joinpath("aro_excluded_relations.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line)


def _region(path: Path, where: str, row: dict, group: str) -> Row:
    image, true, false = texts(path, where, row, "image_path", "true_caption", "false_caption")
    corner = box(path, where, row, "bbox_x", "bbox_y", "bbox_w", "bbox_h")
    return Row(image, (true, false), corner, group)


def read_relations(path: Path) -> list[Row]:
    """Rows of the relations that count, grouped by relation."""
    out, excluded = [], excluded_relations()
    for where, row in rows_of(path):
        (relation,) = texts(path, where, row, "relation_name")
        if relation not in excluded:
            out.append(_region(path, where, row, relation))
    return out


def read_attributes(path: Path) -> list[Row]:
    """Rows grouped by attribute pair as stored; pairs with fewer than 25 rows do not count."""
    out = []
    for where, row in rows_of(path):
        pair = row.get("attributes")
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(a, str) for a in pair)):
            raise InputError(f"{path}: {where} needs attributes, a list of two texts")
        out.append(_region(path, where, row, f"{pair[0]}_{pair[1]}"))
    size = Counter(row.group for row in out)
    return [row for row in out if size[row.group] >= LEAST]


def read_order(path: Path) -> list[Row]:
    """Frozen candidates: `image` and `caption_options`, the caption first and its four permutations after it."""
    out = []
    for where, row in rows_of(path):
        (image,) = texts(path, where, row, "image")
        options = row.get("caption_options")
        if not isinstance(options, list) or len(options) < 2 or not all(isinstance(o, str) for o in options):
            raise InputError(f"{path}: {where} needs caption_options, the caption and its permutations")
        out.append(Row(image, tuple(options)))
    return out


def load(request: Request) -> Loaded:
    """The official files, and those sets from copies that are not among them."""
    official: Loaded | None = None
    try:
        official = load_official(request)
    except DataMissing as error:
        absent = error
        if request.data_root is None or not request.data_root.is_dir():
            raise
    try:
        copied = load_copies(request)
    except DataMissing as too:
        if official is None:
            raise DataMissing(f"{absent}; {too}") from None
        return official
    if official is None:
        return copied
    have = {s.name for s in official.subsets}
    official.subsets += [s for s in copied.subsets if s.name not in have]
    return official


def _told(where: str, row: dict[str, Any]) -> str:
    """The group of a copied row: its relation, or its attribute pair."""
    relation, pair = row.get("relation_name"), row.get("attributes")
    if isinstance(relation, str):
        return relation
    if isinstance(pair, list) and len(pair) == 2:
        return f"{pair[0]}_{pair[1]}"
    raise InputError(f"{where}: needs relation_name, or attributes, a list of two texts")


def load_copies(request: Request) -> Loaded:
    """The four sets from copies with their images: whole photos and a box, or a caption and its permutations."""
    tables, where_found = COPIES.rows(request)
    subsets: list[Subset] = []
    excluded = excluded_relations()
    for name in [n for n in dict.fromkeys(COPIES.subsets.values()) if n in tables]:
        rows = tables[name]
        if name.endswith("Order"):
            subsets.append(choice(name, rows, "first", request))
            continue
        groups = [_told(where, row) for where, row in rows]
        size = Counter(groups)
        counts = {g for g in size if (g not in excluded if name == "VG_Relation" else size[g] >= LEAST)}
        rows = [row for row, g in zip(rows, groups) if g in counts]
        if not rows:
            raise InputError(f"{where_found}: no row of {name} that counts")
        subsets.append(choice(name, rows, "strict", request, _told))
    return Loaded(subsets, {"annotations": where_found})


def load_official(request: Request) -> Loaded:
    root = request.root("aro")
    found = find_files("aro", root, FOLDERS, [RELATION, ATTRIBUTE, *ORDERS])
    subsets, absent = [], []
    for file, path in found.items():
        name = {RELATION: "VG_Relation", ATTRIBUTE: "VG_Attribute", **ORDERS}[file]
        reader = {RELATION: read_relations, ATTRIBUTE: read_attributes}.get(file, read_order)
        rows: Sequence[Row] = reader(path)
        if not rows:
            raise InputError(f"{path}: no row that counts")
        try:
            store = find_images("aro", root, ORDER_IMAGES.get(name, IMAGES), [r.image for r in rows])
        except DataMissing as error:
            absent.append(str(error))
            continue
        subsets.append(subset(name, rows, Finder(store), request, "first" if name in ORDERS.values() else "strict"))
    if not subsets:
        raise DataMissing("; ".join(absent))
    return Loaded(list(subsets), {"annotations": str(next(iter(found.values())).parent), "absent": absent})


def prepare(root: Path) -> list[str]:
    """Freeze the two order files from the captions that the project draws them from, those not there yet.

    Returns what was written. Needs `coco_karpathy_test.json` and `flickr30k_test.json` where `data get` leaves them.
    """
    done = []
    for file, split in SPLITS.items():
        out, source = root / "aro" / file, next((p for p in map(root.joinpath, split) if p.is_file()), None)
        if source is not None and not out.exists():
            out.parent.mkdir(parents=True, exist_ok=True)
            done.append(f"{out}: {freeze(source, out)} rows, made of {source} with seed 1")
    return done


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """The mean of the four, and the two halves apart: relations and attributes need the image, order hardly does."""
    rules = {"vl_compo" if len(counts) == 4 else "mean of those there": plain_mean(counts)}
    grounded = {n: c for n, c in counts.items() if n.startswith("VG")}
    order = {n: c for n, c in counts.items() if n.endswith("Order")}
    for name, part in (("image-grounded (VG)", grounded), ("word order", order)):
        if part:
            rules[name] = plain_mean(part)
    return rules


TASK = Task(
    name="aro",
    title="ARO: attribution, relation and order",
    source="https://github.com/mertyg/vision-language-models-are-bows (annotations), Visual Genome, COCO, Flickr30k",
    licence="MIT (annotations); Flickr30k images need their form",
    size="23,937 + 28,748 regions, 25,010 + 5,000 captions",
    chance="50 (relation, attribute), 20 (order)",
    rule="relation and attribute: macro over relations and attribute pairs, strict; order: a tie is right, as official",
    citation="Yuksekgonul et al., When and Why Vision-Language Models Behave like Bags-of-Words, ICLR 2023",
    version="1",
    needs="DIR/aro/visual_genome_{relation,attribution}.json, images/; {coco,flickr30k}_order.jsonl (frozen)",
    load=load,
    averages=averages,
)
