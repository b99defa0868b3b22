"""The loop as a whole: what a run leaves behind, going on after a kill, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.test_cli import run as cli

from compoclip.config import TrainConfig, resolve
from compoclip.errors import InputError, RunError
from compoclip.models import load
from compoclip.training import train
from compoclip.training.checkpoint import checkpoints
from compoclip.training.run_directory import read_run

SMALL = {
    "model": "tiny",
    "pretrained": None,
    "data": "world",
    "world_scenes": 96,
    "held_out": 0.1,
    "negatives": "generate",
    "negative_kinds": ["swap-nouns", "replace-relations"],
    "negatives_per_caption": 2,
    "batch_size": 16,
    "epochs": 50,
    "steps": 6,
    "lr": 1e-3,
    "warmup": 2,
    "device": "cpu",
    "checkpoint_every": 2,
    "log_every": 1,
}


@pytest.fixture
def threads() -> Iterator[None]:
    """Several threads, as users have: sums in another order are what would make runs differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(2, before))
    yield
    torch.set_num_threads(before)


def config(recipe: str, out: Path, **changes) -> TrainConfig:
    return resolve(recipe, {**SMALL, "output_dir": str(out), **changes})


def weights(run: Path) -> bytes:
    return (run / "export" / "open_clip_model.safetensors").read_bytes()


def test_a_run_leaves_what_the_contract_names(tmp_path: Path) -> None:
    run = train(config("degla", tmp_path / "run"))
    for name in (
        "config.yaml",
        "env.json",
        "metrics.jsonl",
        "checkpoints",
        "export",
        "results-base.json",
        "results.json",
    ):
        assert (run / name).exists(), name
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "contrastive", "image_grounded", "text_grounded", "distillation", "lr"} <= set(lines[0])
    for line in lines:
        terms = sum(line[name] for name in ("contrastive", "image_grounded", "text_grounded", "distillation"))
        assert line["loss"] == pytest.approx(terms, rel=1e-5)
    base, tuned = (json.loads((run / name).read_text()) for name in ("results-base.json", "results.json"))
    assert (base["label"], tuned["label"]) == ("base", "degla")
    assert base["tasks"]["heldout"]["subsets"].keys() == tuned["tasks"]["heldout"]["subsets"].keys()
    assert base["model"]["sha256"] != tuned["model"]["sha256"]
    assert read_run(run) == config("degla", tmp_path / "run")


def test_the_export_is_the_trained_model_and_the_base_is_untouched(tmp_path: Path) -> None:
    run = train(config("clip", tmp_path / "run"))
    before, after = load("tiny").clip.state_dict(), load(run).clip.state_dict()
    assert set(before) == set(after)
    assert any(not torch.equal(before[name], after[name]) for name in before)
    newest = load_file(checkpoints(run / "checkpoints")[-1] / "model.safetensors")
    assert all(torch.equal(after[name], newest[name]) for name in after)


def test_zero_steps_export_the_base(tmp_path: Path) -> None:
    run = train(config("clip", tmp_path / "run", steps=0))
    before, after = load("tiny").clip.state_dict(), load(run).clip.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.slow
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("recipe", "changes"),
    [("degla", {}), ("fsc-clip", {"lora_rank": 2}), ("degla", {"lock_image": True}), ("fsc-clip", {"lock_text": True})],
    ids=["degla", "fsc-clip-lora", "degla-lock-image", "fsc-clip-lock-text"],
)
def test_stopping_anywhere_and_resuming_gives_the_same_bytes(tmp_path: Path, recipe: str, changes: dict) -> None:
    whole = weights(train(config(recipe, tmp_path / "whole", **changes)))
    for stop in (3,) if changes else (1, 3, 5):
        out = tmp_path / f"stopped-{stop}"
        stopped = config(recipe, out, **changes)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("compoclip.training.loop.learning_rate", _dies_at(stop))
            with pytest.raises(KeyboardInterrupt):
                train(stopped)
        assert weights(train(stopped, resume=True)) == whole, stop
        lines = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
        assert lines == [1, 2, 3, 4, 5, 6]


def _dies_at(stop: int):
    from compoclip.training.optim import learning_rate

    def schedule(step: int, *rest: float) -> float:
        if step == stop:
            raise KeyboardInterrupt
        return learning_rate(step, *rest)

    return schedule


@pytest.mark.slow
def test_kill_dash_nine_and_resume_by_the_program_gives_the_same_bytes(tmp_path: Path, capsys) -> None:
    settings = ["--set", "world_scenes=96", "--set", "held_out=0.1", "--set", "negatives_per_caption=2"]
    settings += ["--set", "negative_kinds=[swap-nouns, replace-relations]", "--set", "checkpoint_every=3"]
    settings += ["--set", "log_every=1", "--batch-size", "16", "--epochs", "50", "--steps", "14", "--lr", "1e-3"]
    start = ["train", "degla", "--model", "tiny", "--data", "world", "--negatives", "generate", "--device", "cpu"]

    def program(*arguments: str) -> subprocess.Popen:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "-m", "compoclip", *arguments]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    code, _, told = cli(capsys, *start, *settings, "--output-dir", str(tmp_path / "whole"))
    assert code == 0, told
    out = tmp_path / "killed"
    victim = program(*start, *settings, "--output-dir", str(out))
    deadline = time.monotonic() + 300
    while victim.poll() is None and time.monotonic() < deadline:
        metrics = out / "metrics.jsonl"
        if metrics.exists() and metrics.read_text().count("\n") >= 5:
            break
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    resumed = program("train", "--resume", "--output-dir", str(out))
    assert resumed.wait(300) == 0
    assert weights(out) == weights(tmp_path / "whole")


