"""Evaluation of a run, before its first step and after its last."""

from __future__ import annotations

from pathlib import Path

from compoclip.config import TrainConfig
from compoclip.distributed import ALONE, Ranks
from compoclip.evaluation import evaluate
from compoclip.models import Model
from compoclip.training.dataset import TrainData


def evaluate_run(
    model: Model, config: TrainConfig, data: TrainData, path: Path, label: str, ranks: Ranks = ALONE
) -> None:
    """Measure `model` on the run's tasks and its held-out images, the ranks together; writes results.json at `path`."""
    extra = [data.heldout] if data.heldout is not None else []
    if not config.eval_tasks and not extra:
        return
    evaluate(
        model,
        config.eval_tasks,
        data_root=config.eval_data_root,
        limit=config.eval_limit,
        extra=extra,
        label=label,
        output_path=path,
        ranks=ranks,
    )
