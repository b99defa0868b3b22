"""The documentation: it builds without a warning, and its commands are those of the program, with flags that exist."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.documented import PAGES, ROOT, Command, check_docstring, shown
from tests.script_module import load

from compoclip.cli import app


def public() -> list[tuple[str, str, Any]]:
    """(module, name, value) of the classes and functions of the public surface."""
    script = load("scripts/public_surface.py")
    homes = ["compoclip" if name == "compoclip" else f"compoclip.{name}" for name in script.PUBLIC.split()]
    modules = [importlib.import_module(home) for home in homes]
    return [
        (module.__name__, name, getattr(module, name))
        for module in modules
        for name in module.__all__
        if callable(getattr(module, name))
    ]


def qualified(value: Any) -> str:
    return f"{value.__module__}.{getattr(value, '__name__', '')}"


PUBLIC = public()
FUNCTIONS = {qualified(value): value for _, _, value in PUBLIC if inspect.isfunction(value)}
SHOWN = [command for page in (*PAGES, ROOT / "CONTRIBUTING.md") for command in shown(page)]
OF_SCRIPTS = re.compile(r"python \S+\.py ")  # its options are its own, and a method may be called compoclip
CASES = [command for command in SHOWN if "compoclip" in command.text.split() and not OF_SCRIPTS.match(command.text)]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_public_function_tells_its_parameters_faults_and_an_example_that_fits_it(name: str) -> None:
    check_docstring(FUNCTIONS[name])


@pytest.mark.parametrize("shown", CASES, ids=lambda command: f"{command.page}: {command.text[:40]}")
def test_a_documented_command_has_the_flags_that_it_shows(shown: Command) -> None:
    words = shown.text.split()
    words = words[words.index("compoclip") + 1 :]
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        name = words[0].partition("|")[0]
        assert name in command.commands, shown
        command, words = command.commands[name], words[1:]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    used = {word.split("=")[0] for word in words if word.startswith("--")}
    assert used <= known, f"{shown.page}: {sorted(used - known)}"


def test_there_are_commands_to_check() -> None:
    assert len(CASES) > 40
    named = {words[words.index("compoclip") + 1] for words in (command.text.split() for command in CASES)}
    assert named >= {"negatives", "train", "eval", "report", "blend", "convert"}


def found(name: str) -> bool:
    """Does a dotted name lead to a module, or to something in one?"""
    parts = name.split(".")
    for most in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:most]))
        except ImportError:
            continue
        for part in parts[most:]:
            value = getattr(value, part, None)
        return value is not None
    return False


def test_names_and_files_that_pages_and_scripts_name_exist() -> None:
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", *(ROOT / "examples").glob("*.*"), *(ROOT / "benchmarks").glob("*.py")]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    names = {name: page for page, text in texts.items() for name in re.findall(r"\bcompoclip(?:\.\w+)+", text)}
    for page, text in texts.items():
        for module, several in re.findall(r"from (compoclip[\w.]*) import (\w+(?:, \w+)*)", text):
            names |= {f"{module}.{name}": page for name in several.split(", ")}
    assert len(names) > 100
    assert {name: page for name, page in names.items() if not found(name)} == {}
    files = {name: page for page in PAGES for name in re.findall(r"`([\w/]+/\w+\.(?:py|yaml))`", texts[page.name])}
    places = (ROOT, ROOT / "src" / "compoclip", *(ROOT / "src" / "compoclip").glob("*/"))
    assert len(files) > 20
    absent = {name for name in files if not any((place / name).is_file() for place in places)}
    assert {name for name in absent if Path(name).stem != "sides"} == set()  # sides: the example of a new benchmark


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="pip install 'compoclip[docs]'")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    reference = " ".join(page.read_text(encoding="utf-8") for page in (site / "reference").rglob("index.html"))
    shown = set(re.findall(r'id="(compoclip\.[^"]+)"', reference))
    absent = [f"{home}.{name}" for home, name, value in PUBLIC if not {f"{home}.{name}", qualified(value)} & shown]
    assert not absent, "public names that no page of docs/reference shows"
    for page in site.rglob("*.html"):  # nothing is fetched from another host by who reads the pages
        sources = re.findall(
            r'<(?:script|img|link)[^>]+(?:src|href)="(https?://[^"]+)"', page.read_text(encoding="utf-8")
        )
        assert not sources, (page, sources)


def test_the_readme_counts_what_there_is() -> None:
    from compoclip.evaluation import list_tasks

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{len(list_tasks())} composition, recognition and retrieval benchmarks" in text
    for address in re.findall(r"\]\(([^)#]+)\)|<img src=\"([^\"]+)\"", text):
        assert (ROOT / "".join(address)).exists(), address


def test_every_term_kind_benchmark_and_export_is_on_its_page() -> None:
    from compoclip.evaluation import TASKS
    from compoclip.export.formats import FORMATS
    from compoclip.listing import METHODS
    from compoclip.losses import OBJECTIVES, TERMS
    from compoclip.negatives import KINDS

    assert list(METHODS) == list(OBJECTIVES), "compoclip ls methods"

    for page, names in (("training", TERMS), ("negatives", KINDS), ("evaluation", TASKS), ("models", FORMATS)):
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        assert names
        assert [name for name in names if f"`{name}`" not in text] == [], f"give each its line in docs/{page}.md"


def test_every_recipe_s_paper_is_on_the_page_about_citing() -> None:
    page = (ROOT / "docs" / "citing.md").read_text(encoding="utf-8")
    recipes = list((ROOT / "src" / "compoclip" / "recipes").glob("*.yaml"))
    assert len(recipes) > 20
    cited = set(re.findall(r"arXiv (\d{4}\.\d{5})", " ".join(path.read_text(encoding="utf-8") for path in recipes)))
    assert len(cited) > 4
    assert not {paper for paper in cited if f"arxiv.org/abs/{paper}" not in page}
    shown = re.findall(r"`([a-z0-9-]+…?)`", page)
    prefixes = tuple(name.rstrip("…") for name in shown)
    assert not [path.stem for path in recipes if not path.stem.startswith(prefixes)]
