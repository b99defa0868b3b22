"""Evaluation speed: `evaluate` against the per-pair way of the benchmarks' own scripts, equal scores, one run.

    python benchmarks/evaluate.py [--photos 24] [--model ViT-B-32:random]

The official scripts of SugarCrepe and ARO take a row at a time: open and preprocess its image, encode the image, and
encode each caption padded to 77 tokens. Made data keep the shape of the originals: SugarCrepe has about five rows a
photo (of the same photo with other captions), ARO's order sets five captions a photo with five candidates each.
Ours encodes each image and each caption once, in batches, with text cut to length. Then the same again from the
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

from compoclip.evaluation import evaluate
from compoclip.io import open_image
from compoclip.models import load

NOUNS = ("man", "woman", "dog", "horse", "bicycle", "table", "window", "umbrella", "bench", "laptop")
WORDS = ("red", "small", "old", "wooden", "wet", "large", "blue", "striped")
VERBS = ("stands next to", "sits in front of", "is looking at", "moves slowly past")
SUBSETS = ("replace_obj", "replace_att", "replace_rel", "swap_obj", "swap_att", "add_obj", "add_att")


def caption(rng: np.random.Generator) -> list[str]:
    pick = rng.permutation(len(NOUNS))[:3]
    words = [WORDS[i] for i in rng.permutation(len(WORDS))[:2]]
    verb = VERBS[rng.integers(len(VERBS))]
    return f"a {words[0]} {NOUNS[pick[0]]} {verb} a {words[1]} {NOUNS[pick[1]]} near the {NOUNS[pick[2]]}".split()


def made_data(root: Path, photos: int) -> None:
    """Photos of 640 x 480 pixels, SugarCrepe's seven files with five rows a photo, and an ARO order set."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    for i in range(photos):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        coarse.resize((640, 480), Image.Resampling.BICUBIC).save(root / "images" / f"{i}.jpg", quality=90)
    tables: dict[str, dict[str, Any]] = {name: {} for name in SUBSETS}
    orders = []
    for i, row in itertools.product(range(photos), range(5)):
        words = caption(rng)
        false = list(words)
        false[1], false[-1] = false[-1], false[1]
        entry = {"filename": f"{i}.jpg", "caption": " ".join(words), "negative_caption": " ".join(false)}
        tables[SUBSETS[(5 * i + row) % 7]][str(len(orders))] = entry
        options = [" ".join(words), *(" ".join(rng.permutation(words)) for _ in range(4))]
        orders.append({"image": f"{i}.jpg", "caption_options": options})
    for folder in ("sugarcrepe", "aro"):
        (root / folder).mkdir()
    for name, table in tables.items():
        (root / "sugarcrepe" / f"{name}.json").write_text(json.dumps(table))
    (root / "aro" / "coco_order.jsonl").write_text("\n".join(map(json.dumps, orders)))


@torch.no_grad()
def per_pair(model: Any, root: Path) -> dict[tuple[str, ...], list[float]]:
    """Scores by (photo, candidates), one row at a time, as the official scripts do."""
    rows = []
    for name in SUBSETS:
        for row in json.loads((root / "sugarcrepe" / f"{name}.json").read_text()).values():
            rows.append((row["filename"], [row["caption"], row["negative_caption"]]))
    for line in (root / "aro" / "coco_order.jsonl").read_text().splitlines():
        order = json.loads(line)
        rows.append((order["image"], order["caption_options"]))
    scores = {}
    for file, candidates in rows:
        pixels = model.preprocess(open_image(root / "images" / file))[None]
        image = model.clip.encode_image(pixels, normalize=True)[0]
        texts = [model.clip.encode_text(model.tokenizer([text]), normalize=True)[0] for text in candidates]
        scores[(file, *candidates)] = [float(image @ text) for text in texts]
    return scores


def ours(model: Any, root: Path, cache: Path | None) -> tuple[dict[tuple[str, ...], list[float]], float]:
    start = time.perf_counter()
    results = evaluate(model, "sugarcrepe,aro", root, log_samples=True, cache_dir=cache, controls=False)
    seconds = time.perf_counter() - start
    rows = {(Path(r["image"]).name, *r["candidates"]): r["scores"] for r in results["samples"]}
    return rows, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--model", default="ViT-B-32:random")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model = load(arguments.model)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        made_data(root, arguments.photos)
        start = time.perf_counter()
        theirs = per_pair(model, root)
        plain = time.perf_counter() - start
        first, cold = ours(model, root, Path(folder) / "cache")
        again, warm = ours(model, root, Path(folder) / "cache")
    apart = max(abs(a - b) for key in theirs for a, b in zip(theirs[key], first[key]))
    flips = sum((a[0] > max(a[1:])) != (b[0] > max(b[1:])) for a, b in ((theirs[k], first[k]) for k in theirs))
    print(f"{arguments.model}, {arguments.photos} photos, {len(theirs)} rows, {torch.get_num_threads()} threads")
    print(f"per pair        {plain:8.2f} s")
    print(f"evaluate        {cold:8.2f} s   {plain / cold:6.1f}x")
    print(f"evaluate, again {warm:8.2f} s   {cold / warm:6.1f}x of the first, {plain / warm:.0f}x of per pair")
    print(f"largest difference of a cosine {apart:.1e}; rows judged otherwise {flips}")
    print(f"scores from the cache are {'equal' if first == again else 'NOT equal'}")
    if apart > 1e-5 or first != again:
        raise SystemExit("the scores differ")


if __name__ == "__main__":
    main()
