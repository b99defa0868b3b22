"""LoRA on one GPU, or on a CPU as here: rank-4 matrices beside attention and MLP layers, all else frozen.

    python examples/lora.py out

The same on the command line:
    compoclip train fsc-clip-lora --data captions.csv --image-root images --negatives generate --output-dir run
    compoclip convert run --to adapter --base ViT-B-32:openai --out adapter
"""

from __future__ import annotations

import sys
from pathlib import Path

from photos import draw

import compoclip
from compoclip.config import resolve
from compoclip.export import convert
from compoclip.training import train


def main(out: Path, steps: int = 20) -> dict[str, float]:
    table = draw(out / "data")
    settings = {
        "model": "tiny",
        "pretrained": None,
        "lora_rank": 4,
        "data": str(table),
        "image_root": str(table.parent / "images"),
        "negatives": "generate",  # made for each batch while training; no folder to build
        "steps": steps,
        "lr": 1e-2,
        "output_dir": str(out / "run"),
    }
    run = train(resolve("fsc-clip", settings), given=settings)

    # export/ has the matrices merged, so any program loads it; the adapter alone is small
    convert(str(run), "adapter", out / "adapter", base="tiny", rank=4)
    whole = (run / "export" / "open_clip_model.safetensors").stat().st_size
    alone = (out / "adapter" / "adapter_model.safetensors").stat().st_size
    print(f"weights {whole / 2**20:.1f} MiB, adapter {alone / 2**20:.2f} MiB")

    captions = ["a red square", "a blue circle"]
    moved = (compoclip.load(run).encode_text(captions) - compoclip.load("tiny").encode_text(captions)).norm(dim=1)
    return {"whole": whole, "adapter": alone, "moved": float(moved.max())}


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else "lora")))
