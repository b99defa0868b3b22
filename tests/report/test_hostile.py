"""A results file may come from anywhere: nothing in it becomes HTML of the page, and what is no figure is said."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from compoclip.errors import InputError
from compoclip.report import load_results, table, write_report

from .made import BASE, GAINS

PAYLOAD = "\"'><script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>x</a>"
ALLOWED = {"src": "data:image/png;base64,", "style": ""}


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name.startswith("on") or (name in ("href", "src") and not str(value).startswith("data:image/png")):
                self.found.append(f"<{tag} {name}={value!r}>")
        if tag in ("script", "a", "iframe", "object", "embed", "form", "base", "link"):
            self.found.append(tag)


def acts(page: str) -> list[str]:
    parser = Page()
    parser.feed(page)
    return parser.found


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every leaf and every name in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield (*path, 0)


def changed(results: dict[str, Any], path: tuple[Any, ...], rename: bool, value: Any = PAYLOAD) -> dict[str, Any]:
    out = copy.deepcopy(results)
    item: Any = out
    for key in path[:-1]:
        item = item[key]
    if rename:
        item[PAYLOAD] = item.pop(path[-1])
    else:
        item[path[-1]] = value
    return out


PLACES = sorted(set(places(GAINS)), key=str)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure beside the page is no part of it, and takes two thirds of the time of a page."""
    monkeypatch.setattr("compoclip.report.tables.drawn", lambda found, labels: {})


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_no_entry_of_a_results_file_becomes_html(tmp_path: Path) -> None:
    shown = 0
    for rename in (False, True):
        for path in PLACES:
            if rename and not isinstance(path[-1], str):
                continue
            file = tmp_path / "results.json"
            file.write_text(json.dumps(changed(GAINS, path, rename)))
            # the page tells some facts of the first results alone, so that both have the payload
            (tmp_path / "base.json").write_text(json.dumps(changed(BASE, path, rename)))
            try:
                loaded = load_results([tmp_path / "base.json", file])
                page = write_report(loaded, tmp_path / "out", against="published").read_text("utf-8")
                table(loaded, detail=True)
            except InputError:
                continue
            assert acts(page) == [], path
            shown += "&lt;script&gt;" in page
    assert shown > 10  # names of tasks, subsets, averages, labels and models do reach the page, as text


@pytest.mark.usefixtures("undrawn")
def test_the_same_results_handed_over_in_python_become_no_html(tmp_path: Path) -> None:
    for path in PLACES:
        results = changed(GAINS, path, rename=False)
        try:
            page = write_report([BASE, results], tmp_path).read_text("utf-8")
        except (InputError, TypeError, ValueError, AttributeError, KeyError):
            continue
        assert acts(page) == [], path


SUBSET = ("tasks", "world", "subsets", "k0")


@pytest.mark.parametrize("value", ["<b>1</b>", [1], {"a": 1}, True, float("nan"), float("inf"), -1, 10**400])
@pytest.mark.parametrize("path", [(*SUBSET, "ties"), (*SUBSET, "n"), (*SUBSET, "missing")])
def test_counts_that_are_none_are_named(path: tuple[str, ...], value: Any, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(changed(GAINS, path, False, value)))
    with pytest.raises(InputError, match=rf"results.json: tasks.world.subsets.k0.{path[-1]} is .* and not a count"):
        load_results([file])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*SUBSET, "accuracy"), "50"),
        ((*SUBSET, "ci95"), [1.0]),
        ((*SUBSET, "ci95"), ["a", "b"]),
        ((*SUBSET, "hits"), {"n": 10**12, "bits": "AAAA"}),
        ((*SUBSET, "hits"), {"n": 2, "values": ["a", "b"]}),
        (("tasks", "world", "score"), float("nan")),
        (("tasks", "world", "weights"), {"r": {"k0": "1"}}),
        (("tasks", "world", "scores"), [1]),
        (("summary",), {"comp": "high"}),
        (("summary",), [1]),
        (("label",), {"a": 1}),
        (("environment", "packages"), {"torch": 2}),
        (("skipped",), {"a": None}),
        ((*SUBSET, "clusters"), [["a", 1]]),
        ((*SUBSET, "clusters"), [[1, None]]),
        ((*SUBSET, "clusters"), [[10**9, 10**9]]),
        ((*SUBSET, "clusters"), [[7, 11]]),
        (("environment", "command"), float("nan")),
    ],
)
def test_figures_that_are_none_are_named(path: tuple[str, ...], value: Any, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps(changed(GAINS, path, False, value)))
    with pytest.raises(InputError, match=rf"results.json: .*{path[-1]} is .*evaluate again"):
        load_results([file])
