"""FSC-CLIP's published command for ViT-L-14 (torchrun, 4 processes of 64) on two processes of a CPU.

    python benchmarks/published_ranks.py [--ranks 2] [--steps 2] [--width 32]

The recipe is `fsc-clip-l14` as it stands, total batch included. The model has ViT-L-14's shape (24 and 12 layers,
patches of 14, 77 positions, the whole vocabulary) and towers of `--width`, and images of 112 so that a CPU gets
through. Images and captions are those of the built-in world, negatives are made on the way. Prints what it runs.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import open_clip
import torch

from compoclip.models import load, save
from compoclip.recipes.reading import read_recipe

RECIPE, NAME = "fsc-clip-l14", "toy-ViT-L-14"


def write_model(folder: Path, width: int) -> Path:
    """ViT-L-14 with narrow towers and fresh weights, as a model folder."""
    config = open_clip.get_model_config("ViT-L-14")
    assert config is not None
    config["embed_dim"] = width
    config["vision_cfg"] |= {"width": width, "head_width": 16, "image_size": 112}
    config["text_cfg"] |= {"width": width, "heads": width // 16}
    (folder / f"{NAME}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{NAME}.json")
    torch.manual_seed(0)
    return save(load(f"{NAME}:random"), folder / NAME)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--width", type=int, default=32)
    chosen = parser.parse_args()
    total = read_recipe(RECIPE)["train"]["batch_size"]
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(Path(folder), chosen.width)
        flags = f"--data world --negatives generate --batch-size {total // chosen.ranks} --micro-batch 16"
        flags += f" --steps {chosen.steps} --device cpu --set world_scenes=600 --set held_out=0 --set log_every=1"
        command = f"-m torch.distributed.run --standalone --nproc-per-node {chosen.ranks} -m compoclip train {RECIPE}"
        command += f" --model {model.name} {flags} --output-dir run"
        print(f"python {command}", flush=True)
        done = subprocess.run([sys.executable, *shlex.split(command)], cwd=folder, check=False)
        if not done.returncode:
            print((Path(folder) / "run" / "metrics.jsonl").read_text(), end="")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
