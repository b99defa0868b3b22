"""The program: arguments to configuration to one call. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from compoclip.errors import InputError, RunError

ORDER = ("demo", "data", "negatives", "train", "eval", "report", "blend", "ls")


class InOrderOfWork(TyperGroup):
    """Lists commands as they follow each other in the work, groups of commands among them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=ORDER.index)


app = typer.Typer(
    name="compoclip",
    cls=InOrderOfWork,
    help="Teach CLIP models composition without making them forget what they know.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Data sets and benchmarks: ls, get, check, preview."
)
negatives_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Hard negative captions: build, inspect.")

Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a failure.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        from compoclip import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    return


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the runs and report.html.")] = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer steps and rows, under two minutes.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of data, negatives and training.")] = 0,
    debug: Debug = False,
) -> None:
    """The whole story on the built-in world, ending in report.html.

    Example: compoclip demo --out demo
    """
    from compoclip.demo import run_demo

    run_demo(out, quick=quick, seed=seed)


app.add_typer(data_app, name="data")
app.add_typer(negatives_app, name="negatives")


@data_app.command("ls")
def data_ls(debug: Debug = False) -> None:
    """Named data sets and benchmarks: licence, size, how to get them.

    Example: compoclip data ls
    """
    from compoclip.listing import data_sets

    for line in data_sets():
        print(line)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="A name from `compoclip data ls`.")],
    data_root: Annotated[Path, typer.Option(help="Folder to put it in.")] = Path("data"),
    keep_archives: Annotated[bool, typer.Option("--keep-archives", help="Keep what was unpacked.")] = False,
    debug: Debug = False,
) -> None:
    """Fetch a data set, with checksum and resume; tells what to do where a licence has to be accepted first.

    Example: compoclip data get sugarcrepe --data-root data
    """
    from compoclip.data.getting import get

    _tell(get(name, data_root, keep_archives))


@data_app.command("check")
def data_check(
    target: Annotated[str, typer.Argument(help="A name from `compoclip data ls`, or your own data.")],
    data_root: Annotated[Path, typer.Option(help="Folder of named data sets.")] = Path("data"),
    image_root: Annotated[str | None, typer.Option(help="Folder or tar of the images.")] = None,
    image_key: Annotated[str | None, typer.Option(help="Column of image paths.")] = None,
    caption_key: Annotated[str | None, typer.Option(help="Column of captions.")] = None,
    debug: Debug = False,
) -> None:
    """Tell which files of a named set are missing, or what is in your data and what is wrong with it.

    Example: compoclip data check captions.tsv --image-root images
    """
    from compoclip.data.catalog import entries
    from compoclip.data.checking import check

    named = target in entries() and not Path(target).exists()
    options = {} if named else {"image_root": image_root, "image_key": image_key, "caption_key": caption_key}
    _tell(check(target, data_root, **options))


@data_app.command("preview")
def data_preview(
    path: Annotated[str, typer.Argument(help="Table, webdataset tars or folder.")],
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("preview.png"),
    count: Annotated[int, typer.Option(help="Samples to show.")] = 12,
    image_root: Annotated[str | None, typer.Option(help="Folder or tar of the images.")] = None,
    debug: Debug = False,
) -> None:
    """A sheet of images with their captions.

    Example: compoclip data preview captions.tsv --image-root images --out preview.png
    """
    from compoclip.data.preview import preview

    print(preview(path, out, count, image_root=image_root)["out"])


@negatives_app.command("build")
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
    _tell({key: value for key, value in manifest.items() if key not in ("versions",)})


@negatives_app.command("inspect")
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


def _tell(values: dict[str, Any]) -> None:
    """A result as YAML, which people and programs both read."""
    import json

    import yaml

    print(yaml.safe_dump(json.loads(json.dumps(values, default=str)), sort_keys=False, allow_unicode=True), end="")


@app.command()
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
    lock_image: Annotated[bool, typer.Option("--lock-image", help="Freeze the image tower, cache features.")] = False,
    lock_text: Annotated[bool, typer.Option("--lock-text", help="Freeze the text tower, cache features.")] = False,
    lora: Annotated[int | None, typer.Option(help="Rank of LoRA; 0 trains all weights.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples a step.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.")] = None,
    steps: Annotated[int | None, typer.Option(help="Stop after this many steps.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, ...")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    eval_tasks: Annotated[str | None, typer.Option(help="Tasks at step 0 and at the end, comma-separated.")] = None,
    eval_data_root: Annotated[str | None, typer.Option(help="Folder of the tasks' data.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from --output-dir's newest checkpoint.")] = False,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Any other setting, key=value.")] = None,
    debug: Debug = False,
) -> None:
    """Fine-tune a model by a recipe.

    Example: compoclip train fsc-clip --data captions.tsv --negatives negatives --output-dir runs/fsc
    """
    from compoclip.config import read_config, resolve
    from compoclip.training import train as run

    if resume:
        if output_dir is None:
            raise InputError("--resume needs the --output-dir of the run to go on with")
        print(run(read_config(output_dir / "config.yaml"), resume=True))
        return
    if not recipe:
        raise InputError("name a recipe; `compoclip ls recipes` lists them")
    given: dict[str, Any] = {
        "data": data, "model": model, "pretrained": pretrained, "activation": activation, "negatives": negatives,
        "output_dir": str(output_dir) if output_dir else None, "image_root": image_root, "image_key": image_key,
        "caption_key": caption_key, "lock_image": lock_image or None, "lock_text": lock_text or None,
        "lora_rank": lora, "batch_size": batch_size, "epochs": epochs, "steps": steps, "lr": lr,
        "precision": precision, "device": device, "seed": seed, "eval_data_root": eval_data_root,
        "eval_tasks": eval_tasks.split(",") if eval_tasks else None,
    }  # fmt: skip
    overrides = {key: value for key, value in given.items() if value is not None} | _settings(settings or [])
    print(run(resolve(recipe, overrides)))


