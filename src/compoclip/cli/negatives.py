"""`compoclip negatives`: captions in, hard negatives out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compoclip.cli.shared import Debug, group, tell

app = group("Hard negative captions: build, inspect, convert.")


@app.command("build")
def negatives_build(
    inputs: Annotated[list[Path], typer.Argument(help="Captions: TSV, CSV, JSON, Parquet, webdataset tars, lines.")],
    out: Annotated[Path, typer.Option(help="Folder for Parquet shards and manifest.json.")],
    kinds: Annotated[str, typer.Option(help="Kinds or bundles, comma-separated (compoclip ls negatives).")] = "degla",
    per_caption: Annotated[int, typer.Option(help="Negatives a caption, at most.")] = 4,
    workers: Annotated[int, typer.Option(help="Processes.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    epoch: Annotated[int, typer.Option(help="Another epoch gives other negatives.")] = 0,
    epochs: Annotated[
        int | None, typer.Option(help="As many builds, in OUT/epoch-0, ...; training takes turns.")
    ] = None,
    caption_key: Annotated[str | None, typer.Option(help="Column of captions.")] = None,
    split: Annotated[str | None, typer.Option(help="Rows of this split only.")] = None,
    parser: Annotated[str | None, typer.Option(help="spaCy model, by name or path.")] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Keep a subset that a text-only model cannot tell from true captions.")
    ] = False,
    into_tars: Annotated[
        Path | None, typer.Option(help="Folder for copies of the input tars with KEY.negatives.json members.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local (processes) or ray (a Ray cluster).")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster; default: RAY_ADDRESS, else one started for the build.")
    ] = None,
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
        epochs=epochs,
        engine=engine,
        ray_address=ray_address,
        into_tars=into_tars,
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


@app.command("convert")
def negatives_convert(
    source: Annotated[Path, typer.Argument(help="Folder of `negatives build`, or a file in one of the forms.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
    to: Annotated[str, typer.Option(help="parquet, negclip, degla, ce-clip or sugarcrepe.")],
    form: Annotated[str | None, typer.Option("--from", help="Form of the input; default: recognised.")] = None,
    debug: Debug = False,
) -> None:
    """Negatives from one form to another.

    Example: compoclip negatives convert negatives --to negclip --out train_neg_clip.tsv
    """
    from compoclip.negatives.formats import convert

    tell(convert(source, out, to, form))
