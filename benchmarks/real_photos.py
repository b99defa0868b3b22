"""Fine-tune a small real-photo model with every method and measure what it gains and forgets.

    python benchmarks/real_photos.py --shared ../shared --out runs/photos

`--shared` is a folder with `models/lit-small`, `data/flickr8k`, `data/coco_val2017_300`, `data/cifar10_test_1000` and
`reference/annotations/sugarcrepe`; the photos are not part of this project. Trains on 6,000 Flickr8k photos
and measures SugarCrepe (rows whose photo is there), Flickr8k retrieval and CIFAR-10 zero-shot; prints a Markdown table.
Runs that are there already are not run again, so more seeds or methods can be added by a second call.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from compoclip.config import resolve
from compoclip.evaluation import evaluate, read_results
from compoclip.evaluation.results import shared_rows
from compoclip.evaluation.statistics import interval, stratified_means
from compoclip.models import load
from compoclip.negatives.build import build
from compoclip.training import train

TASKS = "sugarcrepe,retrieval,zeroshot"
METHODS = (
    "fsc-clip",
    "mix",
    "clip",
    "negclip",
    "degla",
    "compoclip",
)  # the first two need patches: the rest reuse theirs
KINDS = ("swap-nouns", "swap-adjectives", "replace-nouns", "replace-adjectives", "replace-relations", "shuffle")
# name -> settings on top of the common ones; `locked` is what every method is compared under
VARIANTS: dict[str, dict[str, Any]] = {
    "locked": {"lock_image": True},
    "head": {"lock_image": True, "unlock_image_head": True},
    "unlocked": {"lock_image": False},
    "lora": {"lock_image": True, "lora_rank": 4, "lr": 1e-3},
    "no shuffle": {"lock_image": True, "negative_kinds": [k for k in KINDS if k != "shuffle"]},
    "replace only": {"lock_image": True, "negative_kinds": [k for k in KINDS if k.startswith("replace")]},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/photos"))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--variants", nargs="+", default=["locked"], choices=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--negatives", type=int, default=3, help="of each caption, for the methods that read them")
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16"])
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    needed = ("models/lit-small/build.py", "data/flickr8k", "data/coco_val2017_300", "reference/annotations/sugarcrepe")
    for name in needed:
        if not (args.shared / name).exists():
            sys.exit(f"{args.shared / name} is missing: --shared must hold {', '.join(needed)}")
    base = assemble(args)
    negatives = args.out / "negatives"
    captions = args.shared / "data/flickr8k/captions.tsv"
    resume = (negatives / "manifest.json").exists()
    build(captions, negatives, KINDS, 6, seed=0, split="train", resume=resume)

    rows = {"base": [measured(args, base, args.out / "base")]}
    for variant in args.variants:
        for method in args.methods:
            label = method if variant == "locked" else f"{method}, {variant}"
            rows[label] = []
            for seed in args.seeds:
                rows[label].append(measured(args, *fine_tuned(args, base, negatives, variant, method, seed)))
                print(markdown(rows), flush=True)


def assemble(args: argparse.Namespace) -> Path:
    """The base model as an open_clip folder; the script's own packages have to be installed."""
    folder = args.out / "lit-small"
    if not (folder / "open_clip_config.json").exists():
        subprocess.run([sys.executable, str(args.shared / "models/lit-small/build.py"), str(folder)], check=True)
    return folder


