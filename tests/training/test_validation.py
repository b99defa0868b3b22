"""Evaluation while training: the weights stay those of a run without, the best is kept, and runs stop early."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from compoclip.config import TrainConfig, resolve
from compoclip.errors import InputError
from compoclip.models import load
from compoclip.training import loop, train, validation
from compoclip.training.checkpoint import checkpoints
from compoclip.training.run_directory import read_run

SMALL = {
    "model": "tiny", "pretrained": None, "data": "world", "world_scenes": 48, "held_out": 0.2, "batch_size": 8,
    "epochs": 50, "steps": 6, "lr": 1e-3, "warmup": 1, "device": "cpu", "checkpoint_every": 2, "log_every": 1,
}  # fmt: skip


def config(out: Path, **changes: object) -> TrainConfig:
    return resolve("clip", {**SMALL, "output_dir": str(out), **changes})


def weights(run: Path, folder: str = "export") -> bytes:
    return (run / folder / "open_clip_model.safetensors").read_bytes()


def evaluations(run: Path) -> dict[int, dict[str, float]]:
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    found = [line for line in lines if any(name.startswith("eval/") for name in line)]
    assert len({line["step"] for line in found}) == len(found)
    return {line["step"]: line for line in found}


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch):
    """Figures by the number of the evaluation, in place of measured ones: `scripted(comp=[...], zeroshot=[...])`."""

    def use(**figures: list[float]) -> None:
        def fake(model, tasks, **settings) -> dict:
            random.random(), np.random.rand(), torch.rand(3)  # noqa: NPY002 - as a task might
            number = fake.calls  # type: ignore[attr-defined]
            fake.calls += 1  # type: ignore[attr-defined]
            return {"summary": {name: values[number] for name, values in figures.items()}, "tasks": {}}

        fake.calls = 0  # type: ignore[attr-defined]
        monkeypatch.setattr(validation, "evaluate", fake)

    return use


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"lora_rank": 2}, {"lock_text": True}], ids=["plain", "lora", "lock-text"])
def test_the_weights_are_those_of_a_run_without(tmp_path: Path, changes: dict) -> None:
    plain = train(config(tmp_path / "plain", **changes))
    watched = train(config(tmp_path / "watched", val_every=2, val_tasks=["world"], eval_limit=4, **changes))
    assert weights(watched) == weights(plain)
    found = evaluations(watched)
    assert list(found) == [0, 2, 4, 6]
    assert {"eval/comp", "eval/heldout", "eval/world"} <= set(found[0])
    last = json.loads((watched / "results.json").read_text())["tasks"]["heldout"]["score"]
    assert found[6]["eval/heldout"] == pytest.approx(last)


def test_the_best_checkpoint_is_kept_and_exported(tmp_path: Path, scripted) -> None:
    scripted(comp=[50, 60, 90, 70, 80, 65, 66], zeroshot=[70, 70, 60, 69, 68, 68, 68])
    run = train(config(tmp_path / "run", val_every=1, best="comp", best_guard="zeroshot", keep_checkpoints=1))
    # 90 forgets ten points, 80 two, which is what best_drop allows
    assert [p.name for p in checkpoints(run / "checkpoints")] == ["step-00000004", "step-00000006"]
    best = load(run / "export-best").clip.state_dict()
    stored = load_file(run / "checkpoints" / "step-00000004" / "model.safetensors")
    assert all(torch.equal(best[name], stored[name]) for name in best)
    assert weights(run, "export-best") != weights(run)


def test_a_run_stops_early_and_stays_stopped(tmp_path: Path, scripted) -> None:
    scripted(comp=[50, 60, 55, 60, 90])
    run = train(config(tmp_path / "run", val_every=1, best="comp", patience=2))
    assert [p.name for p in checkpoints(run / "checkpoints")] == ["step-00000001", "step-00000002", "step-00000003"]
    assert list(evaluations(run)) == [0, 1, 2, 3]
    before = weights(run)
    train(read_run(run), resume=True)
    assert weights(run) == before
    assert checkpoints(run / "checkpoints")[-1].name == "step-00000003"
    scripted(comp=[70, 70, 70])
    train(read_run(run).model_copy(update={"patience": 9}), resume=True)
    assert checkpoints(run / "checkpoints")[-1].name == "step-00000006"


def test_history_survives_a_stop(tmp_path: Path, scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    from compoclip.training.optim import learning_rate

    whole = train(config(tmp_path / "whole"))
    chosen = config(tmp_path / "run", val_every=2, best="comp")

    def dies(step: int, *rest: float) -> float:
        if step == 5:
            raise KeyboardInterrupt
        return learning_rate(step, *rest)  # type: ignore[arg-type]

    scripted(comp=[50, 80, 60])
    with monkeypatch.context() as patch:
        patch.setattr(loop, "learning_rate", dies)
        with pytest.raises(KeyboardInterrupt):
            train(chosen)
    scripted(comp=[70])
    train(chosen, resume=True)
    assert [line["eval/comp"] for line in evaluations(tmp_path / "run").values()] == [50, 80, 60, 70]
    assert weights(tmp_path / "run") == weights(whole)
    assert (tmp_path / "run" / "checkpoints" / "step-00000002").is_dir()


def test_after_epochs(tmp_path: Path, scripted) -> None:
    scripted(comp=[1, 2, 3, 4, 5, 6, 7])
    run = train(config(tmp_path / "run", val_every_epochs=1, world_scenes=15, batch_size=32, steps=5))
    assert list(evaluations(run)) == [0, 2, 4]  # two batches an epoch


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"best": "comp"}, "val_every"),
        ({"val_every": 1, "patience": 2}, "need best"),
        ({"val_every": 1, "held_out": 0.0}, "nothing to evaluate"),
        ({"val_every": 1, "best": "sugarcrap"}, "none of the figures measured: .*heldout"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        train(config(tmp_path / "run", **changes))
