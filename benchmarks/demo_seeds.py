"""The demo's fine-tunes over several seeds: composition gained, zero-shot kept.

    python benchmarks/demo_seeds.py --out runs/demo-seeds --seeds 0 1 2

Same data, negatives, steps and tests as `compoclip demo`; prints a Markdown table of means and standard deviations, and
the share of what negclip forgets that each method keeps. What is there already is not run again.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from compoclip.demo import FULL, METHODS, build_negatives, measured, settings
from compoclip.models import load
from compoclip.training import train

FIGURES = ("comp", "zeroshot", "i2t", "t2i")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo-seeds"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    args = parser.parse_args()
    base = measured(load("tiny"), "base", args.out / "base", FULL)["summary"]
    rows: dict[str, list[dict[str, float]]] = {label: [] for label in METHODS}
    for seed in args.seeds:
        out = args.out / f"seed-{seed}"
        build_negatives(out, FULL, seed)
        for label, recipe in METHODS.items():
            config = settings(recipe, FULL, seed, out)
            run = Path(config.output_dir)
            if not (run / "export").is_dir():
                train(config, resume=(run / "config.yaml").exists())
            rows[label].append(measured(load(run), label, run, FULL)["summary"])
    print(markdown(base, rows))


def markdown(base: dict[str, float], rows: dict[str, list[dict[str, float]]]) -> str:
    """`mean ± sd` over seeds of each figure, and zero-shot kept of what negclip loses, in percent."""
    lines = [
        "| method | composition | zero-shot | i2t R@1 | t2i R@1 | of negclip's loss kept |",
        "|---|---|---|---|---|---|",
    ]
    lines.append("| base | " + " | ".join(f"{base[name]:.1f}" for name in FIGURES) + " | |")
    lost = base["zeroshot"] - statistics.mean(row["zeroshot"] for row in rows["negclip"])
    for label, runs in rows.items():
        cells = []
        for name in FIGURES:
            values = [run[name] for run in runs]
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}")
        own = base["zeroshot"] - statistics.mean(run["zeroshot"] for run in runs)
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {100 * (1 - own / lost):.0f} % |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
