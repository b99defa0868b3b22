"""Every method on the built-in world at equal data, images a step, steps, schedule and base: gained, and forgotten.

    python benchmarks/comparison.py --out runs/comparison [--seeds 0 1 2] [--plan demo] [--group methods] [--only mix]

`comparison.yaml` beside this file says what is compared: the methods, and the parts of some; and by which plans: the
demo's 600 steps, or the long one's. A plan wants a folder of its own. Each method is trained and measured, and so are
its blends with the base; what is there already is not run again, so a run that was stopped goes on. Prints a Markdown
table: means over the seeds with 95 % intervals (Student's t), what a method has where it keeps zero-shot within
`--drop` points of the base (along its curve of blends, between measured points by a line), how far `compoclip` is ahead
of it there (differences of equal seeds), and its seconds a step. A method that fails is named with its error, and the
others go on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from scipy import stats

from compoclip.config import resolve
from compoclip.demo import BLENDS, FULL, DemoConfig, build_negatives, measured, run_method
from compoclip.errors import InputError, RunError
from compoclip.evaluation import read_results
from compoclip.io import read_json
from compoclip.losses import objective
from compoclip.models import load

FIGURES = {"comp": "needs the image", "zeroshot": "zero-shot", "i2t": "i2t R@1", "t2i": "t2i R@1"}
OWN = "compoclip"  # the method whose lead over each other one is told
HERE = Path(__file__).parent


def main() -> None:
    told = yaml.safe_load((HERE / "comparison.yaml").read_text(encoding="utf-8"))
    plans, groups = told["plans"], told["groups"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/comparison"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--plan", choices=plans, default="demo")
    parser.add_argument("--group", choices=groups, nargs="+", default=["methods"])
    parser.add_argument("--only", nargs="+", help="labels of methods; the others are left out")
    parser.add_argument("--drop", type=float, default=2.0, help="points of zero-shot that may be lost")
    args = parser.parse_args()
    plan, out = replace(FULL, **plans[args.plan]), args.out.resolve()
    for group in args.group:
        wanted = {
            label: {**row, "runs": first_label(row, groups)}
            for label, row in groups[group].items()
            if not args.only or label in args.only
        }
        table = compare(wanted, args.seeds, out, args.drop, plan)
        print(f"\n**{group}**, plan {args.plan}, seeds {', '.join(map(str, args.seeds))}\n\n{table}")


def first_label(row: dict[str, Any], groups: dict[str, dict[str, Any]]) -> str:
    """Under which label a row is run, so that what stands in two groups is trained once."""
    return next(label for group in groups.values() for label, other in group.items() if other == row)


def compare(rows: dict[str, Any], seeds: Sequence[int], out: Path, drop: float, plan: DemoConfig = FULL) -> str:
    """The table of `rows` (label -> recipe and changes); runs what is not there yet."""
    base = measured(load("tiny"), "base", out / "base", plan)["summary"]
    found: dict[str, dict[int, dict[str, float]]] = {label: {} for label in rows}
    for seed in seeds:
        folder = out / f"seed-{seed}"
        if any(map(reads_texts, rows.values())):
            build_negatives(folder, plan, seed, units=True)
        for label, row in rows.items():
            try:
                found[label][seed] = one(label, row, plan, seed, folder, base, drop)
            except (InputError, RunError) as error:
                print(f"{label}, seed {seed}: {error}", file=sys.stderr)
    return markdown(base, found, drop)


def reads_texts(row: dict[str, Any]) -> bool:
    """Does the method read false captions, units or phrases, which take minutes to make?"""
    try:
        config = resolve(row["recipe"], row.get("changes", {}))
    except InputError:  # told where the method is run
        return False
    return bool(objective(config.weights, **config.options).needs & {"negatives", "units", "phrases", "paraphrases"})


def one(
    label: str, row: dict[str, Any], plan: DemoConfig, seed: int, folder: Path, base: dict[str, float], drop: float
) -> dict[str, float]:
    """The figures of one method and seed."""
    name = row.get("runs", label).replace(" ", "-")
    config = run_method(label, row["recipe"], plan, seed, folder, name, row.get("changes"))
    run = Path(config.output_dir)
    summary = read_results(run / "results.json")["summary"]
    curve = [base, *(blend["summary"] for blend in read_json(run / BLENDS)), summary]
    kept = at_zeroshot([(point["zeroshot"], point["comp"]) for point in curve], base["zeroshot"] - drop)
    return {**summary, "kept": kept, "pace": seconds_a_step(run / "metrics.jsonl", config.rows)}


def at_zeroshot(curve: Sequence[tuple[float, float]], least: float) -> float:
    """The most composition at a zero-shot of at least `least`, along the lines between (zero-shot, composition).

    >>> at_zeroshot([(75.0, 50.0), (71.0, 58.0), (60.0, 80.0)], 73.0)
    54.0
    """
    best = -math.inf
    for (here, low), (there, high) in pairwise(curve):
        best = max([best, *(score for kept, score in ((here, low), (there, high)) if kept >= least)])
        if (here - least) * (there - least) < 0:
            best = max(best, low + (high - low) * (here - least) / (here - there))
    return best


def seconds_a_step(path: Path, images: int) -> float:
    """The median over a run's logged steps; `images` is the number of images a step."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rates = sorted(line["samples_per_second"] for line in lines if "samples_per_second" in line)
    return float(images / rates[len(rates) // 2])


def interval(values: Sequence[float]) -> str:
    """Mean and half the 95 % interval of a few values, by Student's t; one value alone, and nothing of none."""
    if not values:
        return ""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return f"{mean:.1f}"
    return f"{mean:.1f} ± {stats.t.ppf(0.975, len(values) - 1) * stats.sem(values):.1f}"


def markdown(base: dict[str, float], found: dict[str, dict[int, dict[str, float]]], drop: float) -> str:
    """A line a method, the base first; where `OWN` is among them, with its lead over each, paired by seed."""
    own = found.get(OWN, {})
    head = ["method", *FIGURES.values(), f"needs the image at zero-shot -{drop:g}", f"{OWN}'s lead there", "s a step"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    cells = [f"{base[name]:.1f}" for name in (*FIGURES, "comp")]
    leads = interval([run["kept"] - base["comp"] for run in own.values()])
    lines.append(f"| base | {' | '.join(cells)} | {leads} | |")
    for label, runs in found.items():
        if not runs:
            lines.append(f"| {label} | failed |" + " |" * (len(head) - 2))
            continue
        cells = [interval([run[name] for run in runs.values()]) for name in (*FIGURES, "kept")]
        both = [seed for seed in runs if seed in own and label != OWN]
        leads = interval([own[seed]["kept"] - runs[seed]["kept"] for seed in both])
        pace = sorted(run["pace"] for run in runs.values())[len(runs) // 2]
        lines.append(f"| {label} | {' | '.join(cells)} | {leads} | {pace:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        main()
    except (InputError, RunError) as error:
        sys.exit(f"error: {error}")
