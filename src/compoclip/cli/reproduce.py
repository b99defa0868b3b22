"""`compoclip reproduce`: published rows again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def reproduce(
    row: Annotated[
        str, typer.Argument(help="TABLE/ROW, or a recipe with published figures; none lists all rows.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and do nothing; no network.")] = False,
    scale: Annotated[str, typer.Option(help="full, or tiny: the same plan on the built-in world.")] = "full",
    out: Annotated[Path | None, typer.Option(help="Folder of the stages; reproduced/ROW where not told.")] = None,
    data_root: Annotated[Path, typer.Option(help="Folder of training sets and benchmarks.")] = Path("data"),
    limit: Annotated[int | None, typer.Option(help="At most this many rows a subset in the evaluation.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="A setting in place of the recipe's.")] = None,
) -> None:
    """Reproduce one published row: data, negatives, training, evaluation, verdict; resumable.

    Example: compoclip reproduce fsc-clip-1/fsc-clip-lora-laion --dry-run
    """
    from dataclasses import replace

    from compoclip.cli.training import parse_settings
    from compoclip.reproduce import find, rows
    from compoclip.reproduce import reproduce as run
    from compoclip.reproduce.plan import lines, make
    from compoclip.reproduce.verdict import table

    if not row:
        width = max(map(len, rows()))
        title = ""
        for name, known in rows().items():
            if known.table != title:
                title = known.table
                print(title)
            print(f"  {name:<{width}}  {known.label}  [{known.how}{f': {known.none}' if known.none else ''}]")
        return
    chosen = find(row)
    if dry_run and chosen.none:
        print(f"{chosen.id}: {chosen.label} ({chosen.table}) cannot be reproduced: {chosen.none}")
        return
    place = out or Path("reproduced") / chosen.id.replace("/", "-")
    plan = replace(make(chosen, place, data_root, scale, parse_settings(settings or [])), limit=limit)
    for line in lines(plan):
        print(line)
    if dry_run:
        return
    for line in table(run(plan)):
        print(line)
