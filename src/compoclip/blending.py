"""The `blend` command: one blended model as a folder, or the whole curve between two models as results."""

from __future__ import annotations

from pathlib import Path

from compoclip.evaluation import evaluate
from compoclip.io import write_json
from compoclip.models import Model, load, save
from compoclip.models.blend import blend
from compoclip.progress import track

SWEEP = tuple(i / 10 for i in range(11))


def blend_to(base: str, tuned: str, alpha: float, out: Path) -> Path:
    """Write (1 - alpha) base + alpha tuned as an open_clip folder."""
    return save(blend(load(base), load(tuned), alpha), out)


def sweep(base: Model, tuned: Model, tasks: str, data_root: Path | None, alphas=SWEEP, limit=None) -> list[dict]:
    """`{"alpha", "summary"}` of every blend, alpha 0 being the base."""
    rows = []
    for alpha in track(alphas, "blending"):
        results = evaluate(blend(base, tuned, alpha), tasks, data_root, limit, controls=False)
        rows.append({"alpha": alpha, "summary": results["summary"]})
    return rows


def sweep_to(base: str, tuned: str, tasks: str, data_root: Path | None, out: Path) -> Path:
    """Measure eleven blends; writes `sweep.json`."""
    path = out / "sweep.json"
    write_json(path, sweep(load(base), load(tuned), tasks, data_root))
    return path
