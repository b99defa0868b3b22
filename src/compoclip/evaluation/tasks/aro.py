"""ARO (Yuksekgonul et al. 2023): relations and attributes on cut-out regions, and word order of whole captions."""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib import resources
from pathlib import Path

from compoclip.errors import InputError
from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.locations import box, texts
from compoclip.evaluation.orders import freeze
from compoclip.evaluation.questions import Question, Row

SPLITS = {
    "coco_order.jsonl": ("coco_karpathy/coco_karpathy_test.json", "coco_karpathy_test.json"),
    "flickr30k_order.jsonl": ("flickr30k/flickr30k_test.json", "flickr30k_test.json"),
}
LEAST = 25  # rows an attribute pair needs to count


@cache
def excluded_relations() -> frozenset[str]:
    """Relations that the official mean leaves out (spatially symmetric or rare ones)."""
    text = resources.files("compoclip.evaluation.published").joinpath("aro_excluded_relations.txt").read_text("utf-8")
    return frozenset(line for line in text.splitlines() if line)


def ask(where: str, row: Row) -> tuple[str, Question] | None:
    """Frozen candidates of word order (`caption_options`, the caption first); or a region, a true and a false caption,
    grouped by relation or by attribute pair as stored."""
    if "caption_options" in row or "image_path" not in row:
        (image,), options = texts(where, row, "image"), row.get("caption_options")
        if not isinstance(options, list) or len(options) < 2 or not all(isinstance(o, str) for o in options):
            raise InputError(f"{where} needs caption_options, the caption and its permutations")
        return "", Question([image], options)
    pair = row.get("attributes")
    if pair is None:
        (group,) = texts(where, row, "relation_name")
    elif isinstance(pair, list) and len(pair) == 2 and all(isinstance(a, str) for a in pair):
        group = f"{pair[0]}_{pair[1]}"
    else:
        raise InputError(f"{where} needs attributes, a list of two texts")
    image, true, false = texts(where, row, "image_path", "true_caption", "false_caption")
    return "", Question([image], (true, false), box(where, row, "bbox_x", "bbox_y", "bbox_w", "bbox_h"), group)


def counted(subset: str, rows: list[Question]) -> list[Question]:
    """The rows of relations and attribute pairs that the official means take."""
    size = Counter(row.group for row in rows)
    if subset == "VG_Relation":
        return [row for row in rows if row.group not in excluded_relations()]
    return [row for row in rows if size[row.group] >= LEAST] if subset == "VG_Attribute" else rows


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


TASK = benchmark("aro", ask=ask, all_of=counted, prepare=prepare)
