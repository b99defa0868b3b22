"""Evaluation speed: `evaluate` against the way of the benchmarks' own scripts, equal scores, one run.

    python benchmarks/evaluate.py [--photos 16] [--model ViT-B-32:random]

SugarCrepe's script takes a row at a time: open and preprocess its photo, encode it, encode each of both captions,
padded to 77 tokens. ARO's takes sixteen rows at a time: encode the sixteen photos, then the captions, candidate by
candidate, padded to 77 tokens. Both encode a photo again for every row that asks about it.

Made data keep the shape of the originals. SugarCrepe: 7,511 rows on 1,560 photos with 4,345 true captions, so five rows
a photo, which share three true captions. ARO's order sets: five captions a photo, five candidates each. ARO's relations
and attributes are measured apart: there every row has a region of its own, so a photo cannot be shared, and only the
text saves.

`evaluate` encodes each image and each caption once, in batches, text cut to its length. Then the same again from the
feature cache on disk.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from compoclip.decode import open_image
from compoclip.evaluation import evaluate
from compoclip.models import load

NOUNS = ("man", "woman", "dog", "horse", "bicycle", "table", "window", "umbrella", "bench", "laptop")
WORDS = ("red", "small", "old", "wooden", "wet", "large", "blue", "striped")
VERBS = ("stands next to", "sits in front of", "is looking at", "moves slowly past")
SUBSETS = ("replace_obj", "replace_att", "replace_rel", "swap_obj", "swap_att", "add_obj", "add_att")
TRUE_CAPTION = (0, 0, 1, 1, 2)  # which of a photo's three true captions each of its five rows has
BATCH = 16  # rows that ARO's script takes at once

Rows = dict[tuple[str, ...], list[float]]
Box = tuple[int, int, int, int] | None
Asked = tuple[str, Box, list[str]]


def caption(rng: np.random.Generator) -> list[str]:
    pick = rng.permutation(len(NOUNS))[:3]
    words = [WORDS[i] for i in rng.permutation(len(WORDS))[:2]]
    verb = VERBS[rng.integers(len(VERBS))]
    return f"a {words[0]} {NOUNS[pick[0]]} {verb} a {words[1]} {NOUNS[pick[1]]} near the {NOUNS[pick[2]]}".split()


def swapped(words: list[str], rng: np.random.Generator) -> str:
    a, b = rng.permutation(len(words))[:2]
    words = list(words)
    words[a], words[b] = words[b], words[a]
    return " ".join(words)


def made_data(root: Path, photos: int) -> tuple[list[Asked], list[Asked], list[Asked]]:
    """Photos of 640 x 480 pixels below `root`, and the rows of SugarCrepe, of ARO's order and of ARO's relations."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    for i in range(photos):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(root / "images" / f"{i}.jpg", quality=90)
    pairs: list[Asked] = []
    orders: list[Asked] = []
    regions: list[Asked] = []
    for i in range(photos):
        own = [caption(rng) for _ in range(3)]
        for k in TRUE_CAPTION:
            pairs.append((f"{i}.jpg", None, [" ".join(own[k]), swapped(own[k], rng)]))
        for _ in range(5):
            words = caption(rng)
            options = [" ".join(words), *(" ".join(rng.permutation(words)) for _ in range(4))]
            orders.append((f"{i}.jpg", None, options))
        corner = (int(rng.integers(0, 300)), int(rng.integers(0, 200)), 300, 250)
        words = caption(rng)
        regions.append((f"{i}.jpg", corner, [" ".join(words), swapped(words, rng)]))
    return pairs, orders, regions


def write_files(root: Path, pairs: list[Asked], orders: list[Asked], regions: list[Asked]) -> None:
    """The rows as the benchmarks' own files, in `root` and, for the relations, in `root/regions`."""
    (root / "sugarcrepe").mkdir()
    for k, name in enumerate(SUBSETS):
        table = {
            str(i): {"filename": file, "caption": texts[0], "negative_caption": texts[1]}
            for i, (file, _, texts) in itertools.islice(enumerate(pairs), k, None, len(SUBSETS))
        }
        (root / "sugarcrepe" / f"{name}.json").write_text(json.dumps(table))
    (root / "aro").mkdir()
    lines = [json.dumps({"image": file, "caption_options": texts}) for file, _, texts in orders]
    (root / "aro" / "coco_order.jsonl").write_text("\n".join(lines))
    rows = []
    for file, corner, (true, false) in regions:
        box = dict(zip(("bbox_x", "bbox_y", "bbox_w", "bbox_h"), corner or ()))
        rows.append({"image_path": file, "true_caption": true, "false_caption": false, "relation_name": "riding"} | box)
    (root / "regions" / "aro").mkdir(parents=True)
    (root / "regions" / "images").symlink_to(root / "images")
    (root / "regions" / "aro" / "visual_genome_relation.json").write_text(json.dumps(rows))


