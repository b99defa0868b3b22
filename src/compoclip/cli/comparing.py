"""`compoclip compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from compoclip.errors import InputError


def compare(
    data: Annotated[str, typer.Option(help="Table, webdataset tars, folder, or `world`.")],
    recipes: Annotated[str, typer.Option(help="Recipes, comma-separated (compoclip ls recipes).")],
    out: Annotated[Path, typer.Option(help="Folder of the negatives, the runs and report.html.")] = Path("compared"),
    image_root: Annotated[str | None, typer.Option(help="Folder or tar of the images.")] = None,
    image_key: Annotated[str | None, typer.Option(help="Column of image paths.")] = None,
    caption_key: Annotated[str | None, typer.Option(help="Column of captions.")] = None,
    split: Annotated[str | None, typer.Option(help="What is of this split only.")] = None,
    negatives: Annotated[str | None, typer.Option(help="Folder of `negatives build`; built where not given.")] = None,
    model: Annotated[str | None, typer.Option(help="open_clip architecture, directory, or tiny.")] = None,
    pretrained: Annotated[str | None, typer.Option(help="open_clip tag or weights file.")] = None,
    activation: Annotated[str | None, typer.Option(help="gelu or quickgelu, for a weights file.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of every run.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a step.")] = None,
    lr: Annotated[float | None, typer.Option(help="One learning rate for all; default: each recipe's own.")] = None,
    lora: Annotated[int | None, typer.Option(help="Rank of LoRA; 0 trains all weights.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, ...")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated; each recipe is trained with each.")] = "0",
    eval_tasks: Annotated[str | None, typer.Option(help="Benchmarks beside the held-out images.")] = None,
    eval_data_root: Annotated[str | None, typer.Option(help="Folder of the benchmarks' data.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any other setting, key=value.")] = None,
) -> None:
    """Train several recipes on your own data on equal terms, and report them side by side; resumable.

    Example: compoclip compare --data captions.tsv --image-root images --recipes clip,negclip,fsc-clip --out compared
    """
    from compoclip.cli.training import parse_settings
    from compoclip.comparing import compare as run
    from compoclip.comparing import plan
    from compoclip.progress import output
    from compoclip.report import gains_table

    given: dict[str, Any] = {
        "data": data, "image_root": image_root, "image_key": image_key, "caption_key": caption_key, "split": split,
        "negatives": negatives, "model": model, "pretrained": pretrained, "activation": activation, "steps": steps,
        "batch_size": batch_size, "lr": lr, "lora_rank": lora, "precision": precision, "device": device,
        "eval_tasks": eval_tasks.split(",") if eval_tasks else None, "eval_data_root": eval_data_root,
    }  # fmt: skip
    chosen = {key: value for key, value in given.items() if value is not None} | parse_settings(settings or [])
    results = run(plan(out, [name.strip() for name in recipes.split(",")], chosen, _numbers(seeds)))
    output().print(gains_table(results))
    print(out / "report.html")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--seeds {text}: whole numbers, comma-separated") from None
