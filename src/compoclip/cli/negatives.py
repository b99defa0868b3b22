"""`compoclip negatives`: captions in, hard negatives out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from compoclip.cli import llm_flags as llm
from compoclip.cli.fields import flags_of, options_of, settings_of
from compoclip.cli.shared import group, tell, tell_part
from compoclip.config import BuildConfig, LLMOptions
from compoclip.errors import InputError

BUILD = flags_of(BuildConfig, "shard_size")
# of the language model's flags, those that drafts of examples have, and what is other for a strong, slow model
EXAMPLES = {
    name: flag
    for name, flag in llm.FLAGS.items()
    if name not in ("rewrites", "rounds", "form", "max_tokens", "examples", "batch_out", "batch_in", "allow_missing")
}
DRAFTS = {"concurrency": 8, "timeout": 300.0, "temperature": 1.0}

app = group("Hard negative captions: build, inspect, convert; examples for a language model.")


@app.command("build")
@options_of(BuildConfig, BUILD)
@options_of(LLMOptions, llm.FLAGS, prefix=llm.PREFIX)
def negatives_build(
    inputs: Annotated[list[Path], typer.Argument(help="Captions: TSV, CSV, JSON, Parquet, webdataset tars, lines.")],
    out: Annotated[Path, typer.Option(help="Folder for Parquet shards and manifest.json.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the captions and print the plan; nothing is written or asked.")
    ] = False,
    **fields: Any,
) -> None:
    """Captions in, hard negatives out.

    Example: compoclip negatives build captions.tsv --out negatives --kinds fsc-clip --per-caption 4

    With a language model: --kinds llm:swap-nouns,llm:replace-nouns --llm-url http://localhost:8000/v1 --llm-model NAME
    """
    from compoclip.negatives.build import build
    from compoclip.negatives.build_summary import summary

    given = {name: fields[name] for name in BUILD}
    given["kinds"] = tuple(name.strip() for name in fields["kinds"].split(",")) if fields["kinds"] else None
    config = settings_of(BuildConfig, BUILD, given)
    chosen = {name: getattr(config, name) for name in BUILD}
    manifest = build(list(inputs), out, **chosen, llm=llm.asked(fields), dry_run=dry_run)
    lines = list(summary(manifest, out, inputs))
    for line in lines:
        tell_part(line)
    if not lines:  # a plan, several epochs, or a batch whose replies are awaited
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
@options_of(LLMOptions, EXAMPLES, prefix=llm.PREFIX, defaults=DRAFTS)
def negatives_examples(
    kind: Annotated[str, typer.Argument(help="Kind, such as swap-nouns (the llm: names of compoclip ls negatives).")],
    out: Annotated[Path, typer.Option(help="YAML file to write, for a person to prune.")],
    count: Annotated[int, typer.Option(help="Examples to ask for.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    **fields: Any,
) -> None:
    """Let a strong model write in-context examples of a kind; keep the good ones and build with --llm-examples.

    Example: compoclip negatives examples swap-nouns --llm-url URL --llm-model NAME --count 200 --out swap-nouns.yaml
    """
    from compoclip.negatives.llm.drafts import write_candidates

    asked = llm.asked(fields, DRAFTS)
    if asked is None:
        raise InputError("which model? add --llm-model NAME")
    tell(write_candidates(kind.removeprefix("llm:"), asked, out, count, seed))
