"""How the models of a report were trained: loss curves, the settings in which they differ, and all of each run's."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import yaml

from compoclip.report import blocks, plot
from compoclip.report.pool import RUN, Method
from compoclip.report.runs import Run, differing, read_runs

MOST = 200  # points of a curve: more cannot be distinguished on a page
PATHS = ("data", "image_root", "negatives", "model", "pretrained", "feature_cache", "eval_data_root", "output_dir")


def how_trained(methods: Sequence[Method]) -> str:
    """The section, or nothing where no result lies in a run directory."""
    found = {m.label: (m.place, run) for m in methods if (run := _run(m)) is not None}
    if not found:
        return ""
    out = ["<h2>How they were trained</h2>", _curves(found)]
    shown = {label: _settings(run) for label, (_, run) in found.items()}
    apart = differing([Run(run.path, shown[label]) for label, (_, run) in found.items()])
    if len(found) > 1 and apart:
        head = "<th>setting</th>" + "".join(f'<th class="text">{escape(label)}</th>' for label in found)
        rows = []
        for name, values in apart.items():
            cells = "".join(f'<td class="text">{escape(_short(value))}</td>' for value in values)
            rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
        out += ["<p>The settings in which they differ:</p>", blocks.table(head, rows)]
    for label, settings in shown.items():
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
        out.append(f"<details><summary>every setting of {escape(label)}</summary><pre>{escape(text)}</pre></details>")
    return "".join(out)


def _run(method: Method) -> Run | None:
    """The run directory of a method's first result; that of the base before it was tuned has the others' settings."""
    result = method.runs[0]
    if RUN not in result or result.get("label") == "base":
        return None
    return read_runs([result[RUN]])[0]


def _settings(run: Run) -> dict[str, Any]:
    """A run's settings, of paths only the last part: a page says nothing about where on a machine something lies."""
    kept = {key: value for key, value in run.settings.items() if value not in (None, [], {}) and key != "output_dir"}
    return {key: Path(value).name if key in PATHS and isinstance(value, str) else value for key, value in kept.items()}


def _short(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_short, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _curves(found: dict[str, tuple[int, Run]]) -> str:
    """Each run's loss as a share of its first logged one: losses of several objectives have no common scale."""
    lines = []
    for label, (place, run) in found.items():
        points = [(line["step"], line["loss"]) for line in run.steps if line["loss"] > 0]
        if len(points) > 1:
            step = -(-len(points) // MOST)
            lines.append((label, place, [(x, 100 * y / points[0][1]) for x, y in points[::step]]))
    if not lines:
        return ""
    drawings = [
        f'<div class="{name}">{plot.curves(lines, width, height, "step", "loss, % of the first")}</div>'
        for name, width, height in (("wide", 760, 300), ("narrow", 370, 300))
    ]
    return (
        f"<figure>{''.join(drawings)}<figcaption>Training loss of single batches, as a share of the first one logged: "
        "objectives have different terms, so their losses have no common scale.</figcaption></figure>"
    )