def test_a_run_is_not_written_over(tmp_path: Path) -> None:
    chosen = config("clip", tmp_path / "run", steps=1)
    train(chosen)
    with pytest.raises(InputError, match="--resume"):
        train(chosen)
    with pytest.raises(InputError, match="nothing to resume"):
        train(config("clip", tmp_path / "other"), resume=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": ""}, "no training data"),
        ({"data": "nowhere.tsv"}, "nowhere.tsv"),
        ({"negatives": None}, "needs hard negatives"),
        ({"negatives": "no-such-folder"}, "no-such-folder"),
        ({"negative_kinds": []}, "needs kinds"),
        ({"batch_size": 4096}, "batch"),
        ({"lock_image": True, "lock_text": True}, "nothing to train"),
        ({"unlock_image_head": True}, "lock_image"),
        ({"unlocked_image_groups": 2, "lock_image": True}, "neither with lock_image"),
        ({"unlocked_image_groups": 99}, "locks nothing"),
        ({"model": "no-such-model"}, "no-such-model"),
        ({"eval_tasks": ["no-such-task"]}, "no-such-task"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        train(config("fsc-clip", tmp_path / "run", **changes))
    assert "\n" not in str(caught.value)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Goal:
        needs: frozenset[str] = frozenset()
        uses_bias = False

        def __call__(self, features):
            return {"contrastive": features.image.sum() * float("nan")}

    monkeypatch.setattr("compoclip.training.loop.objective", lambda *a, **k: Goal())
    with pytest.raises(RunError, match="not finite"):
        train(config("clip", tmp_path / "run"))


def test_the_last_groups_of_a_tower_are_trained_alone(tmp_path: Path) -> None:
    base = load("tiny").clip.state_dict()
    out = train(config("negclip", tmp_path / "run", unlocked_image_groups=2, weight_decay=0.0))
    image = {name: value for name, value in load(out).clip.state_dict().items() if name.startswith("visual.")}
    moved = {name for name, value in image.items() if not torch.equal(base[name], value)}
    last = max(name.split(".")[3] for name in image if "resblocks" in name)
    own = (f"visual.transformer.resblocks.{last}.", "visual.ln_post", "visual.proj")
    assert moved == {name for name in image if name.startswith(own)}


def test_a_locked_tower_does_not_move(tmp_path: Path) -> None:
    base = load("tiny").clip.state_dict()
    image = load(train(config("negclip", tmp_path / "image", lock_image=True))).clip.state_dict()
    text = load(train(config("negclip", tmp_path / "text", lock_text=True))).clip.state_dict()
    for name, before in base.items():
        if name.startswith("visual."):
            assert torch.equal(before, image[name]), name
        elif name != "logit_scale":
            assert torch.equal(before, text[name]), name
    assert any(not torch.equal(before, image[name]) for name, before in base.items())
    assert any(not torch.equal(before, text[name]) for name, before in base.items())


def test_bf16_and_gradient_checkpointing_train(tmp_path: Path) -> None:
    run = train(config("fsc-clip", tmp_path / "run", steps=2, precision="bf16", grad_checkpointing=True))
    losses = [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    plain = train(config("fsc-clip", tmp_path / "plain", steps=2))
    exact = [json.loads(line)["loss"] for line in (plain / "metrics.jsonl").read_text().splitlines()]
    assert losses[0] == pytest.approx(exact[0], rel=0.05)


def test_kept_features_of_a_locked_tower_give_the_same_run(tmp_path: Path) -> None:
    locked = {"lock_image": True, "steps": 3}
    fresh = weights(train(config("fsc-clip", tmp_path / "fresh", **locked)))
    kept = {**locked, "feature_cache": str(tmp_path / "features")}
    assert weights(train(config("fsc-clip", tmp_path / "first", **kept))) == fresh
    files = list((tmp_path / "features").iterdir())
    assert {path.suffix for path in files} == {".lock", ".safetensors"}
    assert len(files) == 2
    assert weights(train(config("fsc-clip", tmp_path / "second", **kept))) == fresh
    train(config("negclip", tmp_path / "pooled", **kept))
    assert list((tmp_path / "features").iterdir()) == files
    next(path for path in files if path.suffix == ".safetensors").write_bytes(b"not features")
    with pytest.raises(InputError, match="delete it"):
        train(config("fsc-clip", tmp_path / "broken", **kept))
