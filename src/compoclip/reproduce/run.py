"""`reproduce`: the stages of a plan one after the other, each skipped where its product is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compoclip.config import TrainConfig
from compoclip.errors import InputError
from compoclip.io import write_json
from compoclip.losses import objective
from compoclip.models import load
from compoclip.reproduce.plan import ReproductionPlan
from compoclip.reproduce.verdict import Verdict, compare
from compoclip.stages import announce, build_negatives, claim, trained

NOTE = "reproduce.json"


def reproduce(plan: ReproductionPlan) -> list[Verdict]:
    """Set up data, build negatives, train, evaluate, compare; writes `reproduce.json` and `verdict.json` in `plan.out`.

    A run that was stopped goes on with the stage it was in. Raises InputError where `plan.out` has another row, and
    whatever a stage raises.

    Example: reproduce(make(find("fsc-clip-1/negclip"), Path("reproduced"), Path("DATA")))
    """
    mine: dict[str, Any] = {"row": plan.row.id, "scale": plan.scale, "tasks": list(plan.tasks), "limit": plan.limit}
    mine["settings"] = [config.model_dump(mode="json") for config in plan.configs]
    claim(plan.out, NOTE, mine, "{row} or the same row otherwise")
    settings = _data(plan)
    results = []
    if plan.configs:
        for config in plan.configs:
            config = config.model_copy(update=settings)
            _negatives(plan, config)
            results.append(_evaluate(plan, str(trained(config)), Path(config.output_dir) / "reproduced.json"))
    else:
        results.append(_evaluate(plan, str(_checkpoint(plan)), plan.out / "results.json"))
    verdicts = compare(plan.row, results, plan.scale)
    write_json(plan.out / "verdict.json", {"row": plan.row.id, "verdicts": [v.as_dict() for v in verdicts]})
    return verdicts


def _data(plan: ReproductionPlan) -> dict[str, Any]:
    """Where the training set lies; fetched first where it is not there."""
    if plan.set is None:
        return {}
    from compoclip.data.getting import get_training_set
    from compoclip.data.training_sets import locate

    try:
        return locate(plan.set, plan.data_root)
    except InputError:
        announce(f"data: {plan.set}")
        get_training_set(plan.set, plan.data_root)
        return locate(plan.set, plan.data_root)


def _negatives(plan: ReproductionPlan, config: TrainConfig) -> None:
    """Build the negatives of the recipe, for as many epochs as it trains."""
    if not config.negatives or config.negatives == "generate":
        return
    units = "units" in objective(config.weights, **config.options).needs
    epochs = 1 if plan.scale == "tiny" else config.epochs
    build_negatives(config, Path(config.negatives), config.negative_kinds, config.negatives_per_caption, epochs, units)


def _checkpoint(plan: ReproductionPlan) -> Path | str:
    """The row's model as an open_clip folder; `tiny` itself, through the same door, at tiny scale."""
    from compoclip.export import convert

    row, folder = plan.row, plan.out / "model"
    if folder.is_dir():
        return folder
    if plan.scale == "tiny":
        import torch

        kept = plan.out / "twin.pt"
        torch.save({"state_dict": {f"module.{k}": v for k, v in load("tiny").clip.state_dict().items()}}, kept)
        convert(str(kept), "open_clip", folder, base="tiny")
        return folder
    if row.model and ":" in row.model and not row.model.startswith("hf:"):
        return row.model
    source = row.model or str(plan.data_root / "checkpoints" / str(row.place))
    if row.place and not Path(source).is_file():
        raise InputError(f"{row.id}: put its checkpoint at {source}; docs/models.md says where it is published")
    convert(source, "open_clip", folder, activation=row.activation)
    return folder


def _evaluate(plan: ReproductionPlan, model: str, path: Path) -> dict[str, Any]:
    from compoclip.evaluation import evaluate, read_results

    if path.exists():
        return read_results(path)
    announce(f"evaluate: {', '.join(plan.tasks)}")
    return evaluate(
        load(model, device="auto"),
        list(plan.tasks),
        plan.data_root,
        plan.limit,
        output_path=path,
        label=plan.row.id,
        controls=False,
    )
