"""The page for contributors: what it names is there, and its examples do what it says, in the order of the page."""

from __future__ import annotations

import ast
import linecache
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter
from tests import test_one_stack
from tests.data import test_catalog
from tests.documented import check_docstring
from tests.losses import extended, test_loss_extended
from tests.training import test_backward

from compoclip.cli import main
from compoclip.config import resolve
from compoclip.data import catalog
from compoclip.data.catalog import Entry
from compoclip.data.checking import check_entry
from compoclip.data.sources import opening
from compoclip.data.training_sets import locate, training_sets
from compoclip.errors import InputError
from compoclip.evaluation.tasks import retrieval
from compoclip.export.formats import FORMATS, Format
from compoclip.listing import listing
from compoclip.losses.objective import TERMS, Term, objective
from compoclip.losses.rank_margin import rank_margin
from compoclip.models import load
from compoclip.negatives import generate
from compoclip.negatives.kinds import KINDS, Kind

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


def run(code: str, names: dict[str, Any]) -> dict[str, Any]:
    """What a block defines, where it finds these names; each of its functions has types, as `make lint` wants."""
    for function in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)):
        arguments = [*function.args.args, *function.args.kwonlyargs]
        assert function.returns, function.name
        assert all(argument.annotation for argument in arguments), function.name
    name = f"CONTRIBUTING.md, {len(linecache.cache)}"
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)  # so that `inspect` finds the source
    exec(compile(code, name, "exec"), names)
    return names


def test_the_files_it_names_are_there() -> None:
    named = re.findall(r"`((?:src|tests|scripts|benchmarks|docs)/[\w/.-]+)`", PAGE) + re.findall(
        r"\]\((docs/.*?)\)", PAGE
    )
    given = [name for name in named if "NAME" not in name]
    assert len(given) > 20
    assert [name for name in given if not (ROOT / name).exists()] == []
    for name in (name for name in named if "NAME" in name):
        folder, _, pattern = name.rpartition("/")
        assert list((ROOT / folder).glob(pattern.replace("NAME", "*"))), name


def test_its_code_is_in_the_project_s_style() -> None:
    for code in blocks("python"):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", "format", "--check", "--quiet", "-"], input=code, text=True, cwd=ROOT
        )
        assert done.returncode == 0, code


def test_its_commands_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = re.findall(r"make ([a-z-]+)", "\n".join([*blocks("bash"), *re.findall(r"`(make .*?)`", PAGE)]))
    assert {"setup", "lint", "test", "test-fast", "build"} <= set(named) <= set(targets)


