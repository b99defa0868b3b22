"""Every script in examples/, run as it stands on `tiny`."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

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
    from compoclip.losses.objective import OPTIONS, TERMS

    try:
        run = script.main(tmp_path, steps=6)
    finally:
        TERMS.pop("squared_gap", None), OPTIONS.pop("gap", None)
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
