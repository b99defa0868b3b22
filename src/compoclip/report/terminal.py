"""The same figures as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.table import Table
from rich.text import Text

from compoclip.report.pool import Cell, Column, Results, cell, pool, subset_columns, summary_columns

MOST_WIDE = 14  # of a word that keeps its column from becoming narrower
COLOURS = {"better": "green", "worse": "red", "same": "dim"}


def text(found: Cell) -> Text:
    """A figure with its difference to the base on the next line, coloured by whether it is sure."""
    if found.value is None:
        return Text("–")
    out = Text(f"{found.value:.1f}")
    if found.spread is not None:
        out.append(f" ±{found.spread:.1f}")
    if found.delta is not None:
        d = found.delta
        out.append(f"\n{d.mean:+.1f} ({d.low:+.1f} to {d.high:+.1f})", style=COLOURS[found.verdict])
    elif found.other_rows:
        out.append("\n≠ other rows", style="yellow")
    return out


def _longest_word(texts: Iterable[str]) -> int:
    """Width that breaks no word of the texts; a label may be a path, which is folded all the same."""
    return min(MOST_WIDE, max(len(word) for text in texts for word in (text.split() or [""])))


def table(results: Sequence[Results], base: int = 0, detail: bool = False) -> Table:
    """A rich table of methods and their four figures (`detail`: and every subset), with paired 95 % intervals of the
    differences to `results[base]`. Runs of equal label are pooled as seeds.

    Example: rich.print(table(load_results(["base.json", "runs/fsc"]), detail=True))
    """
    methods = pool(results, base)
    columns: list[Column] = summary_columns(methods)
    if detail:
        columns += [c for part in ("composition", "zeroshot", "retrieval") for c in subset_columns(methods, part)]
    columns += [replace(c, title=f"probe: {c.title}") for c in subset_columns(methods, "probe")]
    seeds = any(len(m.runs) > 1 for m in methods)
    caption = "percent; second line: difference to the first row and its 95 % interval"
    if any(cell(method, methods[0], column).other_rows for method in methods for column in columns):
        caption += "; ≠ other rows: not measured on the rows of the first, so not to be compared"
    out = Table(caption=caption if len(methods) > 1 else "percent", show_lines=len(methods) > 1, pad_edge=False)
    out.add_column("model", overflow="fold", min_width=_longest_word(m.label for m in methods))
    if seeds:
        out.add_column("seeds", justify="right")
    for column in columns:
        out.add_column(Text(column.title), justify="right")
    for method in methods:
        cells = [text(cell(method, methods[0], column)) for column in columns]
        out.add_row(Text(method.label), *([str(len(method.runs))] if seeds else []), *cells)
    return out
