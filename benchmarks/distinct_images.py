"""How much faster a step's features are where rows of one image share its pass through the image tower.

    python benchmarks/distinct_images.py [--anchors 16] [--images 3] [--captions 3] [--repeat 15]

A batch of the recipe `compoclip` on the built-in world: every caption with `--images` hard images of `--captions`
captions each. Features and their gradients with every distinct image encoded once, and with every row encoded, in
turns; prints the median of each, the ratio of the two, and by how much features and gradients differ at most.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from compoclip.config import resolve
from compoclip.data.collate import Batch
from compoclip.models import Model, load
from compoclip.training.dataset import TrainData
from compoclip.training.towers import batch_features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anchors", type=int, default=16)
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--captions", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=15)
    args = parser.parse_args()
    changes = {"data": "world", "world_scenes": 800, "world_fours": True, "held_out": 0.0, "output_dir": "unused"}
    sizes = {"batch_size": args.anchors, "hard_images": args.images, "hard_captions": args.captions}
    config = resolve("compoclip", {**changes, **sizes})
    model = load("tiny")
    batch = next(iter(TrainData.open(config, model, frozenset()).stream.epoch(0)))
    ids = torch.tensor([hash(name) for name in batch.image_ids])
    times: dict[bool, list[float]] = {True: [], False: []}
    found = {}
    for turn in range(2 * args.repeat):
        once = turn % 2 == 0
        start = time.perf_counter()
        found[once] = one(model, batch, ids if once else None)
        times[once].append(time.perf_counter() - start)
    quick, plain = statistics.median(times[True]), statistics.median(times[False])
    apart = [
        max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(*pair))
        for pair in zip(found[True], found[False])
    ]
    print(f"{len(batch.captions)} rows of {len(set(batch.image_ids))} images")
    print(f"every row {plain:.3f} s, every image once {quick:.3f} s: {plain / quick:.2f} times as fast")
    print(f"largest differences, of the largest value: features {apart[0]:.1e}, gradients {apart[1]:.1e}")


def one(model: Model, batch: Batch, ids: torch.Tensor | None) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Image and text features of the batch, and the gradients of all similarities' squares."""
    model.clip.zero_grad()
    rows: list[list[str]] = [[] for _ in batch.captions]
    out = batch_features(model, batch.images, batch.captions, rows, 0, frozenset(), None, ids)
    (out.image @ out.text.T).square().sum().backward()
    gradients = [p.grad.clone() for p in model.clip.parameters() if p.grad is not None]
    return [out.image.detach(), out.text.detach()], gradients


if __name__ == "__main__":
    main()
