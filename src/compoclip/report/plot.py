"""Plots as SVG text: composition against zero-shot, one point a method; no library, colours from the page's style.

Marks differ in shape as well as colour, and labels are placed so that none covers another label or a mark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

SHAPES = 7  # shapes a mark may have; colours are the page's --c0 to --c8


@dataclass(frozen=True)
class Point:
    """A method: `x` and `y` in percent, their intervals, and the place that picks colour and shape."""

    label: str
    x: float
    y: float
    place: int
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Curve:
    """Blends from base to tuned: (alpha, x, y) in order of alpha."""

    label: str
    points: Sequence[tuple[float, float, float]]
    place: int


@dataclass(frozen=True)
class Cloud:
    """Other people's models: small grey dots, a few of them named."""

    points: Sequence[tuple[float, float]]
    named: Sequence[tuple[str, float, float]] = ()


@dataclass
class Frame:
    """Maps percent to pixels and keeps track of the space that is taken."""

    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    left: float = 46
    right: float = 14
    top: float = 12
    bottom: float = 44
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.width - self.left - self.right)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return self.height - self.bottom - (value - low) / (high - low) * (self.height - self.top - self.bottom)

    def take_line(self, corners: Sequence[tuple[float, float]], every: float = 8.0) -> None:
        """Mark the space along a line as taken, in small boxes `every` so many pixels."""
        for (x0, y0), (x1, y1) in pairwise(corners):
            parts = max(1, round(math.dist((x0, y0), (x1, y1)) / every))
            spots = [(x0 + (x1 - x0) * i / parts, y0 + (y1 - y0) * i / parts) for i in range(parts + 1)]
            self.taken += [(x - 3, y - 3, x + 3, y + 3) for x, y in spots]

    def cost(self, box: tuple[float, float, float, float]) -> float:
        """How much of the box is taken, or lies outside."""
        x0, y0, x1, y1 = box
        total = 0.0
        for a0, b0, a1, b1 in self.taken:
            total += max(0.0, min(x1, a1) - max(x0, a0)) * max(0.0, min(y1, b1) - max(y0, b0))
        outside = max(0, self.left - x0) + max(0, x1 - self.width + 2) + max(0, self.top - y0)
        return total + 50 * (outside + max(0, y1 - self.height + self.bottom))