def pixels(model: Any, root: Path, file: str, corner: Box) -> torch.Tensor:
    image = open_image(root / "images" / file)
    if corner is not None:
        x, y, w, h = corner
        image = image.crop((x, y, x + w, y + h))
    return model.preprocess(image)


@torch.no_grad()
def their_way(model: Any, root: Path, rows: list[Asked], batch: int) -> tuple[Rows, float]:
    """Scores by (photo, candidates), and seconds; `batch` rows at a time, whose captions are encoded place by place."""
    start = time.perf_counter()
    scores: Rows = {}
    for first in range(0, len(rows), batch):
        some = rows[first : first + batch]
        seen = torch.stack([pixels(model, root, file, corner) for file, corner, _ in some])
        images = model.clip.encode_image(seen, normalize=True)
        texts = []
        for place in range(len(some[0][2])):
            ids = model.tokenizer([candidates[place] for _, _, candidates in some])
            texts.append(model.clip.encode_text(ids, normalize=True))
        found = torch.einsum("nd,knd->nk", images, torch.stack(texts))
        scores.update({(file, *candidates): row.tolist() for (file, _, candidates), row in zip(some, found)})
    return scores, time.perf_counter() - start


def ours(model: Any, tasks: str, root: Path, cache: Path | None = None) -> tuple[Rows, float]:
    start = time.perf_counter()
    results = evaluate(model, tasks, root, log_samples=True, cache_dir=cache, controls=False)
    seconds = time.perf_counter() - start
    names = [Path(r["images"][0].split(" box ")[0]).name for r in results["samples"]]
    return {(name, *r["captions"]): r["scores"] for name, r in zip(names, results["samples"])}, seconds


def judged(scores: list[float]) -> bool:
    return scores[0] > max(scores[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=16)
    parser.add_argument("--model", default="ViT-B-32:random")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model = load(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        pairs, orders, regions = made_data(root, arguments.photos)
        write_files(root, pairs, orders, regions)
        their_way(model, root, pairs[:1], 1)  # the first call of a model is slow
        theirs, pair_seconds = their_way(model, root, pairs, 1)
        found, order_seconds = their_way(model, root, orders, BATCH)
        theirs |= found
        found, region_seconds = their_way(model, root, regions, BATCH)
        region_rows, region_ours = ours(model, "aro", root / "regions")
        plain = pair_seconds + order_seconds
        first, cold = ours(model, "sugarcrepe,aro", root, Path(folder) / "cache")
        again, warm = ours(model, "sugarcrepe,aro", root, Path(folder) / "cache")
    every = [(theirs[key], first[key]) for key in theirs] + [(found[key], region_rows[key]) for key in found]
    apart = max(abs(a - b) for one, other in every for a, b in zip(one, other))
    flips = sum(judged(one) != judged(other) for one, other in every)
    rows = f"{len(pairs)} rows of SugarCrepe, {len(orders)} of ARO's order, {len(regions)} of its relations"
    print(f"{arguments.model}, {arguments.photos} photos, {rows}, {torch.get_num_threads()} threads")
    print(f"their way, SugarCrepe a row at a time     {pair_seconds:8.2f} s")
    print(f"their way, ARO's order, {BATCH} rows at a time {order_seconds:8.2f} s")
    print(f"evaluate, both                            {cold:8.2f} s   {plain / cold:6.1f}x")
    print(f"evaluate, again                           {warm:8.2f} s   {cold / warm:6.1f}x of the first")
    print(f"ARO's relations, their way                {region_seconds:8.2f} s")
    print(f"ARO's relations, evaluate                 {region_ours:8.2f} s   {region_seconds / region_ours:6.1f}x")
    print(f"largest difference of a cosine {apart:.1e}; rows judged otherwise {flips} of {len(every)}")
    print(f"scores from the cache are {'equal' if first == again else 'NOT equal'}")
    if apart > 1e-5 or first != again:
        raise SystemExit("the scores differ")


if __name__ == "__main__":
    main()
