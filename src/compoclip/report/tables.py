"""The report's figures for papers and spreadsheets: report.csv, report.md, and gains.svg and gains.png."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compoclip.io import write_bytes, write_text
from compoclip.report.gains import WORDS, Line, lines
from compoclip.report.pool import Cell, Results, pool

COLUMNS = ("question", "n", "chance", "model", "value", "spread", "ci_low", "ci_high", "delta", "delta_low",
           "delta_high", "verdict")  # fmt: skip
COLOURS = ("#0072b2", "#c44f00", "#00805d", "#a8487f", "#9a6a00", "#2f7fb8", "#6b4fa0", "#7a7a00")
MARKS = "os^vDP*X"


def write_tables(results: Sequence[Results], out: Path, title: str, summary: Sequence[str]) -> list[Path]:
    """Write the files into `out`; returns their paths. title, summary: what the page says above its figures."""
    labels = [method.label for method in pool(results)]
    found = lines(results)
    write_text(out / "report.csv", as_csv(found, labels))
    write_text(out / "report.md", as_markdown(found, labels, title, summary))
    paths = [out / "report.csv", out / "report.md"]
    if len(labels) > 1 and any(cell.delta is not None for line in found for cell in line.cells):
        for kind, body in drawn(found, labels).items():
            write_bytes(out / f"gains.{kind}", body)
            paths.append(out / f"gains.{kind}")
    return paths


def as_csv(found: Sequence[Line], labels: Sequence[str]) -> str:
    """One line a question and model, percentages and points unrounded to four places."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in found:
        for label, cell in zip(labels, line.cells):
            interval = cell.ci95 or (None, None)
            delta = (None, None, None) if cell.delta is None else (cell.delta.mean, cell.delta.low, cell.delta.high)
            values = (line.chance, cell.value, cell.spread, *interval, *delta)
            chance, *rest = ("" if value is None else f"{value:.4f}" for value in values)
            writer.writerow([line.title.strip(), line.rows, chance, _plain(label), *rest, verdict(cell)])
    return out.getvalue()


def _plain(label: str) -> str:
    """A name that a spreadsheet does not take for a formula."""
    return f"'{label}" if label[:1] in "=+-@" else label


def verdict(cell: Cell) -> str:
    """gained, lost, unclear, or other rows; "" where there is nothing to compare."""
    if cell.other_rows:
        return "other rows"
    return WORDS[cell.verdict] if cell.delta is not None else ""


def as_markdown(found: Sequence[Line], labels: Sequence[str], title: str, summary: Sequence[str]) -> str:
    """The same as a table that GitHub and pandoc show: each figure with its difference and the interval of that."""
    head = ["question", "n", "chance", *labels]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for line in found:
        chance = "" if line.chance is None else f"{line.chance:.1f}"
        rows.append([line.title.strip(), f"{line.rows:,}", chance, *map(_cell, line.cells)])
    table = "\n".join("| " + " | ".join(_escaped(value) for value in row) + " |" for row in rows)
    note = "Percent; in brackets the difference to the first model in points with its 95 % interval, bold where it "
    note += "leaves 0 out."
    return f"# {_escaped(title)}\n\n" + "\n".join(map(_escaped, summary)) + f"\n\n{table}\n\n{note}\n"


def _cell(cell: Cell) -> str:
    if cell.value is None:
        return "–"
    text = f"{cell.value:.1f}" + ("" if cell.spread is None else f" ± {cell.spread:.1f}")
    if cell.other_rows:
        return f"{text} (other rows)"
    if cell.delta is None:
        return text
    d = cell.delta
    change = "no row changed" if cell.unmoved else f"{d.mean:+.1f} [{d.low:+.1f}, {d.high:+.1f}]"
    return f"**{text}** ({change})" if cell.verdict != "same" else f"{text} ({change})"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a cell."""
    for mark in "\\`*_[]<>|" if not text.startswith(("**", "---")) else "|":
        if mark in text and not (mark in "[]" and ", " in text):
            text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())


def shortened(text: str, most: int = 48) -> str:
    """A name that leaves room for the figure."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 2] + " …"


def drawn(found: Sequence[Line], labels: Sequence[str]) -> dict[str, bytes]:
    """Differences to the base with their intervals, a row a question, as svg and png."""
    import matplotlib
    from matplotlib.figure import Figure

    shown = [line for line in found if any(cell.delta is not None for cell in line.cells[1:])]
    others = labels[1:]
    figure = Figure(figsize=(7.2, 0.9 + len(shown) * (0.24 + 0.13 * len(others))), dpi=160)
    axes = figure.add_subplot()
    for number, label in enumerate(others):
        offset = (number - (len(others) - 1) / 2) * 0.7 / max(len(others), 1)
        cells = [(row + offset, line.cells[number + 1].delta) for row, line in enumerate(shown)]
        known = [(y, d) for y, d in cells if d is not None]
        x, y = [d.mean for _, d in known], [y for y, _ in known]
        low, high = [d.mean - d.low for _, d in known], [d.high - d.mean for _, d in known]
        spans = [[max(0.0, v) for v in low], [max(0.0, v) for v in high]]
        style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "fmt": MARKS[number % len(MARKS)]}
        axes.errorbar(x, y, xerr=spans, label=shortened(label).replace("$", r"\$"), capsize=2, markersize=5, **style)
    axes.plot([0, 0], [-0.6, len(shown) - 0.4], color="#5b6470", linewidth=1)
    names = [f"{shortened(line.title)} (n = {line.rows:,})".replace("$", r"\$") for line in shown]
    axes.set_yticks(range(len(shown)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(f"difference to {labels[0]} in points, with its 95 % interval".replace("$", r"\$"), fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=min(4, len(others)))
    axes.set_ylim(len(shown) - 0.4, -1.2)
    left = min(0.6, 0.1 + 0.0085 * max(map(len, names)))
    figure.subplots_adjust(left, 0.5 / figure.get_figheight(), 0.98, 1 - 0.1 / figure.get_figheight())
    out = {}
    for kind in ("svg", "png"):
        body = io.BytesIO()
        with matplotlib.rc_context({"svg.hashsalt": "compoclip", "svg.fonttype": "path"}):
            figure.savefig(body, format=kind, metadata={"Date": None} if kind == "svg" else None)
        out[kind] = body.getvalue()
    return out
