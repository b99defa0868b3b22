"""One self-contained HTML page: no script, nothing fetched, readable on a phone and in the dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from compoclip.errors import InputError
from compoclip.io import write_text
from compoclip.report import blocks, plot, summary
from compoclip.report import pool as pools
from compoclip.report.examples import from_logs
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
    summary_columns,
    task_columns,
)
from compoclip.report.published import among_published
from compoclip.report.style import CSS, standalone
from compoclip.report.tables import write_tables
from compoclip.report.task_detail import footer, how_measured
from compoclip.report.training import how_trained

Curves = Mapping[str, Sequence[tuple[float, float, float]]]

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
ALONE = "Figures are percent; in brackets, the range in which each would fall with other test images of its kind."
HOW_TO_READ = (
    "Large figures are percent. Below them: the difference to the base, in points, with its 95 % interval. "
    "▲ on green is significantly better (the interval excludes 0), ▼ on red significantly worse, no sign means that "
    "the difference may be luck. A figure with “≠ other rows” was measured on other rows than the base's and says "
    "nothing about a difference."
)


def write_report(
    results: Sequence[Results],
    out_dir: str | Path,
    *,
    base: int = 0,
    curves: Curves | None = None,
    examples: Sequence[Mapping[str, Any]] | None = None,
    title: str = "Composition against knowledge",
    notes: Sequence[str] | str | None = None,
    against: str | None = None,
) -> Path:
    """Write `report.html` into `out_dir` and return its path; beside it the same figures as `report.md`, `report.csv`,
    `gains.svg` and `gains.png`, and `tradeoff.svg` where composition and zero-shot recognition were measured.

    `results` are results of `evaluate`, all on the same data; `results[base]` is what differences are taken to, and
    runs of equal `label` are pooled as seeds of one method. `curves` gives blends by method label as (alpha, comp,
    zeroshot) in percent; `examples` are dicts with `image` (PIL), `caption`, `negative`, `choices` (label -> bool, True
    where the true caption is preferred, or the margin) and perhaps `kind`, taken from the row logs where not given;
    `notes` are sentences below the headline; `against="published"` sets the models among the 202 of vl_compo.
    Raises InputError for no results and for another `against`.

    title: of the page.

    Example: write_report(load_results(["base.json", "runs/fsc"]), "report")
    """
    if against not in (None, "published"):
        raise InputError(f"--against {against!r} is unknown; use published")
    methods = pool(results, base)
    plots = _plots(methods, curves or {})
    found = lead(methods)
    lines = [notes] if isinstance(notes, str) else list(notes or ())
    body = [
        f"<h1>{escape(title)}</h1>",
        blocks.paragraphs([summary.introduction(methods)]),
        f'<div class="lead">{blocks.paragraphs(found)}</div>',
        blocks.paragraphs(lines),
        _tradeoff(plots, methods, blends=bool(curves)),
        _summary(methods),
        _part(methods, "composition", "Composition, by kind"),
        _part(methods, "zeroshot", "Zero-shot recognition, by set"),
        _part(methods, "retrieval", "Retrieval"),
        _part(methods, "probe", "Linear probe, by set"),
        _examples(from_logs(methods) if examples is None else examples, picked=examples is None),
        among_published(methods) if against else "",
        _glossary(methods, blends=bool(curves) or "blend" in " ".join(found)),
        how_trained(methods),
        how_measured(methods),
        footer(methods),
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )
    path = Path(out_dir) / "report.html"
    write_text(path, page)
    if plots:
        write_text(path.with_name("tradeoff.svg"), standalone(plots[0]))
    write_tables(
        results if base == 0 else [run for m in methods for run in m.runs], path.parent, title, [*found, *lines]
    )
    return path


def _column(methods: Sequence[Method], key: str) -> list[Cell]:
    for column in summary_columns(methods):
        if column.summary == key:
            return [cell(m, methods[0], column) for m in methods]
    return []


def lead(methods: Sequence[Method]) -> list[str]:
    """What the figures say, what text alone does, and what to do next."""
    columns = {column.summary: column for column in summary_columns(methods)}
    comp, zeroshot = _column(methods, "comp"), _column(methods, "zeroshot")
    retrieval = [_column(methods, key) for key in ("i2t", "t2i")]
    rows = rows_of(methods[0].runs[0], columns["comp"]) if "comp" in columns else 0
    what = f"composition that {pools.NEEDS_IMAGE}" if pools.needs_image(methods) else "composition"
    out = summary.headline(methods, comp, zeroshot, rows, what)
    if "comp" in columns:
        beside = {name: _beside(methods[0].runs[0], columns["comp"], name) for name in summary.CONTROLS}
        guessing = _beside(methods[0].runs[0], columns["comp"], "chance")
        out += summary.without_looking(methods, comp, beside, 50.0 if guessing is None else guessing)
        kinds = {c.title: [cell(m, methods[0], c) for m in methods] for c in subset_columns(methods, "composition")}
        out += summary.kinds_lost(methods, kinds)
    return out + summary.advice(methods, comp, [zeroshot, *retrieval])


def _range(found: Cell) -> tuple[float, float] | None:
    if found.spread is not None and found.value is not None:
        return found.value - found.spread, found.value + found.spread
    return found.ci95


def _plots(methods: Sequence[Method], curves: Curves) -> tuple[str, str] | None:
    """Composition over zero-shot for a wide and for a narrow window; None for fewer than two models."""
    comp, zeroshot = _column(methods, "comp"), _column(methods, "zeroshot")
    points = [
        plot.Point(m.label, z.value, c.value, m.place, _range(z), _range(c))
        for m, c, z in zip(methods, comp, zeroshot)
        if c.value is not None and z.value is not None
    ]
    if len(points) < 2:
        return None
    places = {m.label: m.place for m in methods}
    lines = [
        plot.Curve(label, [(a, z, c) for a, c, z in curve], places.get(label, 0)) for label, curve in curves.items()
    ]
    upwards = f"composition that {pools.NEEDS_IMAGE} (%)" if pools.needs_image(methods) else "composition (%)"
    wide = plot.tradeoff(points, lines, width=760, height=470, y_title=upwards)
    narrow = plot.tradeoff(points, lines, width=370, height=390, x_title="zero-shot recognition (%)", y_title=upwards)
    return wide, narrow


def _tradeoff(plots: tuple[str, str] | None, methods: Sequence[Method], blends: bool) -> str:
    if plots is None:
        return ""
    wide, narrow = plots
    seeds = any(len(m.runs) > 1 for m in methods)
    whiskers = "one standard deviation over seeds where there are several, else 95 % intervals of each figure alone"
    joined = (
        " Curves join blends of the base's and the tuned weights; a blend that lies up and to the right of a "
        "method's own mark is better in both."
        if blends
        else ""
    )
    return (
        "<h2>What was gained, and what was forgotten</h2>"
        f'<figure><div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
        "<figcaption>Up is better at composition, right is better at recognising things. Dotted lines cross at the "
        "base: a method above the level line gained composition, one to the left of the upright line forgot something. "
        f"Thin bars: {whiskers if seeds else '95 % intervals of each figure alone'}.{joined}</figcaption></figure>"
    )


def _summary(methods: Sequence[Method]) -> str:
    columns = summary_columns(methods)
    if not columns:
        return ""
    reading = blocks.paragraphs([HOW_TO_READ if len(methods) > 1 else ALONE], "soft")
    extras = _extras(methods[0], columns)
    return "<h2>Every model in one table</h2>" + blocks.figures(methods, columns, extras) + reading


def _extras(base: Method, columns: Sequence[Column]) -> list[blocks.Extra]:
    """Lines below a table: what guessing gives, and what text alone gives."""
    tricks = [(title.format(base=base.label), name) for name, title in summary.CONTROLS.items()]
    lines = [("guessing", "chance"), *tricks]
    return [(title, [_beside(base.runs[0], column, name) for column in columns]) for title, name in lines]


def _beside(run: Results, column: Column, name: str) -> float | None:
    """Chance or a control of a column, averaged as its figure is; None where a subset has none."""
    found, total = 0.0, 0.0
    for task, subset, weight in column.strata if column.metric in ("accuracy", "score") else ():
        entry = run["tasks"].get(task, {}).get("subsets", {}).get(subset, {})
        value = entry.get("chance") if name == "chance" else (entry.get("controls") or {}).get(name)
        if value is None:
            return None
        found, total = found + weight * value, total + weight
    return found / total if total else None


def _part(methods: Sequence[Method], part: str, heading: str) -> str:
    columns = recall_columns(methods) if part == "retrieval" else subset_columns(methods, part)
    if not columns:
        return ""
    out = [f"<h2>{escape(heading)}</h2>"]
    if part == "retrieval":
        for name, own in _by_set(columns):
            out += [f"<h3>{escape(name)}</h3>"] * bool(name)
            out.append(blocks.figures(methods, own, _extras(methods[0], own)))
        return "".join(out)
    tasks = {column.strata[0][0]: None for column in columns}
    if len(tasks) == 1 and part == "composition" and pools.needs_image(methods):
        return "".join(out) + _by_need(methods, columns)
    if len(tasks) == 1:
        return "".join(out) + blocks.figures(methods, columns, _extras(methods[0], columns)) + _kinds(columns)
    scores = task_columns(methods, part)
    if len(scores) > 1:
        out = [f"<h2>{escape(heading.split(',')[0])}, by benchmark</h2>"]
        out.append(blocks.transposed(methods, scores, _extras(methods[0], scores)))
    for task in tasks:
        own = [replace(c, title=c.title.removeprefix(f"{task}: ")) for c in columns if c.strata[0][0] == task]
        body = blocks.figures(methods, own, _extras(methods[0], own)) + _kinds(own)
        out.append(f"<details><summary>{escape(task)}</summary>{body}</details>")
    return "".join(out)


def _by_need(methods: Sequence[Method], columns: Sequence[Column]) -> str:
    """A table for each average by which the task says what its kinds ask, the average first."""
    out = []
    for title in pools.PARTED:
        for average in pools.part_columns(methods, title):
            names = {name for _, name, _ in average.strata}
            own = [replace(average, title="mean"), *(c for c in columns if c.strata[0][1] in names)]
            out.append(f"<h3>{escape(title[0].upper() + title[1:])}</h3>")
            out.append(blocks.paragraphs([summary.NEEDS[title]], "soft"))
            out.append(blocks.figures(methods, own, _extras(methods[0], own)) + _kinds(own))
    return "".join(out)


def _by_set(columns: Sequence[Column]) -> list[tuple[str, list[Column]]]:
    """Retrieval columns by the set that they are of, its name taken off their titles; "" where there is one set."""
    sets: dict[tuple[str, str], list[Column]] = {}
    for column in columns:
        task, name, _ = column.strata[0]
        title = column.title.rsplit(": ", 1)[-1]
        sets.setdefault((task, name.rsplit("/", 1)[0]), []).append(replace(column, title=title))
    return [(name if len(sets) > 1 else "", own) for (_, name), own in sets.items()]


def _kinds(columns: Sequence[Column]) -> str:
    """What the false captions of each kind get wrong, where it is known."""
    told = {name: summary.KINDS[name] for c in columns for _, name, _ in c.strata if name in summary.KINDS}
    if not told:
        return ""
    entries = "; ".join(f"<b>{escape(name)}</b>: {escape(text)}" for name, text in told.items())
    return f'<p class="soft">What is wrong with the false caption. {entries}.</p>'


PICKED = (
    "They are not a fair sample: of each kind it is the first row that the models disagree on, or else one that is "
    "judged wrongly; of your own photos the first that was won and the first that was lost. In brackets, by how much "
    "the true caption's score is higher."
)


def _examples(examples: Sequence[Mapping[str, Any]], picked: bool = False) -> str:
    if not examples:
        return ""
    how = f" {escape(PICKED)}" if picked else ""
    cards = "".join(blocks.example(e) for e in examples)
    return (
        "<h2>Look for yourself</h2><p>Each image comes with a true caption and a false one. "
        f"Which one does each model give the higher score?{how}</p>"
        f'<div class="cards">{cards}</div>'
    )


def _glossary(methods: Sequence[Method], blends: bool) -> str:
    """What the words mean, of those that this page has."""
    absent = {term for term, key in summary.ONLY_WITH.items() if not _column(methods, key)}
    absent |= set() if blends else {"blend (WiSE-FT)"}
    told = [entry for entry in summary.GLOSSARY if entry[0] not in absent]
    entries = "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in told)
    return f"<h2>What the words mean</h2><dl>{entries}</dl>"
