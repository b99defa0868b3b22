"""`compare`: several recipes on one's own data, on equal terms, and one report of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compoclip.config import TrainConfig, resolve
from compoclip.errors import InputError
from compoclip.losses import objective
from compoclip.progress import say
from compoclip.report import load_results, write_report
from compoclip.stages import announce, build_negatives, claim, trained
from compoclip.training.fitting import fitted_to_data, training_samples
from compoclip.training.heldout_run import open_whole

NOTE = "compare.json"
EQUAL = ("model", "pretrained", "activation", "steps", "batch_size", "held_out", "warmup")  # the same in every run
DEFAULT_KINDS = ("fsc-clip",)  # what held-out captions are set against where no recipe names a kind


@dataclass(frozen=True)
class Comparison:
    """What is trained: one configuration a recipe and seed, and the settings that none of them may fit anew."""

    out: Path
    configs: tuple[TrainConfig, ...]
    given: frozenset[str]


def plan(out: Path, recipes: Sequence[str], settings: Mapping[str, Any], seeds: Sequence[int] = (0,)) -> Comparison:
    """Settle what is equal in all runs, by the first recipe on this data, and say it.

    settings: as `resolve` takes them, for every recipe alike; what they leave open (steps, batch, held-out images,
    warm-up, base model) is the first recipe's, fitted to the data. A recipe keeps its own objective, learning rate and
    what else it says. Raises InputError for no recipe, one named twice, and settings that do not fit.
    """
    if not recipes or len(set(recipes)) < len(recipes):
        raise InputError(f"--recipes {','.join(recipes)}: name recipes, each once (compoclip ls recipes)")
    if not seeds or len(set(seeds)) < len(seeds):
        raise InputError("name seeds, each once, such as --seeds 0,1,2")
    if settings.get("data") == "world" and len(seeds) > 1:
        raise InputError("--data world draws its scenes by the seed: compare on it with one seed")
    settings = {**settings, "seed": seeds[0]}
    for recipe in recipes:
        resolve(recipe, settings)  # before anything is read
    first = resolve(recipes[0], settings)
    whole = open_whole(first)
    if whole is None:
        raise InputError(f"{first.data}: a stream holds nothing out; compare recipes on a table, a folder or tars")
    fitted = fitted_to_data(first, set(settings), whole)
    if fitted.fit_batch:
        raise InputError("compare needs one batch for all recipes: give --batch-size N")
    if fitted.steps is None:
        each = training_samples(fitted, whole) // fitted.batch_size
        fitted = fitted.model_copy(update={"steps": max(1, fitted.epochs * each)})
    equal = {name: getattr(fitted, name) for name in EQUAL}
    say(
        f"equal in every run: base {fitted.model_name}, {fitted.steps} steps of {fitted.batch_size}, warm-up "
        f"{fitted.warmup}, held_out {fitted.held_out:g}, seed {', '.join(map(str, seeds))}"
    )
    configs = []
    for recipe in recipes:
        for seed in seeds:
            own = resolve(
                recipe,
                {**settings, **equal, "seed": seed, "output_dir": str(out / "runs" / _name(recipe, seed, seeds))},
            )
            configs.append(own)
        say(f"{own.recipe}'s own: {', '.join(own.weights)}; learning rate {own.lr:g}; captions {own.captions}")
    return Comparison(out, tuple(configs), frozenset({*settings, *EQUAL, "seed"}))


def _name(recipe: str, seed: int, seeds: Sequence[int]) -> str:
    return Path(recipe).stem + (f"-seed-{seed}" if len(seeds) > 1 else "")


def compare(plan: Comparison) -> list[dict[str, Any]]:
    """Build negatives where none are given, train and measure every run, write `report.html`; returns all results.

    A comparison that was stopped goes on where it was. Raises InputError where the folder contains another one, and
    whatever a stage raises.
    """
    configs = plan.configs
    names = list(dict.fromkeys(config.recipe for config in configs))
    claim(
        plan.out,
        NOTE,
        {"recipes": ", ".join(names), "settings": [config.model_dump(mode="json") for config in configs]},
        "a comparison of {recipes} with other settings",
    )
    first = configs[0]
    if first.negatives is None:
        folder = plan.out / "negatives"
        kinds = list(dict.fromkeys(kind for config in configs for kind in config.negative_kinds)) or list(DEFAULT_KINDS)
        most = max(len(kinds), *(config.negatives_per_caption for config in configs))
        units = any("units" in objective(c.weights, **c.options).needs for c in configs)
        build_negatives(first, folder, kinds, most, units=units)
        configs = tuple(config.model_copy(update={"negatives": str(folder)}) for config in configs)
    runs = [_finished(config) or trained(config, plan.given) for config in configs]
    if not (runs[0] / "results.json").is_file():
        raise InputError("nothing was measured: hold images out (held_out) or name --eval-tasks")
    results = load_results([runs[0] / "results-base.json", *(run / "results.json" for run in runs)])
    for one, config in zip(results[1:], configs):
        one["label"] = config.recipe  # seeds of one recipe are one method
    announce("report")
    write_report(results, plan.out, title="Recipes compared on your own data", notes=_notes(configs))
    return results


def _finished(config: TrainConfig) -> Path | None:
    run = Path(config.output_dir)
    return run if (run / "results.json").is_file() else None


def _notes(configs: Sequence[TrainConfig]) -> list[str]:
    first = configs[0]
    rates = {c.recipe: c.lr for c in configs}
    own = f"Learning rates are each recipe's own ({'; '.join(f'{name}: {lr:g}' for name, lr in rates.items())})."
    alike = f"The learning rate is {first.lr:g} for all."
    seeds = sorted({c.seed for c in configs})
    return [
        f"Every recipe: {first.model_name}, {first.steps} steps of {first.batch_size} samples of {first.data}, the "
        f"same held-out images, seed {', '.join(map(str, seeds))}. {alike if len({*rates.values()}) == 1 else own}",
        "One seed: differences of a point or two are within what another seed would give."
        if len(seeds) == 1
        else "Figures are means over seeds; the spread is their standard deviation.",
    ]
