"""JPEGs decoded at a part of their size (`jpeg_draft`) against the whole: time, pixels and features.

    python benchmarks/jpeg_draft.py --shared DIR [--photos 60] [--enlarge 6]

DIR holds `data/coco_val2017_300/images.tar` and `models/lit-small`. Its photos are small, so they are enlarged first
(Lanczos, quality 90), to the size that cameras and the web give; the finest detail of a real photo is not in them.
Prints CPU time of decoding with preprocessing, and how far pixels and lit-small's features move.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from compoclip.data.pixels import GAP, least_side
from compoclip.decode import open_image
from compoclip.models import Model, load


def photos(shared: Path, count: int, times: int) -> list[bytes]:
    out = []
    with tarfile.open(shared / "data/coco_val2017_300/images.tar") as tar:
        for member in tar:
            handle = tar.extractfile(member) if member.isreg() else None
            if handle is None or len(out) == count:
                continue
            image = Image.open(io.BytesIO(handle.read())).convert("RGB")
            large = io.BytesIO()
            image.resize((image.width * times, image.height * times), Image.Resampling.LANCZOS).save(
                large, "JPEG", quality=90
            )
            out.append(large.getvalue())
    return out


def decoded(model: Model, files: list[bytes], least: int) -> tuple[float, Tensor]:
    """(CPU milliseconds a photo, pixels (N, 3, H, W))."""
    began = time.process_time()
    pixels = torch.stack([model.preprocess(open_image(file, least=least)) for file in files])
    return 1000 * (time.process_time() - began) / len(files), pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--enlarge", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(options.shared / "models/lit-small/build.py"), folder], check=True)
        model = load(folder)
        files = photos(options.shared, options.photos, options.enlarge)
        side = least_side(model.preprocess) // GAP
        milliseconds, whole = decoded(model, files, 0)
        features = model.encode_image(whole)
        print(f"{len(files)} photos of about {224 * options.enlarge} pixels, resized to {side}")
        print(f"whole: {milliseconds:.1f} ms a photo")
        others = features @ features.T - 2 * torch.eye(len(features))
        print(f"cosine to the nearest other photo: median {others.max(dim=1).values.median():.3f}")
        for least in (side, GAP * side):
            milliseconds, pixels = decoded(model, files, least)
            moved = (pixels - whole).abs().mean()
            cosine = (model.encode_image(pixels) * features).sum(dim=1)
            print(
                f"at least {least} pixels: {milliseconds:.1f} ms a photo, pixels moved by {moved:.4f}, ",
                end="",
            )
            print(f"cosine of features median {cosine.median():.5f}, least {cosine.min():.5f}")


if __name__ == "__main__":
    main()
