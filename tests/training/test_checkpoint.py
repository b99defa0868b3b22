"""Checkpoints: bit for bit there and back, and never seen half written, whenever the process dies."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import time

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from compoclip.errors import InputError, RunError
from compoclip.models.lora import Lora
from compoclip.models.teacher import Teacher
from compoclip.training import checkpoint
from compoclip.training.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from compoclip.training.optim import OPTIMIZERS, adamw
from models.clips import captions

FILES = {"model.safetensors", "teacher.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"}


def _setup(clip, seed=0, lora=False, name="adamw"):
    model = clip("vit", seed)
    if lora:
        Lora(model.clip)
    for parameter in model.clip.visual.parameters():
        parameter.requires_grad_(parameter.requires_grad and lora)
    return model, Teacher(model.clip, 0.9), OPTIMIZERS[name](model.clip, 1e-2, 0.1, (0.9, 0.98), 1e-6)


def _step(model, teacher, optimizer):
    """One step whose loss draws random numbers, so that a lost generator state shows."""
    text = model.text_features(model.tokenize(captions(4))).pooled
    loss = (text @ torch.randn(text.shape[1], 3)).square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    teacher.update()


def _state(model, teacher, optimizer):
    out = {f"model {k}": v for k, v in model.clip.state_dict().items()}
    out |= {f"teacher {k}": v for k, v in teacher.clip.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        out |= {f"optimizer {i} {k}": v for k, v in state.items()}
    return {k: v.clone() for k, v in out.items()} | {"random": torch.get_rng_state()}


def _same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        assert a[key].dtype == b[key].dtype, key
        assert torch.equal(a[key], b[key]), key


@pytest.mark.parametrize(("lora", "name"), [(False, "adamw"), (True, "adamw"), (False, "muon"), (True, "muon")])
def test_a_run_goes_on_bit_for_bit(clip, tmp_path, lora, name):
    parts = _setup(clip, lora=lora, name=name)
    torch.manual_seed(5)
    _step(*parts)
    _step(*parts)
    model, teacher, optimizer = parts
    path = save_checkpoint(tmp_path, 2, {"epoch": 1, "batch": 7}, model.clip, teacher.clip, optimizer, keep=2)
    assert {p.name for p in path.iterdir()} == FILES
    written = {p.name: p.read_bytes() for p in path.iterdir()}
    saved = _state(*parts)
    _step(*parts)
    expected = _state(*parts)

    torch.manual_seed(99)
    other = _setup(clip, seed=1, lora=lora, name=name)
    _step(*other)  # an optimizer that has state already
    model, teacher, optimizer = other
    assert load_checkpoint(path, model.clip, teacher.clip, optimizer) == (2, {"epoch": 1, "batch": 7})
    _same(_state(*other), saved)
    _step(*other)
    _same(_state(*other), expected)
    assert {p.name: p.read_bytes() for p in path.iterdir()} == written  # going on does not write into the files


def test_a_fresh_optimizer_without_steps(clip, tmp_path):
    model, _, optimizer = _setup(clip)
    path = save_checkpoint(tmp_path, 0, {}, model.clip, None, optimizer, keep=1)
    assert {p.name for p in path.iterdir()} == FILES - {"teacher.safetensors"}
    assert load_checkpoint(path, model.clip, None, optimizer) == (0, {})
    assert not optimizer.state


def test_tied_weights_are_kept(tmp_path):
    model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    model["b"].weight = model["a"].weight
    optimizer = adamw(model, 0.1, 0.0, (0.9, 0.9), 1e-8)
    path = save_checkpoint(tmp_path, 1, {}, model, None, optimizer, keep=1)
    expected = model["a"].weight.detach().clone()
    nn.init.zeros_(model["a"].weight)
    load_checkpoint(path, model, None, optimizer)
    assert torch.equal(model["b"].weight, expected)


def test_only_the_newest_are_kept(clip, tmp_path):
    model, teacher, optimizer = _setup(clip)
    for step in (9, 10, 100, 11):
        save_checkpoint(tmp_path, step, {}, model.clip, teacher.clip, optimizer, keep=2)
    assert [p.name for p in checkpoints(tmp_path)] == ["step-00000011", "step-00000100"]
    assert {p.name for p in tmp_path.iterdir()} == {"step-00000011", "step-00000100"}
    assert checkpoints(tmp_path / "nowhere") == []


def test_the_same_step_again_replaces_it(clip, tmp_path):
    model, teacher, optimizer = _setup(clip)
    for epoch in (1, 2):
        path = save_checkpoint(tmp_path, 3, {"epoch": epoch}, model.clip, teacher.clip, optimizer, keep=2)
    assert load_checkpoint(path, model.clip, teacher.clip, optimizer) == (3, {"epoch": 2})
    assert {p.name for p in tmp_path.iterdir()} == {"step-00000003"}


class _Died(BaseException):
    pass


STAGES = ["model", "teacher", "optimizer", "random", "state", "sync", "rename", "drop"]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("error", [_Died(), OSError(28, "No space left on device"), SafetensorError("I/O error")])
def test_a_failure_at_any_stage_leaves_complete_checkpoints(clip, tmp_path, monkeypatch, stage, error):
    parts = model, teacher, optimizer = _setup(clip)
    save_checkpoint(tmp_path, 1, {}, model.clip, teacher.clip, optimizer, keep=1)
    _step(*parts)

    def failing(function, when):
        def wrapped(*args, **kwargs):
            if when(*args):
                raise error
            return function(*args, **kwargs)

        return wrapped

    if stage in ("model", "teacher", "optimizer", "random"):
        target, name, when = checkpoint, "save_file", lambda _, path: path.stem == stage
    elif stage == "state":
        target, name, when = checkpoint.json, "dumps", lambda *_: True
    elif stage == "sync":
        target, name, when = checkpoint, "sync", lambda path: path.suffix == ".json"
    elif stage == "rename":
        target, name, when = checkpoint.os, "replace", lambda *_: True
    else:
        target, name, when = checkpoint.shutil, "rmtree", lambda path, *_: path.name.endswith(".old")
    with monkeypatch.context() as patch:
        patch.setattr(target, name, failing(getattr(target, name), when))
        with pytest.raises(
            _Died if isinstance(error, _Died) else RunError, match=None if isinstance(error, _Died) else "--resume"
        ):
            save_checkpoint(tmp_path, 2, {}, model.clip, teacher.clip, optimizer, keep=1)
    found = checkpoints(tmp_path)
    assert len(found) == 1
    assert load_checkpoint(found[0], model.clip, teacher.clip, optimizer)[0] == (2 if stage == "drop" else 1)
    # the next one clears away what was left
    save_checkpoint(tmp_path, 3, {}, model.clip, teacher.clip, optimizer, keep=1)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000003"]


def _write_for_ever(folder, start):
    torch.set_num_threads(1)  # a forked process has no thread pool
    model = nn.Linear(400, 400)
    optimizer = torch.optim.AdamW(model.parameters())
    for step in range(start, start + 100_000):
        with torch.no_grad():
            model.weight.fill_(step)
        save_checkpoint(folder, step, {"epoch": step}, model, nn.Identity(), optimizer, keep=2)


def test_killed_at_random_times(tmp_path):
    step, died_inside = 0, 0
    for attempt in range(12):
        process = multiprocessing.get_context("fork").Process(target=_write_for_ever, args=(tmp_path, step + 1))
        process.start()
        while not (tmp_path / f"step-{step + 2:08d}").exists() and process.is_alive():
            time.sleep(0.001)
        time.sleep(0.003 * attempt)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        found = checkpoints(tmp_path)
        died_inside += any(p.name.startswith(".") for p in tmp_path.iterdir())
        assert 1 <= len(found) <= 3  # the third, where it died before the oldest was dropped
        for path in found:
            model = nn.Linear(400, 400)
            place = load_checkpoint(path, model, nn.Identity(), torch.optim.AdamW(model.parameters()))
            assert place[1] == {"epoch": place[0]}
            assert (model.weight == place[0]).all()
        assert place[0] > step
        step = place[0]
    assert died_inside  # else nothing was killed in the act


def test_another_run_s_checkpoint_is_refused(clip, tmp_path):
    model, teacher, optimizer = _setup(clip)
    _step(model, teacher, optimizer)
    path = save_checkpoint(tmp_path, 1, {}, model.clip, teacher.clip, optimizer, keep=1)
    other = clip("custom")
    with pytest.raises(InputError, match="step-00000001: does not belong to this run"):
        load_checkpoint(path, other.clip, teacher.clip, optimizer)
    with pytest.raises(InputError, match="its objective has a teacher"):
        load_checkpoint(path, model.clip, None, optimizer)
    (path / "teacher.safetensors").unlink()
    with pytest.raises(InputError, match="its objective has no teacher"):
        load_checkpoint(path, model.clip, teacher.clip, optimizer)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "random.safetensors", "state.json"])
@pytest.mark.parametrize("harm", ["missing", "cut", "empty"])
def test_a_damaged_file_is_named_in_one_line(clip, tmp_path, name, harm):
    model, _, optimizer = _setup(clip)
    path = save_checkpoint(tmp_path, 1, {}, model.clip, None, optimizer, keep=1) / name
    data = path.read_bytes()
    path.unlink()
    if harm != "missing":
        path.write_bytes(data[: len(data) // 2] if harm == "cut" else b"")
    with pytest.raises(InputError, match="step-00000001") as caught:
        load_checkpoint(path.parent, model.clip, None, optimizer)
    assert "\n" not in str(caught.value)


def test_state_is_plain_json(clip, tmp_path):
    model, teacher, optimizer = _setup(clip)
    _step(model, teacher, optimizer)
    path = save_checkpoint(tmp_path, 4, {"epoch": 0}, model.clip, teacher.clip, optimizer, keep=1)
    state = json.loads((path / "state.json").read_text())
    assert (state["schema"], state["step"], state["position"]) == (1, 4, {"epoch": 0})
    assert set(state["optimizer_steps"].values()) == {1.0}
    shutil.rmtree(path)
    assert checkpoints(tmp_path) == []
