"""What a fine-tune gained and lost, a line a question: before, after, and the paired difference with its interval.

It is what `train` ends with and what `compare` prints: narrow enough for 80 columns, the number of rows beside every
figure, and no difference where two models did not answer the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich import box
from rich.table import Table
from rich.text import Text

from compoclip.report.pool import (
    Cell,
    Column,
    Method,
    Results,
    cell,
    pool,
    recall_columns,
    rows_of,
    subset_columns,
    task_columns,
)
from compoclip.report.terminal import COLOURS

WORDS = {"better": "gained", "worse": "lost", "same": "unclear"}
SIGNS = {"better": "▲ ", "worse": "▼ ", "same": ""}
OTHER = "other rows"
RETRIEVED = "R@1"
CHANGES = "; change in points with its 95 % interval; ▲ gained, ▼ lost, no sign: may be luck"


@dataclass(frozen=True)
class Line:
    """One question: how many rows it has, what guessing gets of them (percent), and each method's cell, base first."""

    title: str
    rows: int
    chance: float | None
    cells: tuple[Cell, ...]


def lines(results: Sequence[Results]) -> list[Line]:
    """Every question that the first of `results` was asked; those of one `label` are seeds of one method."""
    methods = pool(results)
    columns = [c for part in ("composition", "zeroshot", "probe") for c in _with_average(methods, part)]
    columns += [column for column in recall_columns(methods) if column.title.endswith(RETRIEVED)]
    return [_line(methods, column) for column in columns]


def _with_average(methods: Sequence[Method], part: str) -> list[Column]:
    """The average of each task of a part, where it has several subsets, and then the subsets."""
    own = subset_columns(methods, part)
    tasks = list(dict.fromkeys(column.strata[0][0] for column in own))
    averages = {column.strata[0][0]: column for column in task_columns(methods, part) if column.strata}
    out = []
    for task in tasks:
        mine = [column for column in own if column.strata[0][0] == task]
        rule = methods[0].runs[0]["tasks"].get(task, {}).get("rule")
        if len(mine) > 1 and task in averages:
            out.append(Column(f"{task}: {rule}", averages[task].strata, metric="score"))
            out += [replace(column, title=f"  {column.title.removeprefix(f'{task}: ')}") for column in mine]
        else:
            out += [replace(column, title=f"{task}: {column.title.removeprefix(f'{task}: ')}") for column in mine]
    return out


def _line(methods: Sequence[Method], column: Column) -> Line:
    run = methods[0].runs[0]
    entries = [run["tasks"].get(task, {}).get("subsets", {}).get(name, {}) for task, name, _ in column.strata]
    chances = [entry.get("chance") for entry in entries]
    weights = [weight for _, _, weight in column.strata]
    known = all(value is not None for value in chances) and sum(weights) > 0
    chance = sum(w * c for w, c in zip(weights, chances)) / sum(weights) if known else None
    return Line(
        column.title,
        rows_of(run, column),
        chance,
        tuple(cell(method, methods[0], column) for method in methods),
    )


def gains_table(results: Sequence[Results]) -> Table:
    """Results as a table for the terminal: one question a row, the base first.

    results: of `evaluate`, the base first.

    Example: rich.print(gains_table(load_results(["runs/fsc/results-base.json", "runs/fsc"])))
    """
    methods = pool(results)
    out = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
        pad_edge=False,
        caption=f"percent{CHANGES}" if len(methods) > 1 else "percent",
        caption_justify="left",
    )
    out.add_column("question", overflow="fold")
    out.add_column("n", justify="right", no_wrap=True)
    out.add_column("guess", justify="right", no_wrap=True)
    for method in methods:
        out.add_column(Text(method.label), justify="right", overflow="fold")
    if len(methods) == 2:
        out.add_column("change", justify="right", no_wrap=True)
    for line in lines(results):
        guess = "" if line.chance is None else f"{line.chance:.3g}"
        shown = [_figure(found) for found in line.cells]
        if len(methods) == 2:
            shown.append(_change(line.cells[1]))
        else:
            shown = [shown[0], *(_stacked(found) for found in line.cells[1:])]
        out.add_row(Text(line.title), f"{line.rows:,}", guess, *shown)
    return out


def _figure(found: Cell) -> Text:
    if found.value is None:
        return Text("–")
    spread = "" if found.spread is None else f" ±{found.spread:.1f}"
    return Text(f"{found.value:.1f}{spread}")


def _change(found: Cell) -> Text:
    if found.delta is None:
        return Text(OTHER if found.other_rows else "")
    return Text("no row moved", style="dim") if found.unmoved else _difference(found)


def _difference(found: Cell) -> Text:
    assert found.delta is not None
    d = found.delta
    if found.unmoved:
        return Text("0.0", style=COLOURS["same"])
    low, high = (0.0 if abs(end) < 0.05 else end for end in (d.low, d.high))
    return Text(f"{SIGNS[found.verdict]}{d.mean:+.1f} [{low:+.1f}, {high:+.1f}]", style=COLOURS[found.verdict])


def _stacked(found: Cell) -> Text:
    out = _figure(found)
    if found.delta is not None:
        d = found.delta
        interval = (
            "" if found.unmoved else f"\n[{_whole(d.low)}, {_whole(d.high)}]"
        )  # narrow: several stand side by side
        out.append(f"\n{SIGNS[found.verdict]}{d.mean:+.1f}{interval}", style=COLOURS[found.verdict])
    elif found.other_rows:
        out.append(f"\n{OTHER}")
    return out


def _whole(end: float) -> str:
    """An end of an interval in whole points, 0 without a sign."""
    return f"{end:+.0f}" if abs(end) >= 0.5 else "0"
