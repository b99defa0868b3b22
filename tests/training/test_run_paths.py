"""Where a run's configuration says that things lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from compoclip.config import TrainConfig
from compoclip.training import run_directory


def test_a_relative_path_is_one_whether_or_not_it_is_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the same run, told before and after its negatives are made, would look like two."""
    monkeypatch.chdir(tmp_path)
    places = {"data": "shards/{00..01}.tar::more.csv", "negatives": "negatives", "image_root": "photos"}
    told = TrainConfig(**places, model="ViT-B-32")
    before = run_directory.portable(told, tmp_path / "run")
    for name in ("negatives", "photos"):
        (tmp_path / name).mkdir()
    assert run_directory.portable(told, tmp_path / "run") == before
    assert before.negatives == str(tmp_path / "negatives")
    assert before.data == f"{tmp_path}/shards/{{00..01}}.tar::{tmp_path}/more.csv"
    assert before.model == "ViT-B-32"
