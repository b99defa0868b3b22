"""`compoclip negatives`: captions in, hard negatives out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compoclip.cli import llm_flags as llm
from compoclip.cli.shared import group, tell
from compoclip.errors import InputError

app = group("Hard negative captions: build, inspect, convert; examples for a language model.")


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
    image_key: Annotated[str | None, typer.Option(help="Column of images, by which captions of one are known.")] = None,
    split: Annotated[str | None, typer.Option(help="Rows of this split only.")] = None,
    vocabulary: Annotated[
        str, typer.Option(help="Words for replacements: captions (their own), everyday, or auto (own from 300 on).")
    ] = "auto",
    parser: Annotated[str | None, typer.Option(help="spaCy model, by name or path.")] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Keep a subset that a text-only model cannot tell from true captions.")
    ] = False,
    units: Annotated[
        bool, typer.Option("--units", help="Also the captions' units (noun phrases, relations) with foils.")
    ] = False,
    into_tars: Annotated[
        Path | None, typer.Option(help="Folder for copies of the input tars with KEY.negatives.json members.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local (processes) or ray (a Ray cluster).")] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster; default: RAY_ADDRESS, else one started for the build.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a build that was stopped.")] = False,
    llm_url: llm.Url = "",
    llm_model: llm.Model = "",
    llm_key_env: llm.KeyEnv = None,
    llm_rewrites: llm.Rewrites = 1,
    llm_rounds: llm.Rounds = 1,
    llm_concurrency: llm.Concurrency = 64,
    llm_timeout: llm.Timeout = 120.0,
    llm_retries: llm.Retries = 6,
    llm_budget: llm.Budget = None,
    llm_price_in: llm.PriceIn = None,
    llm_price_out: llm.PriceOut = None,
    llm_form: llm.Form = "json",
    llm_temperature: llm.Temperature = 0.7,
    llm_max_tokens: llm.MaxTokens = 256,
    llm_extra: llm.Extra = None,
    llm_examples: llm.Examples = None,
    llm_batch_out: llm.BatchOut = None,
    llm_batch_in: llm.BatchIn = None,
    llm_allow_missing: llm.AllowMissing = False,
) -> None:
    """Captions in, hard negatives out.

    Example: compoclip negatives build captions.tsv --out negatives --kinds fsc-clip --per-caption 4

    With a language model: --kinds llm:swap-nouns,llm:replace-nouns --llm-url http://localhost:8000/v1 --llm-model NAME
    """
    from compoclip.negatives.build import build

    asked = llm.settings(
        llm_extra,
        model=llm_model,
        url=llm_url,
        key_env=llm_key_env,
        rewrites=llm_rewrites,
        rounds=llm_rounds,
        concurrency=llm_concurrency,
        timeout=llm_timeout,
        retries=llm_retries,
        budget=llm_budget,
        price_in=llm_price_in,
        price_out=llm_price_out,
        form=llm_form,
        temperature=llm_temperature,
        max_tokens=llm_max_tokens,
        examples=llm_examples,
        batch_out=llm_batch_out,
        batch_in=tuple(llm_batch_in or ()),
        allow_missing=llm_allow_missing,
    )
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
        vocabulary=vocabulary,
        parser=parser,
        balance=balance,
        epochs=epochs,
        engine=engine,
        ray_address=ray_address,
        into_tars=into_tars,
        llm=asked,
        image_key=image_key,
        units=units,
    )
    from compoclip.negatives.build_summary import summary
    from compoclip.progress import output

    lines = list(summary(manifest, out, inputs))
    for line in lines:
        output().print(line, soft_wrap=isinstance(line, str), markup=False, highlight=False)
    if not lines:  # several epochs, or a batch whose replies are awaited
        tell({key: value for key, value in manifest.items() if key not in ("versions",)})


@app.command("inspect")
def negatives_inspect(
    folder: Annotated[Path, typer.Argument(help="Folder of `negatives build`.")],
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
) -> None:
    """Negatives from one form to another.

    Example: compoclip negatives convert negatives --to negclip --out train_neg_clip.tsv
    """
    from compoclip.negatives.formats import convert

    tell(convert(source, out, to, form))


@app.command("examples")
def negatives_examples(
    kind: Annotated[str, typer.Argument(help="Kind, such as swap-nouns (the llm: names of compoclip ls negatives).")],
    out: Annotated[Path, typer.Option(help="YAML file to write, for a person to prune.")],
    llm_url: llm.Url,
    llm_model: llm.Model,
    count: Annotated[int, typer.Option(help="Examples to ask for.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    llm_key_env: llm.KeyEnv = None,
    llm_concurrency: llm.Concurrency = 8,
    llm_timeout: llm.Timeout = 300.0,
    llm_retries: llm.Retries = 6,
    llm_budget: llm.Budget = None,
    llm_price_in: llm.PriceIn = None,
    llm_price_out: llm.PriceOut = None,
    llm_temperature: llm.Temperature = 1.0,
    llm_extra: llm.Extra = None,
) -> None:
    """Let a strong model write in-context examples of a kind; keep the good ones and build with --llm-examples.

    Example: compoclip negatives examples swap-nouns --llm-url URL --llm-model NAME --count 200 --out swap-nouns.yaml
    """
    from compoclip.negatives.llm.drafts import write_candidates

    asked = llm.settings(
        llm_extra,
        model=llm_model,
        url=llm_url,
        key_env=llm_key_env,
        concurrency=llm_concurrency,
        timeout=llm_timeout,
        retries=llm_retries,
        budget=llm_budget,
        price_in=llm_price_in,
        price_out=llm_price_out,
        temperature=llm_temperature,
    )
    if asked is None:
        raise InputError("which model? add --llm-model NAME")
    tell(write_candidates(kind.removeprefix("llm:"), asked, out, count, seed))
