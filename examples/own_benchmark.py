"""A benchmark of your own: a table of images with a true and a false caption, measured under the common protocol.

    python examples/own_benchmark.py out

docs/adding-a-benchmark.md tells the rest: other forms of rows, several files, a place among the registered tasks.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from compoclip.data import world
from compoclip.evaluation import evaluate
from compoclip.evaluation.benchmark import means
from compoclip.evaluation.questions import Layout, columns, loader
from compoclip.evaluation.scoring import CHOICE
from compoclip.evaluation.task import Task
from compoclip.report import gains_table

TASK = Task(
    name="colours",
    title="Whose colour is which",
    rule="strict: a tie is wrong",
    chance="50",
    citation="this file",
    own=True,
    source="drawn here",
    licence="as this file",
    size="40 rows",
    needs="DIR/colours/colours.tsv and images/",
    load=loader(
        Layout(
            "colours",
            CHOICE,  # the first caption must score above the others
            ("colours",),
            {"colours.tsv": "colours"},
            {"": ("colours/images",)},
            columns(["image"], ["caption", "false_caption"]),
        )
    ),
    averages=means({"mean of subsets": None}),
)


def draw(root: Path, count: int = 40) -> None:
    """The files of the benchmark, as you would have them."""
    (root / "colours/images").mkdir(parents=True, exist_ok=True)
    with (root / "colours/colours.tsv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["image", "caption", "false_caption"])
        for number, pair in enumerate(world.composition_tests(0, count)["swap-attribute"]):
            Image.fromarray(pair.image).save(root / f"colours/images/{number:03d}.png")
            table.writerow([f"{number:03d}.png", pair.caption, pair.negative])


def main(out: Path) -> dict[str, Any]:
    draw(out)
    results = evaluate("tiny", [], out, extra=[TASK], label="tiny", output_path=out / "results.json")
    from rich import print as show

    show(gains_table([results]))
    subset = results["tasks"]["colours"]["subsets"]["colours"]
    print(f"text alone: {subset['controls']}")
    return results


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "own-benchmark"))
