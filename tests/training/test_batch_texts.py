"""Texts made where the batch is made are those that the towers would make, for every part and pass of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from compoclip.config import TrainConfig, resolve
from compoclip.losses import objective
from compoclip.models import load
from compoclip.models.packing import Packed
from compoclip.training import train
from compoclip.training.batch_texts import TextPlan
from compoclip.training.dataset import TrainData
from compoclip.training.towers import Towers
from training.test_loop import weights
from training.test_processes import SMALL

CASES = [("negclip", None), ("fsc-clip", 3), ("degla", 3), ("clip", None)]


def config(recipe: str, out: Path, **changes: Any) -> TrainConfig:
    return resolve(recipe, {**SMALL, "batch_size": 8, "steps": 3, "output_dir": str(out), **changes})


@pytest.mark.parametrize(("recipe", "micro"), CASES)
def test_the_loader_makes_what_the_towers_would(recipe: str, micro: int | None, tmp_path: Path) -> None:
    own = config(recipe, tmp_path, micro_batch=micro, negatives_per_caption=0 if recipe == "clip" else 2)
    model, goal = load("tiny"), objective(recipe)
    plain, made = (TrainData.open(own, model, goal.needs) for _ in range(2))
    made.prepare_texts(TextPlan.of(goal, own, model))
    wide = goal.split()[0]
    towers = Towers(model, own.negatives_per_caption, teacher=model.clip)
    for one, other in zip(plain.batches(0, 0, 2), made.batches(0, 0, 2), strict=True):
        parts = list(zip(one.parts(micro), other.parts(micro), strict=True))
        assert len(parts) == (3 if micro else 1)
        for slow, fast in parts:
            assert not slow.prepared
            assert len(fast.prepared) == (2 if recipe == "fsc-clip" else 1)
            assert all(isinstance(texts.packed, Packed) for texts in fast.prepared)
            for needs in (goal.needs, wide.needs):
                with torch.no_grad():
                    expected, found = towers.features(slow, needs), towers.features(fast, needs)
                for name, value in vars(expected).items():
                    assert value is None or torch.equal(getattr(found, name), value), name
                assert towers.with_negatives(slow, needs) == towers.with_negatives(fast, needs)


def test_the_towers_tokenise_nothing_that_is_made_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = config("fsc-clip", tmp_path, micro_batch=4)
    model, goal = load("tiny"), objective("fsc-clip")
    data = TrainData.open(own, model, goal.needs)
    data.prepare_texts(TextPlan.of(goal, own, model))
    batch = next(data.batches(0, 0, 1))
    monkeypatch.setattr("compoclip.training.towers.batch_texts", None)
    monkeypatch.setattr("compoclip.models.text_tower.pack", None)
    for part in batch.parts(4):
        Towers(model, 1).features(part, goal.needs)


def test_a_run_ends_alike_wherever_the_texts_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"workers": 2, "steps": 2, "world_scenes": 24}
    found = weights(train(config("mix", tmp_path / "made", **small)))
    monkeypatch.setattr(TrainData, "prepare_texts", lambda self, plan: None)
    assert weights(train(config("mix", tmp_path / "not", **small, micro_batch=None))) == found
