"""Every script and the notebook in examples/, run as they stand on `tiny`."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield importlib.import_module(request.param)
    for name in (request.param, "photos"):
        sys.modules.pop(name, None)


def example(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("script", [name], indirect=True, ids=[name])


def test_every_script_is_named_on_the_page_and_tested_here() -> None:
    page, tests = (EXAMPLES / "README.md").read_text(), Path(__file__).read_text()
    scripts = {path.name for path in EXAMPLES.glob("*.py")} - {"photos.py"}
    assert len(scripts) == 6
    assert "`quick_start.ipynb`" in page
    for name in scripts:
        assert f"`{name}`" in page
        assert f'@example("{name.removesuffix(".py")}")' in tests


@example("own_photos")
def test_own_photos(script: ModuleType, tmp_path: Path) -> None:
    page = script.main(tmp_path, steps=6)
    assert "all pairs" not in page.read_text() or "own" in page.read_text()
    entry = json.loads((tmp_path / "run/results.json").read_text())["tasks"]["heldout"]
    assert entry["subsets"]["retrieval/i2t"]["n"] == 12
    assert len(entry["subsets"]) > 3


@example("lora")
def test_lora(script: ModuleType, tmp_path: Path) -> None:
    found = script.main(tmp_path, steps=2)
    assert found["adapter"] < found["whole"] / 2
    assert found["moved"] > 1e-4


@example("own_loss")
def test_own_loss(script: ModuleType, tmp_path: Path) -> None:
    from compoclip.losses.objective import TERMS

    try:
        run = script.main(tmp_path, steps=6)
    finally:
        TERMS.pop("squared_gap", None)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["squared_gap"] > 0
    assert lines[-1]["loss"] == pytest.approx(lines[-1]["squared_gap"] + lines[-1]["contrastive"], rel=1e-4)


@example("own_benchmark")
def test_own_benchmark(script: ModuleType, tmp_path: Path) -> None:
    entry = script.main(tmp_path)["tasks"]["colours"]
    assert entry["subsets"]["colours"]["n"] == 40
    assert entry["score"] == entry["subsets"]["colours"]["accuracy"]
    assert 0 < entry["score"] < 100


@example("use_it")
def test_use_it(script: ModuleType, tmp_path: Path) -> None:
    assert max(script.main("tiny", tmp_path).values()) < 1e-4


@example("llm_negatives")
def test_llm_negatives(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "negatives" / "llm"))
    from fake_server import FakeServer, caption

    (tmp_path / "captions.txt").write_text("".join(f"{caption(number)}\n" for number in range(12)))
    with FakeServer() as server:
        kinds = script.main(tmp_path / "captions.txt", tmp_path / "out", server.url, "m")
    assert kinds["llm:swap-nouns"] + kinds["swap-nouns"] > 5


@pytest.mark.slow
def test_the_notebook_runs_cell_by_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Jupyter: its code is one program, and what it shows as pictures are the last lines of cells."""
    notebook = json.loads((EXAMPLES / "quick_start.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    names = [cell["id"] for cell in notebook["cells"]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    for cell in notebook["cells"]:  # the schema's required keys; outputs are left out, so that changes can be read
        keys = {"cell_type", "id", "metadata", "source"}
        assert set(cell) == keys | ({"execution_count", "outputs"} if cell["cell_type"] == "code" else set())
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None

    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), space)
            if cell["id"] == "settings":
                assert space["STEPS"] > 20
                space |= {"STEPS": 4, "PHOTOS": 20}
    sys.modules.pop("photos", None)
    assert space["page"].stat().st_size > 10_000
    assert (tmp_path / "quick-start" / "why.png").stat().st_size > 10_000
    lines = (space["run"] / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 4
    plain = (space["texts"] @ space["pixels"].T)[:, 0].tolist()
    assert plain == pytest.approx(space["tuned"].score(space["picture"], space["captions"]).tolist(), abs=1e-5)
    assert plain != pytest.approx(space["base"].score(space["picture"], space["captions"]).tolist(), abs=1e-4)
