"""Peak memory of a training step with and without micro-batches, at equal gradient.

    python benchmarks/micro_batches.py [--batch 64] [--micro 8] [--model ViT-B-32:random] [--device cpu]

fsc-clip with its local terms, 3 negatives a caption. Each way runs in a process of its own: the memory is the largest
resident size (on a GPU, the largest allocation) above that of a process that has the model and AdamW's moments only.
Prints the ratio, and the largest difference of any parameter's gradient relative to its norm.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from compoclip.losses import objective
from compoclip.models import load
from compoclip.training.backward import backward
from compoclip.training.dataset import TrainBatch
from compoclip.training.memory import peak_bytes
from compoclip.training.optim import adamw
from compoclip.training.towers import Towers
from train_step import NEGATIVES, texts

MIB = 2**20


def step(options: argparse.Namespace, micro: int | None, out: Path) -> None:
    """One step; prints the peak in MiB and keeps the gradient."""
    torch.manual_seed(0)
    model = load(options.model, options.device)
    model.clip.train()
    optimizer = adamw(model.clip, 1e-6, 0.1, (0.9, 0.98), 1e-6)
    for parameter in model.clip.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # its moments are there
    if micro != 0:
        size = model.clip.visual.image_size
        height, width = size if isinstance(size, (tuple, list)) else (size, size)
        most = len(texts(16)[0])
        captions, negatives = texts(min(options.batch, most))
        captions = [f"{captions[i % most]} {i // most}" for i in range(options.batch)]
        negatives = [[f"{text} {i // most}" for text in negatives[i % most]] for i in range(options.batch)]
        pixels = torch.randn(options.batch, 3, height, width, generator=torch.Generator().manual_seed(1))
        names = [str(i) for i in range(options.batch)]
        batch = TrainBatch(pixels, captions, negatives, torch.arange(options.batch), 0, names)
        backward(objective("fsc-clip"), batch.parts(micro), Towers(model, NEGATIVES))
        save_file({name: p.grad.cpu() for name, p in model.clip.named_parameters() if p.grad is not None}, out)
    print(peak_bytes(torch.device(options.device)) / MIB)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--micro", type=int, default=8)
    parser.add_argument("--model", default="ViT-B-32:random")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        step(options, None if options.one[0] == "whole" else int(options.one[0]), Path(options.one[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        peaks = {}
        for way in ("0", "whole", str(options.micro)):
            command = [sys.executable, __file__, "--one", way, f"{folder}/{way}", "--batch", str(options.batch)]
            command += ["--model", options.model, "--device", options.device]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks[way] = float(done.stdout.split()[-1])
        whole, parts = load_file(f"{folder}/whole"), load_file(f"{folder}/{options.micro}")
        gap = max(float((whole[name] - parts[name]).norm() / whole[name].norm().clamp_min(1e-8)) for name in whole)
    above = {way: peaks[way] - peaks["0"] for way in peaks}
    print(f"{options.model}, batch {options.batch}, {NEGATIVES} negatives a caption, fsc-clip, {options.device}")
    print(f"model, gradients and optimiser: {peaks['0']:.0f} MiB")
    print(f"whole batch: {above['whole']:.0f} MiB above that")
    print(f"micro-batches of {options.micro}: {above[str(options.micro)]:.0f} MiB above that")
    print(
        f"ratio: {above[str(options.micro)] / above['whole']:.2f}; gradients differ by at most {gap:.1e} of their norm"
    )


if __name__ == "__main__":
    main()
