"""`compoclip train`: flags to a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from compoclip.cli.fields import flags_of, options_of
from compoclip.cli.shared import tell, tell_part
from compoclip.config import TrainConfig
from compoclip.errors import InputError

# fields of TrainConfig with a flag of their own; --set reaches all others
FLAGS = {
    name: flag
    for name, flag in flags_of(TrainConfig).items()
    if name in (
        "data", "model", "pretrained", "activation", "output_dir", "negatives", "image_root", "image_key",
        "caption_key", "split", "held_out", "workers", "lock_image", "lock_text", "lora_rank", "batch_size",
        "micro_batch", "epochs", "steps", "lr", "warmup", "precision", "device", "seed", "checkpoint_every",
        "eval_tasks", "eval_data_root", "track",
    )
} | {"lora_rank": "--lora"}  # fmt: skip


@options_of(TrainConfig, FLAGS, words=("batch_size", "micro_batch"), usual="{}, or the recipe's")
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (compoclip ls recipes), or a YAML file.")] = "",
    data_root: Annotated[Path | None, typer.Option(help="Folder of named sets, for --data coco and the like.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from --output-dir's newest checkpoint.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting, key=value; `compoclip ls settings` has all.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the settings as they are resolved, and do nothing.")
    ] = False,
    **fields: Any,
) -> None:
    """Fine-tune a model by a recipe; `torchrun --nproc-per-node N -m compoclip train ...` on N GPUs.

    Example: compoclip train fsc-clip --data captions.tsv --negatives negatives --output-dir runs/fsc
    """
    from compoclip.config import resolve
    from compoclip.distributed import joined, together
    from compoclip.report.ending import after_training
    from compoclip.training import train as run
    from compoclip.training.resume import resumed_config

    output_dir = Path(fields["output_dir"]) if fields["output_dir"] else None
    if resume and output_dir is None:
        raise InputError("--resume needs the --output-dir of the run to go on with")
    if not recipe and not resume:
        raise InputError("name a recipe; `compoclip ls recipes` lists them")
    given = fields | _sizes(fields["batch_size"], fields["micro_batch"])
    given |= {name: fields[name].split(",") if fields[name] else None for name in ("eval_tasks", "track")}
    given |= _named(recipe, given, data_root)
    overrides = {key: value for key, value in given.items() if value is not None} | parse_settings(settings or [])
    if dry_run:
        config = resumed_config(output_dir, recipe, overrides) if resume and output_dir else resolve(recipe, overrides)
        tell(config.model_dump(mode="json"))
        return
    with joined() as ranks:
        if resume and output_dir is not None:
            done = run(together(ranks, lambda: resumed_config(output_dir, recipe, overrides)), resume=True, ranks=ranks)
        else:
            done = run(together(ranks, lambda: resolve(recipe, overrides)), ranks=ranks, given=set(overrides))
        if not ranks.rank:
            for part in after_training(done):
                tell_part(part)


def _sizes(batch: str | None, micro: str | None) -> dict[str, Any]:
    """Both may be `auto`, which the configuration spells in another way."""
    auto = {"batch_size": None, "fit_batch": True} if batch == "auto" else {}
    return auto | ({"micro_batch": 0} if micro == "auto" else {})


def parse_settings(pairs: list[str]) -> dict[str, Any]:
    """`key=value` with the value as YAML spells it."""
    import yaml

    from compoclip.io import parse_yaml

    out = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set {pair}: write key=value")
        try:
            out[key.strip()] = parse_yaml(value)
        except yaml.YAMLError:
            raise InputError(f"--set {pair}: the value is not valid YAML") from None
    return out


def _named(recipe: str, given: dict[str, Any], root: Path | None) -> dict[str, str]:
    """Where a named training set lies; the recipe's own where --data-root is given and --data is not."""
    from compoclip.data.training_sets import is_training_set, locate
    from compoclip.recipes.reading import read_recipe

    name = given["data"]
    if name is None and root is not None:
        name = str(read_recipe(recipe).get("data", "")).split(" ")[0]
    if name is None or not is_training_set(name) or Path(name).exists():
        return {}
    if root is None:
        raise InputError(f"--data {name} is a named set: add --data-root with the folder it lies in")
    found = locate(name, root)
    return {key: value for key, value in found.items() if key == "data" or given.get(key) is None}
