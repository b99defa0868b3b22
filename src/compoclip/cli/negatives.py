"""`compoclip negatives`: captions in, hard negatives out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compoclip.cli.shared import Debug, group, tell

app = group("Hard negative captions: build, inspect.")


@app.command("build")
def negatives_build(
    inputs: Annotated[list[Path], typer.Argument(help="Captions: TSV, CSV, JSONL, Parquet or one a line.")],
    out: Annotated[Path, typer.Option(help="Folder for Parquet shards and manifest.json.")],
    kinds: Annotated[str, typer.Option(help="Kinds or bundles, comma-separated (compoclip ls negatives).")] = "degla",
    per_caption: Annotated[int, typer.Option(help="Negatives a caption, at most.")] = 4,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    epoch: Annotated[int, typer.Option(help="Another epoch gives other negatives.")] = 0,
    caption_key: Annotated[str | None, typer.Option(help="Column of captions.")] = None,
    split: Annotated[str | None, typer.Option(help="Rows of this split only.")] = None,
    parser: Annotated[str | None, typer.Option(help="spaCy model, by name or path.")] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Keep a subset that a text-only model cannot tell from true captions.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a build that was stopped.")] = False,
    debug: Debug = False,
) -> None:
    """Captions in, hard negatives out.

    Example: compoclip negatives build captions.tsv --out negatives --kinds fsc-clip --per-caption 4
    """
    from compoclip.negatives.build import build

    manifest = build(
        list(inputs),
        out,
        kinds,
        per_caption,
        workers,
        seed,
        resume,
        epoch,
        caption_key,
        split,
        parser=parser,
        balance=balance,
    )
    tell({key: value for key, value in manifest.items() if key not in ("versions",)})


@app.command("inspect")
def negatives_inspect(
    folder: Annotated[Path, typer.Argument(help="Folder of `negatives build`.")],
    debug: Debug = False,
) -> None:
    """Counts by kind, coverage, quality, how far a text-only model tells them apart, and samples.

    Example: compoclip negatives inspect negatives
    """
    from compoclip.negatives.inspect import inspect, render
    from compoclip.progress import output

    output().print(render(inspect(folder)))
