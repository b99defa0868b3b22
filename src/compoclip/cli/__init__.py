"""The program: arguments to configuration to one call. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from compoclip.cli import (
    comparing,
    convert,
    data,
    encoding,
    evaluation,
    explaining,
    negatives,
    reproduce,
    runs,
    serving,
    training,
)
from compoclip.errors import InputError, RunError
from compoclip.malloc import keep_freed_memory
from compoclip.terminal import plain_streams

ORDER = (
    "demo",
    "data",
    "negatives",
    "train",
    "eval",
    "encode",
    "report",
    "blend",
    "convert",
    "explain",
    "serve",
    "reproduce",
    "compare",
    "runs",
    "env",
    "ls",
)

INTERRUPTED = 130  # what shells expect after Ctrl-C


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
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a failure; may stand after the command too.")
    ] = False,
) -> None:
    return  # `_run` has taken `--debug`, which stands here for the help


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the runs and report.html.")] = Path("demo"),
    quick: Annotated[bool, typer.Option("--quick", help="Two of the four methods, and fewer rows.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of data, negatives and training.")] = 0,
) -> None:
    """The whole story on the built-in world, ending in report.html.

    Example: compoclip demo --out demo
    """
    from compoclip.demo import run_demo

    run_demo(out, quick=quick, seed=seed)


app.add_typer(data.app, name="data")
app.add_typer(negatives.app, name="negatives")
app.command()(training.train)
app.command("eval")(evaluation.evaluate)
app.command()(encoding.encode)
app.command()(evaluation.report)


@app.command()
def blend(
    base: Annotated[str, typer.Argument(help="The model before fine-tuning.")],
    tuned: Annotated[list[str], typer.Argument(help="The model after it; several (seeds) are averaged first.")],
    alpha: Annotated[float | None, typer.Option(help="0 is the base, 1 the tuned model.")] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Measure alpha 0, 0.1, ..., 1 on --tasks and pick one.")
    ] = False,
    keep_zeroshot: Annotated[
        float | None, typer.Option(help="Pick the best composition within N points of the base's zero-shot.")
    ] = None,
    tasks: Annotated[str, typer.Option(help="Tasks for --sweep; heldout with --run.")] = "world",
    run: Annotated[
        Path | None, typer.Option(help="Run directory whose held-out images the task `heldout` asks about.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the tasks' data.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many rows a subset for --sweep.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the blended model, or for the sweep's results.")] = None,
) -> None:
    """Blend the weights of models (WiSE-FT, soups); LoRA is merged before, and a rule may pick the blend.

    Example: compoclip blend ViT-B-32:openai runs/fsc --sweep --keep-zeroshot 1 --out blended
    """
    from compoclip.blending import blend_to, sweep_to

    if sweep == (alpha is not None):
        raise InputError("give either --alpha or --sweep")
    if keep_zeroshot is not None and not sweep:
        raise InputError("--keep-zeroshot is a rule for --sweep")
    if out is None:
        raise InputError("say where to write with --out DIR")
    if alpha is not None:
        print(blend_to(base, tuned, alpha, out))
        return
    facts = sweep_to(base, tuned, tasks, data_root, out, keep_zeroshot, limit, run=run)
    print(f"alpha {facts['alpha']:g}: {facts['rule']}")
    print(out)


app.command()(convert.convert)
app.command()(explaining.explain)
app.command()(serving.serve)
app.command()(reproduce.reproduce)
app.command()(comparing.compare)
app.command()(runs.runs)
app.command()(runs.env)


@app.command()
def ls(
    what: Annotated[str, typer.Argument(help="methods, recipes, negatives, tasks, models, exports or settings.")] = "",
    name: Annotated[str, typer.Argument(help="A recipe, to be shown with everything it inherits.")] = "",
) -> None:
    """What there is: methods, recipes, negatives, tasks, models, exports, settings.

    Example: compoclip ls recipes
    """
    from compoclip.listing import listing, resolved_recipe

    if name:
        if what != "recipes":
            raise InputError("only a recipe can be shown: compoclip ls recipes NAME")
        print(resolved_recipe(name), end="")
        return
    for line in listing(what):
        print(line)


def main(arguments: list[str] | None = None) -> None:
    """Run the program. Exit status 2 for bad input, 1 for a failed run, 130 after Ctrl-C; one line on standard error,
    no traceback unless `--debug` stands somewhere among the arguments."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    keep_freed_memory()
    with plain_streams():
        _run(arguments)


def _run(arguments: list[str]) -> None:
    debug = "--debug" in arguments
    try:
        status = app([word for word in arguments if word != "--debug"], standalone_mode=False)
        if status == INTERRUPTED:  # typer has taken Ctrl-C for itself
            raise KeyboardInterrupt
        sys.exit(status if isinstance(status, int) else 0)
    except (KeyboardInterrupt, typer.Abort):
        _fail("stopped; the same command goes on where it can (train and negatives build with --resume)", INTERRUPTED)
    except InputError as error:
        _fail(str(error), 2, debug)
    except RunError as error:
        _fail(str(error), error.status, debug)
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _fail(_told(error), 1, debug)
    except RecursionError:
        _fail("the input is nested more deeply than any real one", 2, debug)
    except Exception as error:
        # typer brings its own copy of click, under a private name: its usage errors are known by what they can do
        if type(error).__name__ == "NoArgsIsHelpError":
            print(getattr(error, "ctx").get_help())  # noqa: B009
            sys.exit(0)
        if hasattr(error, "format_message"):
            _fail(f"{error.format_message()} (see compoclip --help)", 2, debug)
        _fail(f"{type(error).__name__}: {error}; run again with --debug for the traceback", 1, debug)


def _told(error: OSError) -> str:
    """What the system refused, and on which file."""
    files = [str(name) for name in (error.filename, error.filename2) if name is not None]
    why = error.strerror or str(error) or type(error).__name__
    return f"{' -> '.join(files)}: {why}" if files else f"{why}; run again with --debug to see where"


def _fail(message: str, status: int, debug: bool = False) -> None:
    if debug:
        raise
    print("compoclip: error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(status)
