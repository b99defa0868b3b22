"""Run directories side by side: where they stand, what they measured, and the settings in which they differ."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.markup import escape
from rich.table import Table

from compoclip.errors import InputError
from compoclip.io import parse_yaml, read_json, write_bytes

FIGURES = {"comp": "composition", "zeroshot": "zero-shot", "i2t": "i2t", "t2i": "t2i"}
UNSET: tuple[Any, ...] = (None, [], {})  # a run of an older version lacks a setting that is empty by default
OWN = {"output_dir"}  # settings in which every two runs differ


@dataclass(frozen=True)
class Run:
    """One run directory. `steps` are the logged lines of metrics.jsonl; `base` and `tuned` the summaries of results."""

    path: Path
    settings: dict[str, Any]
    steps: list[dict[str, float]] = field(default_factory=list)
    base: dict[str, Any] = field(default_factory=dict)
    tuned: dict[str, Any] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """`finished`, or how far it came."""
        if self.tuned:
            return "finished"
        return f"at step {int(self.steps[-1]['step'])}" if self.steps else "no step yet"


def read_runs(folders: Sequence[str | Path]) -> list[Run]:
    """The runs in some folders, each a run directory or a folder that contains some, by path.

    Raises InputError for a folder that is none and contains none.
    """
    found: dict[Path, None] = {}
    for folder in map(Path, folders):
        inside = (
            [folder] if (folder / "config.yaml").is_file() else sorted(p.parent for p in folder.glob("*/config.yaml"))
        )
        if not inside:
            raise InputError(f"{folder}: no run directory here, nor in the folders directly below (no config.yaml)")
        found.update(dict.fromkeys(inside))
    return [_read(path) for path in found]


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Settings by name that are not the same in all runs, one value a run."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    rows = {name: [run.settings.get(name) for run in runs] for name in names if name not in OWN}
    same = {name: [None if value in UNSET else value for value in values] for name, values in rows.items()}
    return {name: rows[name] for name, values in same.items() if any(value != values[0] for value in values)}


def runs_table(runs: Sequence[Run]) -> Table:
    """One row a run: recipe, model, state, last loss, and each figure with its difference to the run's own base."""
    shown = [name for name in FIGURES if any(run.tuned.get(name) is not None for run in runs)]
    out = Table(caption="percent; second line: difference to the run's own base")
    for title in ("run", "recipe", "model", "state", "loss", *(FIGURES[name] for name in shown)):
        out.add_column(title, overflow="fold")
    for run in runs:
        loss = f"{run.steps[-1]['loss']:.3f}" if run.steps and "loss" in run.steps[-1] else "–"
        cells = [str(run.path), str(run.settings.get("recipe", "–")), _model(run.settings), run.state, loss]
        out.add_row(*(escape(cell) for cell in cells), *(_figure(run, name) for name in shown))
    return out


def settings_table(runs: Sequence[Run]) -> Table | None:
    """The settings that differ, one row a setting; None where none does."""
    rows = differing(runs)
    if not rows:
        return None
    out = Table(title="settings that differ")
    for title in ("setting", *(run.path.name for run in runs)):
        out.add_column(escape(title), overflow="fold")
    for name, values in rows.items():
        out.add_row(name, *("–" if value in UNSET else escape(str(value)) for value in values))
    return out


def _model(settings: dict[str, Any]) -> str:
    name = str(settings.get("model") or "–")
    return f"{name}:{tag}" if (tag := settings.get("pretrained")) and name != "tiny" else name


def draw_curves(runs: Sequence[Run], path: str | Path) -> None:
    """Loss over steps, one line a run, as .png, .svg or .pdf. Raises InputError where no run logged a step."""
    path = Path(path)
    drawn = [run for run in runs if run.steps]
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"{path}: curves are written as .png, .svg or .pdf")
    if not drawn:
        raise InputError("none of these runs has logged a step yet")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    styles = ("-", "--", ":", "-.")
    for index, run in enumerate(drawn):
        points = [(line["step"], line["loss"]) for line in run.steps if "loss" in line]
        axis.plot(*zip(*points), styles[index % len(styles)], label=str(run.path), linewidth=1.8)
    axis.set_xlabel("step")
    axis.set_ylabel("loss")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lower()[1:], dpi=120)
    pyplot.close(figure)
    write_bytes(path, buffer.getvalue())


def _read(path: Path) -> Run:
    try:
        settings = parse_yaml((path / "config.yaml").read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise InputError(f"{path / 'config.yaml'}: not valid YAML") from None
    if not isinstance(settings, dict):
        raise InputError(f"{path / 'config.yaml'}: expected a mapping of settings")
    return Run(path, settings, _steps(path), _summary(path, "results-base.json"), _summary(path, "results.json"))


def _steps(path: Path) -> list[dict[str, float]]:
    """The whole lines of metrics.jsonl; one that a kill cut short ends it."""
    file, out = path / "metrics.jsonl", []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            break
        if isinstance(row, dict) and "step" in row and "loss" in row:
            out.append(row)
    return out


def _summary(path: Path, name: str) -> dict[str, Any]:
    value = read_json(path / name) if (path / name).is_file() else {}
    summary = value.get("summary") if isinstance(value, dict) else None
    return summary if isinstance(summary, dict) else {}


def _figure(run: Run, name: str) -> str:
    after, before = _number(run.tuned.get(name)), _number(run.base.get(name))
    if after is None:
        return "–"
    return f"{after:.1f}" + ("" if before is None else f"\n{after - before:+.1f}")


def _number(value: Any) -> float | None:
    """A figure of a summary: a number, or an entry with its `score`."""
    value = value.get("score") if isinstance(value, dict) else value
    return float(value) if isinstance(value, (int, float)) else None