def _settings(pairs: list[str]) -> dict[str, Any]:
    """`key=value` with the value as YAML spells it."""
    import yaml

    out = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set {pair}: write key=value")
        try:
            out[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {pair}: the value is not valid YAML") from None
    return out


@app.command("eval")
def evaluate(
    model: Annotated[str, typer.Argument(help="Directory, NAME:PRETRAINED, or tiny.")],
    tasks: Annotated[str, typer.Option(help="Names of tasks, comma-separated, or all.")] = "world",
    data_root: Annotated[Path | None, typer.Option(help="Folder of the tasks' data.")] = None,
    output_path: Annotated[Path | None, typer.Option(help="Where to write results.json.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many rows a subset.")] = None,
    log_samples: Annotated[bool, typer.Option("--log-samples", help="Write every row with its scores.")] = False,
    activation: Annotated[str | None, typer.Option(help="gelu or quickgelu, for a weights file.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    batch_size: Annotated[int, typer.Option(help="Images encoded at once.")] = 64,
    cache_dir: Annotated[Path | None, typer.Option(help="Folder that keeps features for later calls.")] = None,
    ties: Annotated[str | None, typer.Option(help="Tie rule in place of each benchmark's own.")] = None,
    controls: Annotated[bool, typer.Option(help="Text-only controls beside composition scores.")] = True,
    debug: Debug = False,
) -> None:
    """Measure a model on benchmarks.

    Example: compoclip eval tiny --tasks world --output-path results.json
    """
    from compoclip.evaluation import evaluate as run
    from compoclip.models import load
    from compoclip.progress import output
    from compoclip.report import table

    if log_samples and output_path is None:
        raise InputError("--log-samples needs --output-path to write the rows beside")
    loaded = load(model, device, activation)
    results = run(
        loaded,
        tasks,
        data_root,
        limit,
        log_samples,
        batch_size,
        ties=ties,
        output_path=output_path,
        label=model,
        cache_dir=cache_dir,
        controls=controls,
    )
    output().print(table([results]))


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="results.json files or run directories, the base first.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html.")],
    against: Annotated[str | None, typer.Option(help="`published`: set the models among published ones.")] = None,
    debug: Debug = False,
) -> None:
    """Tables, differences to the base, the trade-off plot, as one HTML page.

    Example: compoclip report runs/fsc/results-base.json runs/fsc/results.json --out report
    """
    from compoclip.progress import output
    from compoclip.report import load_results, table, write_report

    loaded = load_results(results)
    page = write_report(loaded, out, against=against)
    output().print(table(loaded))
    print(page)


@app.command()
def blend(
    base: Annotated[str, typer.Argument(help="The model before fine-tuning.")],
    tuned: Annotated[str, typer.Argument(help="The model after it.")],
    alpha: Annotated[float | None, typer.Option(help="0 is the base, 1 the tuned model.")] = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="Measure alpha 0, 0.1, ..., 1 on --tasks.")] = False,
    tasks: Annotated[str, typer.Option(help="Tasks for --sweep.")] = "world",
    data_root: Annotated[Path | None, typer.Option(help="Folder of the tasks' data.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the blended model, or for the sweep's results.")] = None,
    debug: Debug = False,
) -> None:
    """Blend the weights of two models (WiSE-FT); LoRA has been merged before.

    Example: compoclip blend ViT-B-32:openai runs/fsc --alpha 0.5 --out blended
    """
    from compoclip.blending import blend_to, sweep_to

    if sweep == (alpha is not None):
        raise InputError("give either --alpha or --sweep")
    if out is None:
        raise InputError("say where to write with --out DIR")
    print(sweep_to(base, tuned, tasks, data_root, out) if alpha is None else blend_to(base, tuned, alpha, out))


@app.command()
def ls(
    what: Annotated[str, typer.Argument(help="methods, recipes, negatives, tasks or models.")] = "",
    debug: Debug = False,
) -> None:
    """What there is: methods, recipes, negatives, tasks, models.

    Example: compoclip ls recipes
    """
    from compoclip.listing import listing

    for line in listing(what):
        print(line)


def main(arguments: list[str] | None = None) -> None:
    """Run the program. Exit status 2 for bad input, 1 for a failed run; one line on standard error, no traceback
    unless `--debug` is among the arguments."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        status = app(arguments, standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except (KeyboardInterrupt, typer.Abort):
        _fail("stopped", 1, [])
    except InputError as error:
        _fail(str(error), 2, arguments)
    except RunError as error:
        _fail(str(error), 1, arguments)
    except Exception as error:
        # typer brings its own copy of click, under a private name: its usage errors are known by what they can do
        if type(error).__name__ == "NoArgsIsHelpError":
            print(getattr(error, "ctx").get_help())  # noqa: B009
            sys.exit(0)
        if hasattr(error, "format_message"):
            _fail(f"{error.format_message()} (see compoclip --help)", 2, arguments)
        _fail(f"{type(error).__name__}: {error}; run again with --debug for the traceback", 1, arguments)


def _fail(message: str, status: int, arguments: list[str]) -> None:
    if "--debug" in arguments:
        raise
    print("compoclip: error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(status)
