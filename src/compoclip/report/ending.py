"""What `train` ends with: what was gained and lost, and what to do next."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from compoclip.progress import command
from compoclip.report.gains import gains_table
from compoclip.report.pool import load_results


def after_training(run: Path) -> list[str | Table]:
    """The table of the run's figures before and after, where the model lies, and the next command."""
    base, tuned = run / "results-base.json", run / "results.json"
    out: list[str | Table] = []
    if base.is_file() and tuned.is_file():
        out.append(gains_table(load_results([base, tuned])))
        next_step = command("compoclip", "report", str(run), "--out", str(run / "report"))
    else:
        out.append("Nothing was held out and no task was named, so nothing was measured.")
        next_step = command("compoclip", "eval", str(run), "--tasks", "sugarcrepe,zeroshot", "--data-root", "DIR")
    return [*out, f"The model: {run / 'export'} (open_clip loads it as local-dir:...)", next_step]