def span(
    values: Sequence[float], least: float = 4.0, within: tuple[float, float] = (0.0, 100.0)
) -> tuple[float, float]:
    """A range around the values with a margin, never narrower than `least` points."""
    low, high = min(values), max(values)
    margin = max((high - low) * 0.12, least / 2 - (high - low) / 2, 0.6)
    return max(within[0] - 1.0, low - margin), min(within[1] + 1.0, high + margin)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between low and high, at most about `most`."""
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 6) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def mark(shape: int, x: float, y: float, r: float = 6.5) -> str:
    """A mark as an SVG element; the class of the group around it gives its colour."""
    k = shape % SHAPES
    if k == 1:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}"/>'
    corners = {
        0: [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        2: [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
        3: [(0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
        4: [(0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
        5: [(1.15 * math.cos(a), -1.15 * math.sin(a)) for a in (math.pi * (0.5 + 0.4 * i) for i in range(5))],
        6: [(-0.35, -1.2), (0.35, -1.2), (0.35, -0.35), (1.2, -0.35), (1.2, 0.35), (0.35, 0.35), (0.35, 1.2),
            (-0.35, 1.2), (-0.35, 0.35), (-1.2, 0.35), (-1.2, -0.35), (-0.35, -0.35)],
    }[k]  # fmt: skip
    return '<polygon points="' + " ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in corners) + '"/>'


def _axes(frame: Frame, x_title: str, y_title: str) -> list[str]:
    out = []
    bottom, right = frame.height - frame.bottom, frame.width - frame.right
    for t in ticks(*frame.x_range):
        x = frame.x(t)
        out.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{bottom}"/>')
        out.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{t:g}</text>')
    for t in ticks(*frame.y_range):
        y = frame.y(t)
        out.append(f'<line class="grid" x1="{frame.left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="tick" x="{frame.left - 6}" y="{y + 4:.1f}" text-anchor="end">{t:g}</text>')
    middle = (frame.left + right) / 2
    out.append(
        f'<text class="axis" x="{middle:.0f}" y="{frame.height - 8}" text-anchor="middle">{escape(x_title)}</text>'
    )
    y = (frame.top + bottom) / 2
    out.append(
        f'<text class="axis" x="13" y="{y:.0f}" text-anchor="middle" transform="rotate(-90 13 {y:.0f})">'
        f"{escape(y_title)}</text>"
    )
    return out


def _label(
    frame: Frame, text: str, x: float, y: float, size: float = 13.0, style: str = "label", lead_from: float = 26
) -> str:
    """The text at the free place nearest to (x, y), with a thin line back where that is far."""
    width, height = 0.58 * size * len(text) + 4, size + 2
    best: tuple[float, float, float, int, int] | None = None
    for distance in (9, 16, 26, 40, 58, 80):
        for angle in range(0, 360, 30):
            cx = x + math.cos(math.radians(angle)) * (distance + width / 2)
            cy = y - math.sin(math.radians(angle)) * (distance + height / 2)
            box = (cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2)
            cost = frame.cost(box) + 0.5 * distance
            if best is None or cost < best[0]:
                best = (cost, cx, cy, distance, angle)
    assert best is not None
    _, cx, cy, far, _ = best
    frame.taken.append((cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2))
    line = ""
    if far > lead_from:
        edge_x = min(max(x, cx - width / 2), cx + width / 2)
        edge_y = min(max(y, cy - height / 2), cy + height / 2)
        line = f'<line class="lead" x1="{x:.1f}" y1="{y:.1f}" x2="{edge_x:.1f}" y2="{edge_y:.1f}"/>'
    place = f'x="{cx:.1f}" y="{cy + size * 0.35:.1f}" text-anchor="middle"'
    return f'{line}<text class="{style}" {place}>{escape(text)}</text>'


def _whisker(frame: Frame, p: Point) -> str:
    out = ""
    if p.x_range is not None:
        x0, x1 = frame.x(p.x_range[0]), frame.x(p.x_range[1])
        frame.taken.append((x0, frame.y(p.y) - 2, x1, frame.y(p.y) + 2))
        out += f'<line class="whisker" x1="{x0:.1f}" x2="{x1:.1f}" y1="{frame.y(p.y):.1f}" y2="{frame.y(p.y):.1f}"/>'
    if p.y_range is not None:
        y0, y1 = frame.y(p.y_range[0]), frame.y(p.y_range[1])
        frame.taken.append((frame.x(p.x) - 2, y1, frame.x(p.x) + 2, y0))
        out += f'<line class="whisker" x1="{frame.x(p.x):.1f}" x2="{frame.x(p.x):.1f}" y1="{y0:.1f}" y2="{y1:.1f}"/>'
    return out


def curves(
    lines: Sequence[tuple[str, int, Sequence[tuple[float, float]]]], width: float, height: float, x: str, y: str
) -> str:
    """Lines over a common axis as an SVG, each (name, place that gives its colour, points), named at their ends."""
    xs = [point[0] for _, _, points in lines for point in points]
    ys = [point[1] for _, _, points in lines for point in points]
    room = 0.15 * (max(xs) - min(xs))  # for the names at the ends
    frame = Frame(width, height, (min(xs), max(xs) + room), span(ys, within=(0.0, math.inf)))
    body = _axes(frame, x, y)
    for _, place, points in lines:
        frame.take_line([(frame.x(a), frame.y(b)) for a, b in points])
        path = " ".join(f"{frame.x(a):.1f},{frame.y(b):.1f}" for a, b in points)
        body.append(f'<g class="c{place % 9}"><polyline class="curve" points="{path}"/></g>')
    ends = [(name, place, frame.x(points[-1][0]), frame.y(points[-1][1])) for name, place, points in lines]
    body += [f'<g class="c{place % 9}">{mark(place, x, y, 5)}</g>' for _, place, x, y in ends]
    highest = sorted(
        ends, key=lambda end: end[3]
    )  # so that of two ends close together the upper one has the upper name
    body += [_label(frame, name, x, y, lead_from=10) for name, _, x, y in highest]
    title = f"{y} over {x}: {', '.join(name for name, *_ in lines)}"
    label = f'role="img" aria-label="{escape(title, quote=True)}"'
    return f'<svg viewBox="0 0 {width:g} {height:g}" {label}>{"".join(body)}</svg>'


def tradeoff(
    points: Sequence[Point],
    curves: Sequence[Curve] = (),
    cloud: Cloud | None = None,
    levels: Sequence[tuple[str, float, int]] = (),
    width: float = 640,
    height: float = 440,
    x_title: str = "zero-shot recognition (%): what it still knows",
    y_title: str = "composition (%)",
) -> str:
    """Composition over zero-shot as an SVG element: points, blend curves, other models, and horizontal `levels`."""
    xs = [v for p in points for v in (p.x, *(p.x_range or ()))] + [x for c in curves for _, x, _ in c.points]
    ys = [v for p in points for v in (p.y, *(p.y_range or ()))] + [y for c in curves for _, _, y in c.points]
    ys += [y for _, y, _ in levels]
    if cloud is not None:
        xs, ys = xs + [x for x, _ in cloud.points], ys + [y for _, y in cloud.points]
    frame = Frame(width, height, span(xs), span(ys))
    out = _axes(frame, x_title, y_title)
    if points and cloud is None:
        x, y = frame.x(points[0].x), frame.y(points[0].y)
        out.append(f'<line class="cross" x1="{frame.left}" x2="{width - frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<line class="cross" x1="{x:.1f}" x2="{x:.1f}" y1="{frame.top}" y2="{height - frame.bottom}"/>')
        frame.taken.append((frame.left, y - 1, width - frame.right, y + 1))
        frame.taken.append((x - 1, frame.top, x + 1, height - frame.bottom))
    for x, y in cloud.points if cloud is not None else ():
        out.append(f'<circle class="cloud" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2.6"/>')
        frame.taken.append((frame.x(x) - 3, frame.y(y) - 3, frame.x(x) + 3, frame.y(y) + 3))
    for curve in curves:
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for _, x, y in curve.points)
        dots = "".join(f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2"/>' for _, x, y in curve.points)
        out.append(f'<g class="c{curve.place % 9}"><polyline class="curve" points="{path}"/>{dots}</g>')
        frame.take_line([(frame.x(x), frame.y(y)) for _, x, y in curve.points])
    levels_at: list[tuple[str, float]] = []
    for label, y, place in levels:
        ends = f'x1="{frame.left}" x2="{width - frame.right}" y1="{frame.y(y):.1f}" y2="{frame.y(y):.1f}"'
        out.append(f'<g class="c{place % 9}"><line class="level" {ends}/></g>')
        frame.taken.append((frame.left, frame.y(y) - 2, width - frame.right, frame.y(y) + 2))
        levels_at.append((label, frame.y(y)))
    for p in points:
        x, y = frame.x(p.x), frame.y(p.y)
        frame.taken.append((x - 9, y - 9, x + 9, y + 9))
        title = f"<title>{escape(p.label)}: composition {p.y:.1f}, zero-shot {p.x:.1f}</title>"
        out.append(f'<g class="c{p.place % 9}">{_whisker(frame, p)}{mark(p.place, x, y)}{title}</g>')
    out += [_label(frame, p.label, frame.x(p.x), frame.y(p.y)) for p in points]
    out += [_label(frame, label, width - frame.right - 70, y, lead_from=100) for label, y in levels_at]
    for name, x, y in cloud.named if cloud is not None else ():
        out.append(f'<circle class="ring" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="4.5"/>')
        out.append(_label(frame, name, frame.x(x), frame.y(y), 11.0, "name", lead_from=10))
    words = escape(f"{y_title} against {x_title}")
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{words}" xmlns="http://www.w3.org/2000/svg">'
        + "".join(out)
        + "</svg>"
    )
