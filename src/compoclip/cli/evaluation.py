"""`compoclip eval` and `compoclip report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from compoclip.cli.fields import flags_of, options_of, settings_of
from compoclip.cli.shared import tell
from compoclip.config import EvalConfig

FLAGS = flags_of(EvalConfig)


@options_of(EvalConfig, FLAGS, words=("batch_size",))
def evaluate(
    model: Annotated[
        str, typer.Argument(help="Directory, NAME:PRETRAINED, tiny, hf:NAME, features:FILE or python:MODULE:FUNCTION.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the tasks' data and tell what would be encoded; load no model.")
    ] = False,
    **fields: Any,
) -> None:
    """Measure a model on benchmarks; under torchrun, on several GPUs.

    Example: compoclip eval tiny --tasks world --output-path results.json
    """
    from compoclip.distributed import joined, together
    from compoclip.evaluation import evaluate as run
    from compoclip.evaluation.encoders import open_encoder
    from compoclip.evaluation.evaluate import planned
    from compoclip.evaluation.results import told_absent
    from compoclip.progress import output
    from compoclip.report import gains_table, table
    from compoclip.training.heldout_run import with_heldout

    config = settings_of(EvalConfig, FLAGS, fields)
    names, extra = with_heldout(config.tasks, config.run)
    if dry_run:
        tell(planned(names, config.data_root, config.limit, extra))
        return
    with joined() as ranks:
        results = run(
            together(ranks, lambda: open_encoder(model, config.device, config.activation, config.precision)),
            names,
            extra=extra,
            label=model,
            save_features_to=config.save_features,
            ranks=ranks,
            **config.model_dump(exclude={"tasks", "run", "device", "activation", "precision", "save_features"}),
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
    from compoclip.progress import output, show
    from compoclip.report import load_results, table, write_report
    from compoclip.report.pool import with_own_base

    loaded = load_results(with_own_base(results))
    page = write_report(loaded, out, against=against)
    output().print(table(loaded))
    show(output(), f"The report, with images: {page}")
