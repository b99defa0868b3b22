"""The plot: marks where they belong, labels that cover nothing, valid SVG."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest

from compoclip.report import plot


def boxes(svg: str, size: float = 13.0) -> list[tuple[float, float, float, float]]:
    out = []
    for x, y, text in re.findall(r'<text class="label" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<', svg):
        width = 0.58 * size * len(text)
        out.append((float(x) - width / 2, float(y) - size * 0.85, float(x) + width / 2, float(y) + size * 0.15))
    return out


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


@pytest.mark.parametrize("width", [370, 760])
def test_crowded_labels_do_not_overlap(width: int) -> None:
    points = [plot.Point(f"method {i}", 60 + 0.15 * i, 70 + 0.1 * (i % 3), i, (58, 62), (69, 71)) for i in range(8)]
    svg = plot.tradeoff(points, width=width, height=400)
    found = boxes(svg)
    assert len(found) == 8
    assert not any(overlap(a, b) for i, a in enumerate(found) for b in found[:i])
    assert all(a[0] >= 0 and a[2] <= width and a[1] >= 0 for a in found)


def test_marks_lie_where_the_figures_say() -> None:
    points = [plot.Point("a", 50, 60, 1), plot.Point("b", 60, 80, 1)]
    svg = plot.tradeoff(points, width=500, height=400)
    (ax, ay), (bx, by) = [
        (float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="6.5"', svg)
    ]
    assert bx > ax
    assert by < ay
    ticks = {
        float(t): float(x)
        for x, t in re.findall(r'class="tick" x="([\d.]+)" y="[\d.]+" text-anchor="middle">([\d.]+)<', svg)
    }
    low, high = min(ticks), max(ticks)
    scale = (ticks[high] - ticks[low]) / (high - low)
    assert bx - ax == pytest.approx(10 * scale, abs=0.3)


def test_text_is_escaped_and_the_svg_is_well_formed() -> None:
    evil = '<script>"&'
    curves = [plot.Curve(evil, [(0, 50, 60), (1, 55, 65)], 1)]
    cloud = plot.Cloud([(40, 50), (45, 52)], [(evil, 40, 50)])
    svg = plot.tradeoff([plot.Point(evil, 50, 60, 0)], curves, cloud, [(evil, 55, 2)])
    assert "<script" not in svg
    assert ElementTree.fromstring(svg).tag.endswith("svg")


def test_one_point_alone_has_axes() -> None:
    svg = plot.tradeoff([plot.Point("a", 100, 100, 0)])
    assert ">100<" in svg
    assert "102" not in svg


@pytest.mark.parametrize(("low", "high"), [(0, 100), (61.2, 64.9), (49.0, 49.8), (-1, 101)])
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    found = plot.ticks(low, high)
    assert 3 <= len(found) <= 8
    assert low <= found[0]
    assert found[-1] <= high
    steps = {round(b - a, 6) for a, b in itertools.pairwise(found)}
    assert len(steps) == 1


@pytest.mark.parametrize("shape", range(plot.SHAPES))
def test_every_mark_has_its_own_shape(shape: int) -> None:
    others = {plot.mark(s, 10, 10) for s in range(plot.SHAPES) if s != shape}
    assert plot.mark(shape, 10, 10) not in others
