"""What reproducing a row takes: data, negatives, steps, memory, downloads with their sizes and licences. No network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compoclip.config import TrainConfig, resolve
from compoclip.data.training_sets import training_sets
from compoclip.errors import InputError
from compoclip.losses import objective
from compoclip.recipes.reading import read_recipe
from compoclip.reproduce.downloads import MILLIONS, base, described, evaluation_entries, total, training_entries
from compoclip.reproduce.rows import PublishedRow

BYTES = 16  # a trained weight in fp32: itself, its gradient, two moments
SCALES = ("full", "tiny")
SOFTMAX = {"contrastive_form": "softmax", "phrase_form": "softmax"}
TINY_STEPS, TINY_SCENES, TINY_BATCH = 20, 256, 16


@dataclass(frozen=True)
class ReproductionPlan:
    """A row's stages: `configs` one a seed (none where the model is loaded), `set` the training set's name."""

    row: PublishedRow
    scale: str
    out: Path
    data_root: Path
    set: str | None
    configs: tuple[TrainConfig, ...]
    tasks: tuple[str, ...]
    limit: int | None = None


def make(
    row: PublishedRow, out: Path, data_root: Path, scale: str = "full", changes: dict[str, Any] | None = None
) -> ReproductionPlan:
    """The plan of a row; `changes` replace the recipe's settings. Raises InputError for a row that cannot be had."""
    if scale not in SCALES:
        raise InputError(f"--scale {scale}: choose {' or '.join(SCALES)}")
    if row.none:
        raise InputError(f"{row.id} ({row.label}) cannot be reproduced: {row.none}")
    tasks = row.tasks if scale == "full" else ("world",)
    if row.recipe is None:
        return ReproductionPlan(row, scale, out, data_root, None, (), tasks)
    recipe = read_recipe(row.recipe)
    name = str(recipe.get("data", "")).split(" ")[0]
    own: dict[str, Any] = {}
    if scale == "tiny":
        own = {
            "model": "tiny", "pretrained": None, "data": "world", "world_scenes": TINY_SCENES, "steps": TINY_STEPS,
            "batch_size": TINY_BATCH, "warmup": 2, "held_out": 0.0, "device": "cpu", "lr": 1e-3, "precision": "fp32",
            "captions": "first",
        }  # fmt: skip
    own |= changes or {}
    seeds = row.seeds or (int(recipe.get("train", {}).get("seed", 0)),)
    configs = []
    for seed in seeds:
        settings = {**own, "seed": own.get("seed", seed), "output_dir": str(out / f"run-{seed}")}
        config = resolve(row.recipe, settings)
        goal = objective(config.weights, **config.options)
        if scale == "tiny" and goal.uses_bias:  # the tiny towers have none
            config = resolve(row.recipe, {**settings, **SOFTMAX})
        units = "units" in goal.needs  # which no data set brings
        brings = scale == "full" and training_sets()[name].get("negatives", False) and not units
        if not brings and config.negatives is None and config.negatives_per_caption > 0 and config.negative_kinds:
            config = config.model_copy(update={"negatives": str(out / "negatives")})
        configs.append(config)
    return ReproductionPlan(row, scale, out, data_root, name if scale == "full" else None, tuple(configs), tasks)


def lines(plan: ReproductionPlan) -> list[str]:
    """The plan in words, one step a line."""
    row = plan.row
    out = [f"{row.id}: {row.label} ({row.table}), {row.how}"]
    out += [f"   note: {row.note}"] if row.note else []
    out += [f"   differs from the release: {row.differences}"] if row.differences else []
    number = 1
    if plan.set:
        known = training_sets()[plan.set]
        out.append(f"{number}. data: {known['title']} ({plan.set}), below {plan.data_root}")
        out += [f"   {described(entry)}" for entry in training_entries(plan.set)]
        number += 1
    if plan.configs:
        config = plan.configs[0]
        if config.negatives and config.negatives != "generate":
            kinds = ", ".join(config.negative_kinds)
            out.append(
                f"{number}. negatives: {config.negatives_per_caption} a caption of {kinds}, {config.epochs} epochs"
            )
            number += 1
        elif config.negatives_per_caption:
            out.append(f"{number}. negatives: {config.negatives_per_caption} a caption, those of the training set")
            number += 1
        samples = training_sets()[plan.set]["samples"] if plan.set else config.world_scenes
        steps = config.steps or max(1, samples * config.epochs // config.batch_size)
        recipe = read_recipe(str(row.recipe))
        runs = (
            f"{len(plan.configs)} runs (seeds {', '.join(str(c.seed) for c in plan.configs)}) of " if row.seeds else ""
        )
        out.append(
            f"{number}. train: {row.recipe}, {config.model_name}, {runs}{steps} steps of {config.batch_size} "
            f"({samples} samples), learning rate {config.lr:g}"
            + (f", LoRA {config.lora_rank}" if config.lora_rank else "")
        )
        out.append(f"   hardware there: {recipe.get('hardware', 'not stated')}; ranks {recipe.get('ranks', 1)}")
        millions = MILLIONS.get(config.model.partition(":")[0])
        if millions:
            gib = millions * 1e6 * (4 if config.lora_rank else BYTES) / 2**30
            out.append(f"   memory: {gib:.1f} GiB for weights, gradients and moments; activations come to it")
        start = base(config.model_name)
        out += [f"   base: {start}"] if start else []
        number += 1
    else:
        where = row.model or f"{plan.data_root / 'checkpoints' / str(row.place)} (put it there; see docs/models.md)"
        out.append(f"{number}. model: {where}{f', activation {row.activation}' if row.activation else ''}")
        number += 1
    out.append(f"{number}. evaluate: {', '.join(plan.tasks)}")
    if plan.scale == "full":
        sets = evaluation_entries(plan.tasks)
        out += [f"   {described(entry)}" for entry in sets]
        out.append(f"   downloads in all: {total([*training_entries(plan.set), *sets])}")
    figures = f"{len(row.figures)} published figures: {', '.join(row.figures)}" if row.figures else "nothing published"
    out.append(f"{number + 1}. compare with {figures}")
    return out
