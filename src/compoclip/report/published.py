"""The report's section that sets the measured models among the published ones."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from compoclip.report import blocks, plot
from compoclip.report.compare import Standing, standings
from compoclip.report.pool import Method


def among_published(methods: Sequence[Method]) -> str:
    """A plot and a table for each benchmark that is in the published results, or a sentence that none is."""
    found = standings(methods)
    if found:
        return "".join(map(_standing, found))
    return (
        "<h2>Among published models</h2><p>None of the benchmarks measured here is in the published table. "
        "Evaluate sugarcrepe (all seven files) to be placed in it.</p>"
    )


def _standing(s: Standing) -> str:
    rows = []
    previous = 0
    for n in s.neighbours:
        if n.rank > previous + 1:
            rows.append('<tr><td class="soft">…</td><td></td><td></td><td></td></tr>')
        previous = n.rank
        zeroshot = "" if n.zeroshot is None else f"{n.zeroshot:.1f}"
        mine = ' class="mine"' if n.mine else ""
        rows.append(
            f"<tr{mine}><td>{escape(n.label)}</td><td>{n.rank}</td><td>{n.value:.1f}</td><td>{zeroshot}</td></tr>"
        )
    points = [plot.Point(label, z, v, place) for label, place, v, z in s.mine if z is not None]
    levels = [(label, v, place) for label, place, v, z in s.mine if z is None]
    titles = {"x_title": "zero-shot, mean of 21 sets (%)", "y_title": s.title + " (%)"}
    cloud = plot.Cloud(s.cloud, s.named)
    wide = plot.tradeoff(points, (), cloud, levels, width=760, height=460, **titles)
    narrow = plot.tradeoff(points, (), plot.Cloud(s.cloud), levels, width=370, height=380, **titles)
    lines = ["Grey dots are 202 published models (github.com/ytaek-oh/vl_compo, measured there)."]
    if levels:
        lines.append("A dashed line is a model whose zero-shot score on the 21 sets was not measured.")
    if s.warning:
        lines.append(s.warning)
    return (
        f"<h2>Among published models: {escape(s.title)}</h2>"
        f'<figure><div class="wide">{wide}</div><div class="narrow">{narrow}</div>'
        f"<figcaption>{escape(' '.join(lines))}</figcaption></figure>"
        + blocks.table(f"<th>model</th><th>rank</th><th>{escape(s.key)}</th><th>zero-shot 21</th>", rows)
    )
