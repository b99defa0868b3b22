"""A loss of your own: a pure function of features, registered as a term, trained with.

    python examples/own_loss.py out

It never sees a model, so micro-batches, several GPUs and resuming work without a line here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from compoclip.config import resolve
from compoclip.losses import TERMS, Features
from compoclip.losses.features import require
from compoclip.losses.masks import masked_mean
from compoclip.losses.objective import Term
from compoclip.training import train


def squared_gap(features: Features, gap: float = 0.3) -> Tensor:
    """How far each negative is from lying `gap` below its caption, squared: mean over the negatives that are there."""
    negatives = require(features.negatives, "negatives", "squared_gap")  # (B, K, D)
    present = require(features.negative_mask, "negative_mask", "squared_gap")  # (B, K)
    true = torch.einsum("bd,bd->b", features.image, features.text)
    wrong = torch.einsum("bd,bkd->bk", features.image, negatives)
    return masked_mean((gap + wrong - true[:, None]).clamp(min=0).square(), present)


def main(out: Path, steps: int = 20) -> Path:
    TERMS["squared_gap"] = Term(squared_gap, {"gap": "gap"}, frozenset({"negatives"}))
    settings = {
        "model": "tiny",
        "pretrained": None,
        "data": "world",  # drawn scenes; a table of yours goes here
        "world_scenes": 96,
        "negatives": "generate",
        "negative_kinds": ["swap-adjectives", "replace-nouns"],
        "weights": {"contrastive": 1.0, "squared_gap": 5.0},
        "options": {"gap": 0.2},
        "steps": steps,
        "lr": 1e-3,
        "output_dir": str(out / "run"),
    }
    return train(resolve("clip", {**settings, "negatives_per_caption": 2}), given=settings)


if __name__ == "__main__":
    run = main(Path(sys.argv[1] if len(sys.argv) > 1 else "own-loss"))
    print((run / "metrics.jsonl").read_text().splitlines()[-1])