def test_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's term against the page's loops, by the tests that every term of the folder passes."""
    function, line, loops = blocks("python")[:3]
    hinge = run(function, {})["hinge"]
    entries: dict[str, Term] = {}
    run(line, {"TERMS": entries, "Term": Term, "hinge": hinge})
    monkeypatch.setitem(TERMS, "hinge", entries["hinge"])
    monkeypatch.setitem(extended.EXTENDED, "hinge", run(loops, vars(extended).copy())["hinge"])
    asked: dict[str, Any] = {"term": "hinge", "options": {"hinge_margin": 0.3}}
    test_loss_extended.test_a_term_is_its_loop(**asked, mask="partial", size=4, slots=2, phrases=7)
    test_loss_extended.test_gradients_are_those_of_finite_differences(**asked)
    test_loss_extended.test_masked_places_change_nothing(**asked, garbage=np.nan)
    test_loss_extended.test_nothing_to_compare_is_zero_and_can_be_run_backwards(**asked)
    test_loss_extended.test_every_term_is_written_as_loops()
    check_docstring(hinge)
    monkeypatch.setattr(test_backward, "GOALS", {"hinge": objective({"hinge": 1.0})})
    test_backward.test_micro_batches_of_every_objective()
    monkeypatch.setitem(TERMS, "hinge", replace(entries["hinge"], over="rows_with_negatives"))
    with pytest.raises(AssertionError, match="hinge"):  # not what it is a mean of
        test_backward.test_micro_batches_of_every_objective()
    monkeypatch.setitem(extended.EXTENDED, "hinge", lambda case, hinge_margin: 1.0)  # another value is noticed
    with pytest.raises(AssertionError):
        test_loss_extended.test_a_term_is_its_loop(**asked, mask="partial", size=4, slots=2, phrases=7)


def test_the_command_that_trains_with_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TERMS, "hinge", Term(rank_margin, {"hinge_margin": "cap"}))
    (command,) = re.findall(r"`compoclip train (\S+) ((?:--set \S+ ?)+)`", PAGE)
    settings = dict(pair.split("=") for pair in command[1].split() if pair != "--set")
    config = resolve(command[0], {name: float(value) for name, value in settings.items()} | {"data": "world"})
    assert config.weights == {"contrastive": 1.0, "hinge": 0.5}
    assert config.options["hinge_margin"] == 0.1


def test_the_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    function, line = blocks("python")[3:5]
    sides = run(function, {})["sides"]
    entries: dict[str, Kind] = {}
    run(line, {"KINDS": entries, "Kind": Kind, "sides": sides})
    monkeypatch.setitem(KINDS, "replace-sides", entries["replace-sides"])
    found = generate(["A dog sits left of a red chair.", "A dog sits."], kinds=["replace-sides"], per_caption=1)
    assert [[negative.text for negative in made] for made in found] == [["A dog sits right of a red chair."], []]
    edit = found[0][0].edits[0]
    assert (edit.old, edit.new) == ("left", "right")


def test_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(blocks("yaml")[0])
    config = resolve(str(path), {"data": "world", "output_dir": str(tmp_path / "run")})
    assert (config.batch_size, config.micro_batch) == (64, 16)
    assert config.weights == resolve("negclip", {"data": "world", "output_dir": "run"}).weights


def test_the_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, trained = (yaml.safe_load(block) for block in blocks("yaml")[1:3])
    (name,) = {*listed, *trained}
    entry = TypeAdapter(Entry).validate_python({"name": name, **listed[name]})
    monkeypatch.setitem(catalog.entries(), name, entry)
    monkeypatch.setitem(training_sets(), name, trained[name])
    test_catalog.test_every_entry_is_complete_and_consistent()
    assert [missing["wanted"] for missing in check_entry(name, tmp_path)["missing"]] == [1, 1000]
    with pytest.raises(InputError, match=r"red-things: wanted .*captions.tsv"):
        locate(name, tmp_path)
    (tmp_path / "red/images").mkdir(parents=True)
    (tmp_path / "red/captions.tsv").write_text("image\tcaption\na.jpg\ta red thing\n")
    assert locate(name, tmp_path) == {
        "data": str(tmp_path / "red/captions.tsv"),
        "image_root": str(tmp_path / "red/images"),
    }
    assert [part["path"] for part in check_entry(name, tmp_path)["missing"]] == ["red/images/*.jpg"]


def test_the_file_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function, line, maker = blocks("python")[5:8]
    open_yaml = run(function, {})["open_yaml"]
    with monkeypatch.context() as patch:  # registered and written as the page says, it is one format of all
        openers = dict(opening.OPENERS)
        run(line, {"OPENERS": openers, "open_yaml": open_yaml})
        patch.setattr(opening, "OPENERS", openers)
        patch.setattr(opening, "TABLE_SUFFIXES", (*opening.OPENERS, ".parquet"))
        patch.setattr(retrieval, "TABLE_SUFFIXES", opening.TABLE_SUFFIXES)
        made = run(maker, vars(test_one_stack).copy())["yaml_rows"]
        patch.setattr(test_one_stack, "FORMATS", {"yaml": made, "tsv": test_one_stack.FORMATS["tsv"]})
        test_one_stack.test_every_format_gives_the_same()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("- a dog")
    for path, message in ((wrong, "wanted a list of mappings"), (tmp_path / "gone.yaml", "no such file")):
        with pytest.raises(InputError, match=message):
            open_yaml(path)


def test_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    function, line = blocks("python")[8:10]
    entries: dict[str, Format] = {}
    run(line, {"FORMATS": entries, "Format": Format, **run(function, {})})
    for name, form in entries.items():
        monkeypatch.setitem(FORMATS, name, form)
    with pytest.raises(SystemExit) as stop:
        main(["convert", "tiny", "--to", "numpy", "--out", str(tmp_path / "out")])
    assert stop.value.code == 0, capsys.readouterr().err
    weights = load("tiny").clip.state_dict()
    with np.load(tmp_path / "out" / "weights.npz") as read:
        assert set(read.files) == set(weights)
        assert all(np.array_equal(read[name], value.numpy()) for name, value in weights.items())
    assert "library_name: numpy" in (tmp_path / "out" / "README.md").read_text()
    assert any(row.startswith("numpy ") for row in listing("exports"))
