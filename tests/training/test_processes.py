"""Whole runs on several processes, and sizes that follow the memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from compoclip.config import TrainConfig, resolve
from compoclip.distributed import Ranks
from compoclip.errors import InputError, RunError
from compoclip.models import load
from compoclip.training import memory, train
from compoclip.training.run_directory import read_run
from training.processes import on_ranks

SMALL: dict[str, Any] = {
    "model": "tiny", "pretrained": None, "data": "world", "world_scenes": 48, "held_out": 0.0,
    "negatives": "generate", "negative_kinds": ["swap-nouns"], "negatives_per_caption": 1,
    "epochs": 50, "lr": 2e-4, "warmup": 2, "device": "cpu", "log_every": 1, "eval_tasks": [],
}  # fmt: skip


def config(out: Path, **changes: Any) -> TrainConfig:
    return resolve("mix", {**SMALL, "output_dir": str(out), **changes})


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "export" / "open_clip_model.safetensors")


@pytest.mark.slow
def test_a_run_of_two_processes_ends_as_one_of_one_and_goes_on_with_another_number(tmp_path: Path) -> None:
    train(config(tmp_path / "one", batch_size=8, steps=10))
    two = config(tmp_path / "two", batch_size=4, micro_batch=2, steps=10, checkpoint_every=5, keep_checkpoints=9)
    two = two.model_copy(update={"weights": config(tmp_path / "one", batch_size=8).weights})

    def work(ranks: Ranks) -> None:
        train(two, ranks=ranks)
        if not ranks.rank:  # as if the run had ended at step 5
            (tmp_path / "two" / "export").rename(tmp_path / "whole")
            newest = tmp_path / "two" / "checkpoints" / "step-00000010"
            newest.rename(tmp_path / "step-00000010")

    on_ranks(2, work)
    train(read_run(tmp_path / "two"), resume=True)
    one, start = weights(tmp_path / "one"), load("tiny").clip.state_dict()
    moved = max(float((one[name] - start[name]).norm() / start[name].norm().clamp_min(1e-3)) for name in one)
    assert moved > 0.01
    for found in (load_file(tmp_path / "whole" / "open_clip_model.safetensors"), weights(tmp_path / "two")):
        assert found.keys() == one.keys()
        for name, value in one.items():
            if value.is_floating_point():
                gap = float((found[name] - value).abs().max())
                assert gap < 1e-4, (name, gap)
    lines = (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 11))
    with pytest.raises(AssertionError, match="cannot be shared by 3 processes"):
        on_ranks(3, lambda ranks: train(two, True, ranks))


@pytest.mark.slow
def test_a_failure_of_one_process_ends_all(tmp_path: Path) -> None:
    def work(ranks: Ranks) -> str:
        if ranks.rank:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("compoclip.training.dataset.TrainData.batches", broken)
                with pytest.raises(SystemExit) as caught:
                    train(config(tmp_path / "run", batch_size=4, steps=2), ranks=ranks)
            return str(caught.value.message)  # type: ignore[attr-defined]
        with pytest.raises(RunError) as told:
            train(config(tmp_path / "run", batch_size=4, steps=2), ranks=ranks)
        return str(told.value)

    def broken(self: Any, epoch: int, start: int, most: int) -> Any:
        raise RunError("the disk of the second process is gone")
        yield

    assert on_ranks(2, work) == ["the disk of the second process is gone"] * 2


def test_sizes_follow_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    open_sizes = config(tmp_path / "run", fit_batch=True, micro_batch=0, steps=1)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 60 * 2**20)
    monkeypatch.setattr("compoclip.training.setup.free_bytes", lambda device: 60 * 2**20)
    train(open_sizes)
    told = capsys.readouterr().err
    assert "batches of 32, activations of " in told
    assert 1 <= int(told.split("activations of ")[1].split()[0]) < 32
    weights_now = memory.for_batch(open_sizes, 256, 32)
    assert weights_now["distillation"] == pytest.approx(open_sizes.weights["distillation"] * 8)
    assert "memory: about" in told
    assert "memory: at most" in told
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2**20)
    with pytest.raises(RunError, match="not one sample fits"):
        train(config(tmp_path / "none", fit_batch=True, steps=1))
    monkeypatch.setattr(memory, "free_bytes", lambda device: None)
    with pytest.raises(InputError, match="give --batch-size"):
        train(config(tmp_path / "unknown", fit_batch=True, steps=1))


def test_out_of_memory_names_the_setting(tmp_path: Path) -> None:
    words = r"16 samples at once; try --micro-batch 8 .*grad_checkpointing.*bf16.*--lora"
    sixteen = config(tmp_path / "run", batch_size=16)
    with pytest.raises(RunError, match=words), memory.naming_the_setting(sixteen):
        raise RuntimeError("CUDA out of memory. Tried to allocate 20 MiB")
    with pytest.raises(RuntimeError, match="another"), memory.naming_the_setting(config(tmp_path / "run")):
        raise RuntimeError("another thing")


def test_half_precision_with_a_scaler_trains_alike(tmp_path: Path) -> None:
    def losses(precision: str) -> list[float]:
        run = train(config(tmp_path / precision, batch_size=8, steps=3, precision=precision, negatives_per_caption=1))
        return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]

    assert losses("fp16") == pytest.approx(losses("fp32"), rel=0.05)
