"""Your own photos: a CSV with the columns image and caption, hard negatives of it, a fine-tuned model, a report.

    python examples/own_photos.py out

The same on the command line:
    compoclip negatives build captions.csv --out negatives --kinds fsc-clip --per-caption 4
    compoclip train fsc-clip --data captions.csv --image-root images --negatives negatives --output-dir run
    compoclip report run --out report
"""

from __future__ import annotations

import sys
from pathlib import Path

from photos import draw

from compoclip.config import resolve
from compoclip.negatives.build import build
from compoclip.report import gains_table, load_results, write_report
from compoclip.training import train


def main(out: Path, steps: int = 60) -> Path:
    table = draw(out / "data")

    made = build(table, out / "negatives", kinds="fsc-clip", per_caption=4)
    print(f"{made['negatives']} negatives of {made['captions']} captions")

    settings = {
        "model": "tiny",  # your own: "model": "ViT-B-32", "pretrained": "openai"
        "data": str(table),
        "image_root": str(table.parent / "images"),
        "negatives": str(out / "negatives"),
        "steps": steps,
        "lr": 1e-3,  # tiny learns at higher rates than a large model; leave it out for the recipe's own
        "output_dir": str(out / "run"),
    }
    # `given` names what was asked for: the rest is fitted to a set as small as this, and each change is printed
    run = train(resolve("fsc-clip", settings), given=settings)

    results = load_results([run / "results-base.json", run / "results.json"])
    from rich import print as show

    show(gains_table(results))
    return write_report(results, out / "report")


if __name__ == "__main__":
    print(main(Path(sys.argv[1] if len(sys.argv) > 1 else "own-photos")))