def fine_tuned(
    args: argparse.Namespace, base: Path, negatives: Path, variant: str, method: str, seed: int
) -> tuple[Path, Path]:
    sizes = f"n{args.steps}-b{args.batch_size}-lr{args.lr:g}-k{args.negatives}"
    run = args.out / f"{variant.replace(' ', '-')}-{method}-s{seed}-{sizes}"
    settings = {
        "model": str(base),
        "pretrained": None,
        "data": str(args.shared / "data/flickr8k"),
        "split": "train",
        "captions": "random",
        "held_out": 0.0,
        "cache_gib": 2.0,
        "feature_cache": str(args.out / "features"),
        "negatives": str(negatives),
        "negative_kinds": [],
        "negatives_per_caption": 0 if method == "clip" else args.negatives,
        "batch_size": args.batch_size,
        "epochs": 1000,
        "steps": args.steps,
        "lr": args.lr,
        "warmup": 20,
        "grad_clip": 1.0,
        "precision": args.precision,
        "seed": seed,
        "device": args.device,
        "checkpoint_every": 0,
        "output_dir": str(run),
        **VARIANTS[variant],
    }
    config = resolve(method, settings)
    if config.hard_images:  # equal images a step, no false captions
        fewer = {"batch_size": args.batch_size // (1 + config.hard_images), "negatives_per_caption": 0}
        config = resolve(method, settings | fewer)
    if not (run / "export").is_dir():
        train(config, resume=(run / "config.yaml").exists())
    return run / "export", run


def measured(args: argparse.Namespace, model: Path, folder: Path) -> dict[str, Any]:
    path = folder / "results.json"
    if not path.exists():
        data = args.out / "data"  # links, as users keep these
        data.mkdir(parents=True, exist_ok=True)
        for name, place in {
            "sugarcrepe": "reference/annotations/sugarcrepe",
            "val2017.tar": "data/coco_val2017_300/images.tar",
            "data": "data",
        }.items():
            if not (data / name).exists():
                (data / name).symlink_to((args.shared / place).resolve())
        evaluate(load(model), TASKS, data_root=data, label=folder.name, output_path=path, cache_dir=args.out / "cache")
    return read_results(path)


def figures(results: dict[str, Any]) -> dict[str, float]:
    """SugarCrepe by its vl_compo rule and pooled over rows, Flickr8k R@1 both ways, CIFAR-10 accuracy, in percent."""
    tasks = results["tasks"]
    retrieval = tasks["retrieval"]["subsets"]
    zeroshot = tasks["zeroshot"]["subsets"]
    return {
        "SugarCrepe rows": tasks["sugarcrepe"]["scores"]["micro"],
        "SugarCrepe vl_compo": tasks["sugarcrepe"]["score"],
        "Flickr8k i2t": next(v["accuracy"] for k, v in retrieval.items() if "flickr8k" in k and k.endswith("i2t")),
        "Flickr8k t2i": next(v["accuracy"] for k, v in retrieval.items() if "flickr8k" in k and k.endswith("t2i")),
        "CIFAR-10": next(v["accuracy"] for k, v in zeroshot.items() if "cifar10" in k),
    }


def gain(base: dict[str, Any], runs: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Gain over the base in pooled SugarCrepe accuracy with its 95 % interval, over rows, seeds averaged."""
    differences = []
    for subset in base["tasks"]["sugarcrepe"]["subsets"]:
        rows = shared_rows([base, *runs], "sugarcrepe", subset)
        if rows is not None:
            differences.append(np.mean(rows[1:], axis=0) - rows[0])
    every = np.concatenate(differences)
    low, high = interval(stratified_means([every], [1.0], resamples=4000, seed=0))
    return 100 * float(every.mean()), low, high


def markdown(rows: dict[str, list[dict[str, Any]]]) -> str:
    """One line a method: means over seeds, the gain's interval, and the change of everything else from the base."""
    base = rows["base"][0]
    start = figures(base)
    names = list(start)
    lines = ["| method | seeds | gain, 95 % | " + " | ".join(names) + " |", "|---|---|---|" + "---|" * len(names)]
    for label, runs in rows.items():
        if not runs:
            continue
        values = {name: [figures(run)[name] for run in runs] for name in names}
        cells = []
        for name in names:
            mean = float(np.mean(values[name]))
            cells.append(f"{mean:.1f}" if label == "base" else f"{mean:.1f} ({mean - start[name]:+.1f})")
        told = "" if label == "base" else "{:+.1f} [{:+.1f}, {:+.1f}]".format(*gain(base, runs))
        lines.append(f"| {label} | {len(runs)} | {told} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
