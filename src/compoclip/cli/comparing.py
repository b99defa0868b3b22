"""`compoclip compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from compoclip.cli.fields import flags_of, options_of
from compoclip.config import TrainConfig
from compoclip.errors import InputError

FLAGS = {
    name: flag
    for name, flag in flags_of(TrainConfig).items()
    if name in (
        "image_root", "image_key", "caption_key", "split", "model", "pretrained", "activation", "steps",
        "lr", "lora_rank", "precision", "device", "eval_tasks", "eval_data_root",
    )
} | {"lora_rank": "--lora"}  # fmt: skip


@options_of(TrainConfig, FLAGS, usual="{}, or each recipe's")
def compare(
    data: Annotated[str, typer.Option(help="Table, webdataset tars, folder, or `world`.")],
    recipes: Annotated[str, typer.Option(help="Recipes, comma-separated (compoclip ls recipes).")],
    out: Annotated[Path, typer.Option(help="Folder of the negatives, the runs and report.html.")] = Path("compared"),
    negatives: Annotated[str | None, typer.Option(help="Folder of `negatives build`; built where not given.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a step.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated; each recipe is trained with each.")] = "0",
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any other setting, key=value.")] = None,
    **fields: Any,
) -> None:
    """Train several recipes on your own data on equal terms, and report them side by side; resumable.

    Example: compoclip compare --data captions.tsv --image-root images --recipes clip,negclip,fsc-clip --out compared
    """
    from compoclip.cli.training import parse_settings
    from compoclip.comparing import compare as run
    from compoclip.comparing import plan
    from compoclip.progress import output, show
    from compoclip.report import gains_table

    given = {"data": data, "negatives": negatives, "batch_size": batch_size} | fields
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if "eval_tasks" in chosen:
        chosen["eval_tasks"] = chosen["eval_tasks"].split(",")
    chosen |= parse_settings(settings or [])
    results = run(plan(out, [name.strip() for name in recipes.split(",")], chosen, _numbers(seeds)))
    output().print(gains_table(results))
    show(output(), f"The report, with images: {out / 'report.html'}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--seeds {text}: whole numbers, comma-separated") from None
