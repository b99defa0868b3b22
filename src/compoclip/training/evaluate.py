"""Evaluation of a run, before its first step and after its last."""

from __future__ import annotations

from pathlib import Path

from compoclip.config import TrainConfig
from compoclip.distributed import ALONE, Ranks
from compoclip.evaluation import evaluate
from compoclip.evaluation.results import write_results
from compoclip.models import Model
from compoclip.training.dataset import TrainData


def evaluate_run(
    model: Model, config: TrainConfig, data: TrainData, path: Path, label: str, ranks: Ranks = ALONE
) -> None:
    """Measure `model` on the run's tasks and its held-out images, the ranks together; writes results.json at `path`."""
    extra = [data.heldout] if data.heldout is not None else []
    if not config.eval_tasks and not extra:
        return
    results = evaluate(
        model,
        config.eval_tasks,
        data_root=config.eval_data_root,
        limit=config.eval_limit,
        log_samples=bool(extra),
        extra=extra,
        label=label,
        ranks=ranks,
    )
    if results:
        if extra:  # rows of the run's own photos, for the report's examples; a benchmark's are asked for with eval
            results["samples"] = [row for row in results["samples"] if row["task"] == "heldout" and "scores" in row]
        write_results(results, path)
