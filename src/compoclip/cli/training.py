"""`compoclip train`: flags to a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from compoclip.cli.shared import Debug
from compoclip.errors import InputError


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe (compoclip ls recipes), or a YAML file.")] = "",
    data: Annotated[str | None, typer.Option(help="Table, webdataset tars, folder, or `world`.")] = None,
    model: Annotated[str | None, typer.Option(help="open_clip architecture, directory, or tiny.")] = None,
    pretrained: Annotated[str | None, typer.Option(help="open_clip tag or weights file.")] = None,
    activation: Annotated[str | None, typer.Option(help="gelu or quickgelu, for a weights file.")] = None,
    output_dir: Annotated[Path | None, typer.Option(help="Run directory.")] = None,
    negatives: Annotated[str | None, typer.Option(help="Folder of `negatives build`, or `generate`.")] = None,
    image_root: Annotated[str | None, typer.Option(help="Folder or tar of the images.")] = None,
    image_key: Annotated[str | None, typer.Option(help="Column of image paths.")] = None,
    caption_key: Annotated[str | None, typer.Option(help="Column of captions.")] = None,
    split: Annotated[str | None, typer.Option(help="What is of this split only.")] = None,
    lock_image: Annotated[bool, typer.Option("--lock-image", help="Freeze the image tower, cache features.")] = False,
    lock_text: Annotated[bool, typer.Option("--lock-text", help="Freeze the text tower, cache features.")] = False,
    lora: Annotated[int | None, typer.Option(help="Rank of LoRA; 0 trains all weights.")] = None,
    batch_size: Annotated[str | None, typer.Option(help="Samples a step of each process, or auto.")] = None,
    micro_batch: Annotated[str | None, typer.Option(help="Samples in memory at once, or auto; same gradient.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    steps: Annotated[int | None, typer.Option(help="Stop after this many steps.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, ...")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    eval_tasks: Annotated[str | None, typer.Option(help="Tasks at step 0 and at the end, comma-separated.")] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of named sets, for --data coco and the like.")] = None,
    eval_data_root: Annotated[str | None, typer.Option(help="Folder of the tasks' data.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from --output-dir's newest checkpoint.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any other setting, key=value.")] = None,
    debug: Debug = False,
) -> None:
    """Fine-tune a model by a recipe; `torchrun --nproc-per-node N -m compoclip train ...` on N GPUs.

    Example: compoclip train fsc-clip --data captions.tsv --negatives negatives --output-dir runs/fsc
    """
    from compoclip.config import resolve
    from compoclip.distributed import joined, together
    from compoclip.progress import output
    from compoclip.report.ending import after_training
    from compoclip.training import train as run
    from compoclip.training.resume import resumed_config

    if resume and output_dir is None:
        raise InputError("--resume needs the --output-dir of the run to go on with")
    if not recipe and not resume:
        raise InputError("name a recipe; `compoclip ls recipes` lists them")
    given: dict[str, Any] = {
        "data": data, "model": model, "pretrained": pretrained, "activation": activation, "negatives": negatives,
        "output_dir": str(output_dir) if output_dir else None, "image_root": image_root, "image_key": image_key,
        "caption_key": caption_key, "split": split, "lock_image": lock_image or None, "lock_text": lock_text or None,
        "lora_rank": lora, "batch_size": None if batch_size == "auto" else batch_size,
        "fit_batch": batch_size == "auto" or None, "micro_batch": 0 if micro_batch == "auto" else micro_batch,
        "epochs": epochs, "steps": steps,
        "lr": lr, "precision": precision, "device": device, "seed": seed, "eval_data_root": eval_data_root,
        "eval_tasks": eval_tasks.split(",") if eval_tasks else None,
    }  # fmt: skip
    given |= _named(recipe, given, data_root)
    overrides = {key: value for key, value in given.items() if value is not None} | parse_settings(settings or [])
    with joined() as ranks:
        if resume and output_dir is not None:
            done = run(together(ranks, lambda: resumed_config(output_dir, recipe, overrides)), resume=True, ranks=ranks)
        else:
            done = run(together(ranks, lambda: resolve(recipe, overrides)), ranks=ranks, given=set(overrides))
        if not ranks.rank:
            for part in after_training(done):
                output().print(part, soft_wrap=isinstance(part, str))


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
