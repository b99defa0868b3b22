"""The demo end to end, at a size that takes seconds: the page, the table, going on after a stop."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from compoclip.demo import FULL, METHODS, QUICK, DemoConfig, build_negatives, run_demo
from compoclip.errors import InputError
from compoclip.io import read_json

SMALL = DemoConfig(steps=2, batch_size=16, scenes=64, limit=6, alphas=(0.5,), side_by_side=1)


def test_the_quick_demo_trains_as_long() -> None:
    """Fewer steps show no gain (docs/results.md), so what is quick about it is fewer methods and rows."""
    assert QUICK.steps == FULL.steps
    assert set(QUICK.methods) < set(FULL.methods) == set(METHODS)
    assert "compoclip" in QUICK.methods


def test_negatives_that_a_kill_left_unfinished_are_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*job: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("compoclip.negatives.build.counts", killed)
        with pytest.raises(KeyboardInterrupt):
            build_negatives(tmp_path, SMALL, 0)
    assert (tmp_path / "negatives" / "plan.json").exists()
    build_negatives(tmp_path, SMALL, 0)
    assert read_json(tmp_path / "negatives" / "manifest.json")["captions"] > SMALL.scenes


@pytest.mark.slow
def test_the_demo_leaves_a_page_that_stands_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = run_demo(tmp_path, plan=SMALL)
    html = page.read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    for label in ("base", *METHODS):
        assert label in html
        assert all(word in printed for word in label.split())
    assert not re.search(r'(src|href)="https?://', html), "the page must not load anything from elsewhere"
    assert "data:image/png;base64" in html or "<svg" in html
    for recipe in METHODS.values():
        results = json.loads((tmp_path / "runs" / recipe / "results.json").read_text())
        assert results["schema"] == 1
        assert results["summary"]["comp"] is not None

    before = (tmp_path / "runs" / "degla" / "export" / "open_clip_model.safetensors").read_bytes()
    assert run_demo(tmp_path, plan=SMALL) == page
    assert (tmp_path / "runs" / "degla" / "export" / "open_clip_model.safetensors").read_bytes() == before
    with pytest.raises(InputError, match="another --out"):
        run_demo(tmp_path, plan=SMALL, seed=1)
