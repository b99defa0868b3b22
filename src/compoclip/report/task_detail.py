"""The report's last sections: how every figure was measured, with what, and of which models."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from compoclip.report import blocks
from compoclip.report.pool import Method, pairwise_tests


def how_measured(methods: Sequence[Method]) -> str:
    """Per task: rule, version, and for each subset rows, missing rows, ties and chance."""
    out = ["<h2>How it was measured</h2>"]
    run = methods[0].runs[0]
    for task, entry in run["tasks"].items():
        rows = []
        for name, s in entry["subsets"].items():
            ties = " / ".join(str(_entry(m, task, name).get("ties", "")) for m in methods)
            chance = "" if s.get("chance") is None else f"{s['chance']:.1f}"
            cells = f"<td>{s['n']:,}</td><td>{s['missing']:,}</td><td>{escape(ties)}</td><td>{chance}</td>"
            rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
        facts = [
            f"Score: the average “{entry['rule']}”. Rule: {entry.get('ties', 'strict')}. "
            f"Task version {entry.get('version', '?')}."
        ]
        head = "<th>subset</th><th>rows</th><th>missing</th><th>ties (each model)</th><th>guessing</th>"
        body = blocks.paragraphs(facts, "soft") + blocks.table(head, rows)
        body += _averages(methods, task, entry) + _pairwise(methods, task)
        out.append(f"<details><summary>{escape(task)}</summary>{body}</details>")
    skipped = {k: v for m in methods for r in m.runs for k, v in r.get("skipped", {}).items()}
    out += [f'<p class="soft">Not measured: {escape(k)} ({escape(v)})</p>' for k, v in skipped.items()]
    return "".join(out)


def _averages(methods: Sequence[Method], task: str, entry: dict[str, Any]) -> str:
    """Every way to average a task (SugarCrepe without ADD, ARO's two halves), for each model; seeds averaged."""
    rows = []
    for name in entry.get("scores", {}):
        cells = []
        for method in methods:
            found = [run["tasks"].get(task, {}).get("scores", {}).get(name) for run in method.runs]
            known = [v for v in found if v is not None]
            cells.append(f"<td>{sum(known) / len(known):.1f}</td>" if known else "<td></td>")
        rows.append(f"<tr><td>{escape(name)}</td>{''.join(cells)}</tr>")
    head = "<th>average</th>" + "".join(f"<th>{escape(m.label)}</th>" for m in methods)
    return blocks.table(head, rows) if rows else ""


def _pairwise(methods: Sequence[Method], task: str) -> str:
    """Rows that one of two models alone has right, with McNemar's exact test, for every method against the base."""
    out = []
    base = methods[0]
    for method in methods[1:]:
        rows = [
            f"<tr><td>{escape(d.subset)}</td><td>{d.found.only_first:,}</td><td>{d.found.only_second:,}</td>"
            f"<td>{'&lt;0.001' if d.found.p < 0.001 else format(d.found.p, '.3f')}</td></tr>"
            for d in pairwise_tests(method, base)
            if d.task == task
        ]
        if rows:
            only = (f"<th>only {escape(m.label)} right</th>" for m in (base, method))
            head = f"<th>row by row</th>{''.join(only)}<th>p (McNemar)</th>"
            out.append(blocks.table(head, rows))
    return "".join(out)


def _entry(method: Method, task: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = method.runs[0]["tasks"].get(task, {}).get("subsets", {}).get(name, {})
    return found


def footer(methods: Sequence[Method]) -> str:
    """Packages, versions, the models and the command."""
    run = methods[0].runs[0]
    environment = run.get("environment", {})
    packages = ", ".join(f"{k} {v}" for k, v in environment.get("packages", {}).items())
    lines = [
        f"Python {environment.get('python', '?')} on {environment.get('platform', '?')}; {packages}.",
        f"Results schema {run['schema']}, metrics version {run.get('settings', {}).get('metrics_version', '?')}, "
        f"bootstrap seed {run.get('settings', {}).get('seed', '?')}.",
    ]
    models = []
    for method in methods:
        info = method.runs[0].get("model", {})
        facts = [str(info[k]) for k in ("name", "pretrained", "activation") if info.get(k)]
        if info.get("sha256"):
            facts.append(f"sha256 {str(info['sha256'])[:12]}")
        models.append(f"<li>{escape(method.label)}: {escape(', '.join(facts) or 'no facts given')}</li>")
    command = environment.get("command", "")
    shown = f"<p>Command: <code>{escape(command)}</code></p>" if command else ""
    return f"<footer>{blocks.paragraphs(lines)}{shown}<p>Models:</p><ul>{''.join(models)}</ul></footer>"
