"""Full-size round trips open_clip -> Hugging Face -> open_clip -> ONNX with random weights, quick and plain GELU.

Prints, for `tiny`, ViT-B-32, ViT-B-16 and ViT-L-14, the largest difference of features of length 1 at each step;
more than 1e-4 stops it. Takes about 10 GB of disk for a while.

    python benchmarks/round_trips.py [--only ViT-B-32]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from compoclip.export import convert
from compoclip.models import load, save


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=None)
    shapes = ["tiny", "ViT-B-32", "ViT-B-16", "ViT-L-14"]
    chosen = parser.parse_args().only
    for shape in [chosen] if chosen else shapes:
        for activation in ("gelu",) if shape == "tiny" else ("quickgelu", "gelu"):
            started = time.monotonic()
            with tempfile.TemporaryDirectory() as room:
                folder = Path(room)
                model = load("tiny") if shape == "tiny" else load(f"{shape}:random", activation=activation)
                save(model, folder / "start")
                gaps = []
                for source, to, name in (("start", "hf", "hf"), ("hf", "open_clip", "back"), ("back", "onnx", "onnx")):
                    facts = convert(str(folder / source), to, folder / name)
                    equality = facts["equality"]
                    gaps.append(f"{to} image {equality['image']:.1e} text {equality['text']:.1e}")
            print(f"{shape} {activation}: {'; '.join(gaps)}; {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
