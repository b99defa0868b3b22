"""`compoclip runs` and `compoclip env`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from compoclip.cli.shared import tell


def runs(
    folders: Annotated[list[Path], typer.Argument(help="Run directories, or folders that hold some.")],
    curves: Annotated[Path | None, typer.Option(help="Write the loss curves (.png, .svg or .pdf).")] = None,
) -> None:
    """List and compare run directories: where they stand, their figures, the settings that differ.

    Example: compoclip runs runs --curves curves.png
    """
    from compoclip.progress import output
    from compoclip.report.runs import draw_curves, read_runs, runs_table, settings_table

    found = read_runs(folders)
    output().print(runs_table(found))
    settings = settings_table(found)
    if settings is not None:
        output().print(settings)
    if curves is not None:
        draw_curves(found, curves)
        print(curves)


def env() -> None:
    """Versions and machine, for bug reports.

    Example: compoclip env
    """
    from compoclip.environment import environment

    found = environment()
    found.pop("command")
    tell(found)
