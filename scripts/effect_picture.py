"""Draw docs/effect.png, the picture of the README: two rows that fine-tuning turned, and figures before and after.

    python benchmarks/comparison.py --plan long --only compoclip --seeds 0 --out runs/long
    python scripts/effect_picture.py runs/long/seed-0/runs/compoclip docs/effect.png

Takes a run of the comparison or the demo, or any run of `train --data world --eval-tasks world`. Its rows are the first
of each kind that the base gets wrong and the run gets right, so look at the figures beside them, not at the rows alone.
"""

from __future__ import annotations

import argparse
import io
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import compoclip
from compoclip.data import world
from compoclip.evaluation import read_results
from compoclip.evaluation.tasks.world import TEST_SEED
from compoclip.io import write_bytes

KINDS = {"swap-attribute": "which thing has\nwhich colour", "swap-object": "which thing is\non which side"}
SHORT = 4  # points: the marks of a smaller change lie upon one another, with no room for an arrow
ROWS = 400  # rows of a kind among which one that turned is looked for
BASE, TUNED, GOOD, BAD, SOFT = "#7a808a", "#0072b2", "#00694a", "#a8380a", "#5b6470"
Figures = dict[str, tuple[float, float, float]]  # title -> chance, base, tuned in percent


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("run", type=Path, help="run directory")
    options.add_argument("out", type=Path, help="picture to write (.png or .svg)")
    chosen = options.parse_args()
    shared = [folder / "base" / "results.json" for folder in chosen.run.resolve().parents[1:3]]
    base = next(filter(Path.is_file, [chosen.run / "results-base.json", *shared]), shared[0])
    found, values = turned(chosen.run), figures(read_results(base), read_results(chosen.run))
    picture = draw(found, values, chosen.out.suffix[1:])
    write_bytes(chosen.out, picture)
    print(f"{chosen.out}: {len(found)} rows, {len(picture) // 1024} KB")


def figures(base: dict[str, Any], tuned: dict[str, Any]) -> Figures:
    def accuracy(results: dict[str, Any], kind: str, key: str = "accuracy") -> float:
        return float(results["tasks"]["world"]["subsets"][kind][key])

    found = {
        title: (accuracy(base, kind, "chance"), accuracy(base, kind), accuracy(tuned, kind))
        for kind, title in KINDS.items()
    }
    names = [name for name in base["tasks"]["world"]["subsets"] if name.startswith("zeroshot/")]
    chance = float(np.mean([accuracy(base, name, "chance") for name in names]))
    found["naming things\n(zero-shot)"] = (chance, base["summary"]["zeroshot"], tuned["summary"]["zeroshot"])
    return found


def turned(run: Path) -> list[tuple[world.PairRow, list[float]]]:
    """The first row of each kind that the base gets wrong and the run right, with both margins of the true caption."""
    models = [compoclip.load("tiny"), compoclip.load(str(run))]
    out = []
    for kind in KINDS:
        pairs = world.composition_tests(TEST_SEED, ROWS)[kind]
        margins = np.stack([margins_of(model, pairs) for model in models])
        rows = np.flatnonzero((margins[0] <= 0) & (margins[1] > 0))
        if len(rows):
            out.append((pairs[rows[0]], margins[:, rows[0]].tolist()))
    return out


def margins_of(model: compoclip.Model, pairs: list[world.PairRow]) -> np.ndarray:
    images = model.encode_image([Image.fromarray(pair.image) for pair in pairs])
    true, false = (model.encode_text([getattr(pair, name) for pair in pairs]) for name in ("caption", "negative"))
    return ((images * true).sum(1) - (images * false).sum(1)).numpy()


def draw(found: list[tuple[world.PairRow, list[float]]], values: Figures, kind: str) -> bytes:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(10, 3.3), layout="constrained")
    parts = figure.subfigures(1, 1 + len(found), width_ratios=[1.0] * len(found) + [1.55])
    parts = np.atleast_1d(parts)
    for part, (pair, margins) in zip(parts, found):
        axis = part.subplots()
        axis.imshow(pair.image, extent=(0.21, 0.79, 0.42, 1.0))
        axis.set(xlim=(0, 1), ylim=(0, 1.0), aspect="equal")
        axis.axis("off")
        lines = [("true", pair.caption, GOOD), ("false", pair.negative, BAD)]
        for place, (name, caption, colour) in enumerate(lines):
            text = "\n".join(textwrap.wrap(f"{name}: {caption}", 36))
            axis.text(0.5, 0.37 - 0.155 * place, text, ha="center", va="top", fontsize=8.2, color=colour)
        for place, (name, margin) in enumerate(zip(("before", "after"), margins)):
            says = "✓ true" if margin > 0 else "✗ false"
            axis.text(
                *(0.5, 0.075 - 0.075 * place, f"{name}: {says} ({margin:+.3f})"),
                ha="center", va="top", fontsize=8.2, color=GOOD if margin > 0 else BAD, fontweight="bold",
            )  # fmt: skip
    axis = parts[-1].subplots()
    for place, (chance, before, after) in enumerate(values.values()):
        axis.plot([chance] * 2, [place - 0.28, place + 0.28], color=SOFT, lw=1.2, ls=":")
        if abs(after - before) > SHORT:
            style = {"arrowstyle": "->", "color": TUNED, "lw": 2.2}
            axis.annotate("", (after, place), (before, place), arrowprops=style)
        axis.plot(before, place, "o", color=BASE, ms=9)
        axis.plot(after, place, "D", color=TUNED, ms=9)
        left, right = sorted(((before, BASE), (after, TUNED)))
        for (value, colour), side in ((left, -1), (right, 1)):
            axis.text(value + 3.4 * side, place, f"{value:.0f}", ha="right" if side < 0 else "left", va="center",
                      fontsize=9.5, color=colour, fontweight="bold")  # fmt: skip
    axis.set_yticks(range(len(values)), list(values), fontsize=9)
    axis.set(xlim=(0, 108), ylim=(len(values) - 0.5, -0.5))
    axis.set_xlabel("% right: ● before, ◆ after; dotted: guessing", fontsize=9, color=SOFT)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    pyplot.close(figure)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
