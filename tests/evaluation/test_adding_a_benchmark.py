"""The example of docs/adding-a-benchmark.md, taken from the page and run as it stands."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from tests.evaluation.fakes import RandomModel, picture, png, write

from compoclip.errors import InputError
from compoclip.evaluation import evaluate, scoring
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


def test_the_page_names_every_form() -> None:
    page = PAGE.read_text()
    names = {form.__name__ for form in vars(scoring).values() if hasattr(form, "grade") and form is not scoring.Subset}
    assert names
    assert {name for name in names if f"`{name}`" not in page} == set()
