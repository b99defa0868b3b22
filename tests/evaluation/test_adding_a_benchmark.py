"""The example of docs/adding-a-benchmark.md, taken from the page and run as it stands."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from tests.evaluation import made, test_every_task
from tests.evaluation.fakes import RandomModel, picture, png, write
from tests.evaluation.made import captions
from tests.evaluation.slow import files

from compoclip.data.catalog import Entry, entries
from compoclip.errors import InputError
from compoclip.evaluation import TASKS, evaluate, scoring
from compoclip.evaluation import benchmark as benchmarks
from compoclip.evaluation.task import Task

PAGE = Path(__file__).resolve().parents[2] / "docs/adding-a-benchmark.md"


@pytest.fixture
def task(tmp_path: Path) -> Task:
    code = next(
        block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "TASK = Task(" in block
    )
    path = tmp_path / "sides.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("sides", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Task = module.TASK
    return found


def data(root: Path) -> Path:
    for side, other, numbers in (("left", "right", range(4)), ("right", "left", range(4, 7))):
        lines = [f"{n:03}.png\ta ball {n} on the {side}\ta ball {n} on the {other}" for n in numbers]
        write(root / f"sides/{side}.tsv", "\n".join(["image\tcaption\tfalse_caption", *lines]) + "\n")
        for n in numbers:
            write(root / f"sides/images/{n:03}.png", png(picture(n)))
    (root / "sides/images/006.png").unlink()
    return root


def test_the_example_measures(task: Task, tmp_path: Path) -> None:
    entry = evaluate(RandomModel(), [], data(tmp_path), extra=[task])["tasks"]["sides"]
    left, right = (entry["subsets"][name] for name in ("left", "right"))
    assert (left["n"], left["missing"]) == (4, 0)
    assert (right["n"], right["missing"]) == (2, 1)
    assert left["chance"] == right["chance"] == 50
    assert entry["score"] == pytest.approx((left["accuracy"] + right["accuracy"]) / 2)
    assert entry["rule"] == "mean of subsets"
    assert entry["absent"] == {"rows": {"left": 1_196, "right": 797}, "photos": {"right": 1}}


def test_the_example_names_the_line_of_a_fault(task: Task, tmp_path: Path) -> None:
    root = data(tmp_path)
    write(root / "sides/left.tsv", "image\tcaption\n000.png\ta ball\n")
    with pytest.raises(InputError, match=r"left\.tsv: line 2 needs the texts image, caption, false_caption"):
        evaluate(RandomModel(), [], root, extra=[task])


def test_the_registered_example_passes_the_tests_of_every_task(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sections 4 and 5: the task as data, its set in the catalogue, the maker and the reader, each where it belongs."""
    stated, listed = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S))
    of_file = benchmarks.facts_of
    monkeypatch.setattr(benchmarks, "facts_of", lambda name: stated if name == "sides" else of_file(name))
    monkeypatch.setitem(
        entries(), "sides", TypeAdapter(Entry).validate_python({"name": "sides", **listed.pop("sides")})
    )
    assert not listed
    data_task = benchmarks.benchmark("sides")
    assert data_task.facts().keys() == task.facts().keys()
    same = ("title", "rule", "chance", "citation", "licence", "size")
    assert {key: data_task.facts()[key] for key in same} == {key: task.facts()[key] for key in same}
    assert data_task.parts == task.parts

    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    maker, reader = (block for block in blocks if "def sides" in block)
    for code, home, table in ((maker, captions, made.MAKERS), (reader, files, files.READERS)):
        names = dict(vars(home))
        exec(code, names)
        monkeypatch.setitem(table, "sides", names["sides"])
    monkeypatch.setitem(TASKS, "sides", data_task)
    monkeypatch.setitem(test_every_task.CHANCE, "sides", 50.0)
    for right in (True, False):
        test_every_task.test_perfect_judgement_gets_100_and_its_opposite_0("sides", right, tmp_path / str(right))
    test_every_task.test_guessing_gets_chance("sides", tmp_path / "guess")
    test_every_task.test_every_row_and_average_equals_the_slow_script("sides", False, tmp_path / "rows")
    test_every_task.test_made_trouble_is_there("sides", tmp_path / "trouble")


def test_a_set_that_the_catalogue_lacks_is_named(task: Task) -> None:
    with pytest.raises(InputError, match=r"task sides: no entry of data/catalog.yaml is called sides"):
        replace(task, data=("sides",)).facts()


def test_the_page_names_every_form() -> None:
    page = PAGE.read_text()
    names = {form.__name__ for form in vars(scoring).values() if hasattr(form, "grade") and form is not scoring.Subset}
    assert names
    assert {name for name in names if f"`{name}`" not in page} == set()
