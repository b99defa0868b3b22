"""Pieces of the page as HTML text. Everything that came from a file or a user is escaped here and nowhere else."""

from __future__ import annotations

import base64
import difflib
import io
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image

from compoclip.report.plot import mark
from compoclip.report.pool import Cell, Column, Method, cell, rows_of
from compoclip.report.summary import signed

UNIT = re.compile(r"(?<=\d) (?=%|points\b|rows\b)")  # no line breaks between a number and what it counts
THUMBNAIL = 288  # pixels of the longer side, shown at half that so that it stays sharp on a phone


def key(method: Method) -> str:
    """The method's mark, as in the plot."""
    return (
        f'<span class="key c{method.place % 9}"><svg viewBox="0 0 18 18" aria-hidden="true">'
        f"<g>{mark(method.place, 9, 9)}</g></svg></span>"
    )


def figure(found: Cell) -> str:
    """One table cell: the figure, and below it the difference to the base with its interval."""
    if found.value is None:
        return '<td><span class="soft">not measured</span></td>'
    body = f"<b>{found.value:.1f}</b>"
    if found.spread is not None:
        body += f' <span class="soft">±{found.spread:.1f}</span>'
    if found.delta is not None:
        d = found.delta
        sign = {"better": "▲ ", "worse": "▼ ", "same": ""}[found.verdict]
        interval = "no row changed" if found.unmoved else f"[{signed(d.low)}, {signed(d.high)}]"
        body += f"<small>{sign}{signed(d.mean)}</small><small>{interval}</small>"
        return f'<td class="{found.verdict}">{body}</td>'
    if found.other_rows:
        return f'<td class="other">{body}<small>≠ other rows</small></td>'
    if found.ci95 is not None:
        body += f"<small>[{found.ci95[0]:.1f}, {found.ci95[1]:.1f}]</small>"
    return f"<td>{body}</td>"


Extra = tuple[str, Sequence[float | None]]


def figures(methods: Sequence[Method], columns: Sequence[Column], extras: Sequence[Extra] = ()) -> str:
    """A table of methods and columns; `extras` are lines below, such as what guessing gives."""
    base = methods[0]
    counts = [rows_of(base.runs[0], c) for c in columns]
    head = "".join(f"<th>{escape(c.title)}<small>n = {n:,}</small></th>" for c, n in zip(columns, counts))
    rows = []
    for method in methods:
        seeds = f"<small>{len(method.runs)} seeds</small>" if len(method.runs) > 1 else ""
        first = (
            "<small>base</small>" if method.place == base.place and len(methods) > 1 and method.label != "base" else ""
        )
        cells = "".join(figure(cell(method, base, c)) for c in columns)
        rows.append(f'<tr><th scope="row">{key(method)}{escape(method.label)}{first}{seeds}</th>{cells}</tr>')
    for title, values in extras:
        if any(v is not None for v in values):
            cells = "".join(f'<td class="soft">{v:.1f}</td>' if v is not None else "<td></td>" for v in values)
            rows.append(f'<tr class="extra"><th scope="row" class="soft">{escape(title)}</th>{cells}</tr>')
    return table(f"<th>model</th>{head}", rows)


def transposed(methods: Sequence[Method], columns: Sequence[Column], extras: Sequence[Extra] = ()) -> str:
    """The same the other way round, a line a column of `figures`: for many columns."""
    shown = [(title, values) for title, values in extras if any(v is not None for v in values)]
    head = "".join(f'<th class="whole">{key(m)}{escape(m.label)}</th>' for m in methods)
    head += "".join(f'<th class="soft">{escape(title)}</th>' for title, _ in shown)
    rows = []
    for i, column in enumerate(columns):
        cells = "".join(figure(cell(m, methods[0], column)) for m in methods)
        for _, values in shown:
            value = values[i]
            cells += "<td></td>" if value is None else f'<td class="soft">{value:.1f}</td>'
        count = f"<small>n = {rows_of(methods[0].runs[0], column):,}</small>"
        rows.append(f'<tr><th scope="row">{escape(column.title)}{count}</th>{cells}</tr>')
    return table(f"<th>benchmark</th>{head}", rows)


def table(head: str, rows: Sequence[str]) -> str:
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="table">{body}</div>'  # a page has many: no landmark
    )


def paragraphs(lines: Sequence[str], style: str = "") -> str:
    attribute = f' class="{style}"' if style else ""
    return "".join(f"<p{attribute}>{UNIT.sub(chr(0xA0), escape(line))}</p>" for line in lines)


def thumbnail(image: Image.Image) -> str:
    """A PNG as a data address: small images enlarged without smoothing, so that their pixels show as drawn."""
    image = image.convert("RGB")
    longest = max(image.size)
    if longest <= THUMBNAIL // 2:
        scale = max(1, THUMBNAIL // longest)
        image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    else:
        image.thumbnail((THUMBNAIL, THUMBNAIL))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def preference(choice: bool | float) -> str:
    """What a model did with a pair of captions: a flag, or the margin of the true caption over the false one."""
    true = choice if isinstance(choice, bool) else float(choice) > 0
    margin = "" if isinstance(choice, bool) else f" ({float(choice):+.3f})".replace("-", "−")
    return f'<span class="yes">✓ true{margin}</span>' if true else f'<span class="no">✗ false{margin}</span>'


def marked(text: str, other: str) -> str:
    """A caption with the words marked that the other one has not in their place; plain where most of it differs."""
    words, theirs = text.split(), other.split()
    low, high = [word.casefold() for word in theirs], [word.casefold() for word in words]
    matcher = difflib.SequenceMatcher(None, low, high, autojunk=False)
    out, changed = [], 0
    for tag, _, _, start, end in matcher.get_opcodes():
        if start < end:
            piece = escape(" ".join(words[start:end]))
            out.append(piece if tag == "equal" else f"<mark>{piece}</mark>")
            changed += 0 if tag == "equal" else end - start
    return " ".join(out) if 2 * changed <= len(words) else escape(text)


def example(entry: Mapping[str, Any]) -> str:
    """A card: image, both captions, and which one each model prefers."""
    rows = "".join(
        f"<li><span>{escape(str(label))}</span>{preference(choice)}</li>" for label, choice in entry["choices"].items()
    )
    kind = f'<p class="soft">{escape(str(entry["kind"]))}</p>' if entry.get("kind") else ""
    return (
        f'<div class="card">{kind}<img alt="{escape(entry["caption"], quote=True)}" src="{thumbnail(entry["image"])}">'
        f'<p><span class="yes">true</span> {marked(entry["caption"], entry["negative"])}</p>'
        f'<p><span class="no">false</span> {marked(entry["negative"], entry["caption"])}</p><ul>{rows}</ul></div>'
    )
