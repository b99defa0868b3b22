"""`compoclip eval` and `compoclip report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compoclip.errors import InputError


def evaluate(
    model: Annotated[
        str, typer.Argument(help="Directory, NAME:PRETRAINED, tiny, hf:NAME, features:FILE or python:MODULE:FUNCTION.")
    ],
    tasks: Annotated[str, typer.Option(help="Names of tasks, comma-separated, or all; heldout with --run.")] = "world",
    held_out_of: Annotated[
        Path | None, typer.Option("--run", help="Run directory whose held-out images the task `heldout` asks about.")
    ] = None,
    data_root: Annotated[Path | None, typer.Option(help="Folder of the tasks' data.")] = None,
    output_path: Annotated[Path | None, typer.Option(help="Where to write results.json.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many rows a subset.")] = None,
    log_samples: Annotated[bool, typer.Option("--log-samples", help="Write every row with its scores.")] = False,
    activation: Annotated[str | None, typer.Option(help="gelu or quickgelu, for a weights file.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N, ...")] = "auto",
    precision: Annotated[str, typer.Option(help="fp32 or bf16 inside the model; scores are fp32.")] = "fp32",
    batch_size: Annotated[str, typer.Option(help="Images encoded at once, or auto: as memory allows.")] = "64",
    cache_dir: Annotated[Path | None, typer.Option(help="Folder that keeps features for later calls.")] = None,
    save_features: Annotated[Path | None, typer.Option(help="Write features (.npz, .safetensors, .parquet).")] = None,
    ties: Annotated[str | None, typer.Option(help="Tie rule in place of each benchmark's own.")] = None,
    controls: Annotated[bool, typer.Option(help="Text-only controls beside composition scores.")] = True,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Turn benchmarks' photos by their EXIF tag, which official code does not.")
    ] = False,
) -> None:
    """Measure a model on benchmarks; under torchrun, on several GPUs.

    Example: compoclip eval tiny --tasks world --output-path results.json
    """
    from compoclip.distributed import joined, together
    from compoclip.evaluation import evaluate as run
    from compoclip.evaluation.batching import check_batch_size
    from compoclip.evaluation.encoders import open_encoder
    from compoclip.evaluation.results import told_absent
    from compoclip.progress import output
    from compoclip.report import gains_table, table
    from compoclip.training.heldout_run import with_heldout

    if log_samples and output_path is None:
        raise InputError("--log-samples needs --output-path to write the rows beside")
    size = check_batch_size(batch_size)
    names, extra = with_heldout(tasks, held_out_of)
    with joined() as ranks:
        results = run(
            together(ranks, lambda: open_encoder(model, device, activation, precision)),
            names,
            data_root,
            limit,
            log_samples,
            size,
            extra=extra,
            ties=ties,
            output_path=output_path,
            label=model,
            cache_dir=cache_dir,
            controls=controls,
            save_features_to=save_features,
            ranks=ranks,
            rotate=rotate,
        )
    if results:
        output().print(gains_table([results]) if extra and not names else table([results]))
        for name, entry in results["tasks"].items():
            if told := told_absent(name, entry):
                print(told)


def report(
    results: Annotated[list[Path], typer.Argument(help="results.json files or run directories, the base first.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html.")] = Path("report"),
    against: Annotated[str | None, typer.Option(help="`published`: set the models among published ones.")] = None,
) -> None:
    """Tables, differences to the base, the trade-off plot, as one HTML page. One run directory brings its own base.

    Example: compoclip report runs/fsc --out report
    """
    from compoclip.progress import output
    from compoclip.report import load_results, table, write_report
    from compoclip.report.pool import with_own_base

    loaded = load_results(with_own_base(results))
    page = write_report(loaded, out, against=against)
    output().print(table(loaded))
    print(page)
