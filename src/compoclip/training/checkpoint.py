"""Checkpoints: everything a run needs to go on as if it had never stopped, in files without code.

A checkpoint is a folder that is renamed into place whole, so one that exists is complete, whenever the process died.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from compoclip.errors import InputError, RunError
from compoclip.io import read_json, sync

_NAME = re.compile(r"step-(\d{8})$")


class Clock:
    """When the next checkpoint is due: every so many steps (0 for never), or every so many seconds."""

    def __init__(self, steps: int | str, seconds: float | None) -> None:
        self.steps, self.seconds, self._last = steps, seconds, time.monotonic()

    def due(self, step: int) -> bool:
        """Asked once a step, after it."""
        if self.seconds is None:
            return bool(self.steps) and step % int(self.steps) == 0
        now = time.monotonic()
        if now - self._last < self.seconds:
            return False
        self._last = now
        return True


def save_checkpoint(
    folder: Path,
    step: int,
    position: dict[str, Any],
    model: nn.Module,
    teacher: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    keep: int,
    identity: dict[str, Any] | None = None,
    spare: Collection[int] = (),
) -> Path:
    """Write `folder/step-NNNNNNNN/` and drop all but the newest `keep` and those of the steps `spare`.

    position: JSON values that tell where in the data the run is. identity: those that tell which run it is. The state
    of torch's random generators goes with them. Raises RunError for weights that are not finite, which are not worth
    keeping and must not push out those that are, and where nothing can be written.
    """
    wrong = next((name for name, value in model.named_parameters() if not torch.isfinite(value).all()), None)
    if wrong is not None:
        raise RunError(f"step {step}: the weights are no longer finite ({wrong}); no checkpoint is written of them")
    final = folder / _name(step)
    temporary = folder / f".{_name(step)}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".step-*"):  # of a process that died while it wrote or dropped one
            shutil.rmtree(left, ignore_errors=True)
        temporary.mkdir()
        save_file(_tensors(model), temporary / "model.safetensors")
        if teacher is not None:
            save_file(_tensors(teacher), temporary / "teacher.safetensors")
        tensors, steps = _optimizer_state(model, optimizer)
        save_file(tensors, temporary / "optimizer.safetensors")
        save_file(_random_state(), temporary / "random.safetensors")
        state = {"schema": 1, "step": step, "position": position, "identity": identity, "optimizer_steps": steps}
        (temporary / "state.json").write_text(json.dumps(state, indent=2))
        for path in temporary.iterdir():
            sync(path)
        if final.exists():
            _drop(final)
        os.replace(temporary, final)
        sync(folder)
        kept = {path.name for path in checkpoints(folder)[-keep:]} | {_name(number) for number in spare}
        for old in checkpoints(folder):
            if old.name not in kept:
                _drop(old)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)  # half of one takes room that --resume may need
        raise RunError(f"{final}: cannot write the checkpoint ({error}); free space and use --resume") from error
    return final


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _drop(path: Path) -> None:
    # renamed first: a folder half deleted must not look like a checkpoint
    hidden = path.with_name(f".{path.name}.old")
    os.replace(path, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and _NAME.match(p.name))


def read_state(path: Path) -> dict[str, Any]:
    """A checkpoint's `state.json`: step, position, identity. Raises InputError where it is damaged; see `_damaged`."""
    try:
        state = read_json(path / "state.json")
        if not isinstance(state, dict) or not {"step", "position", "optimizer_steps"} <= set(state):
            raise InputError("state.json is not a checkpoint's")
        return state
    except (InputError, OSError) as error:
        raise _damaged(path, str(error)) from error


def load_checkpoint(
    path: Path, model: nn.Module, teacher: nn.Module | None, optimizer: torch.optim.Optimizer
) -> tuple[int, dict[str, Any]]:
    """Restore everything in place; returns the step and the position in the data.

    Raises InputError where the checkpoint is damaged (naming the one before it), and where it belongs to another model
    or objective.
    """
    state = read_state(path)
    if (path / "teacher.safetensors").exists() != (teacher is not None):
        raise InputError(
            f"{path}: does not belong to this run (its objective has {'a' if teacher is None else 'no'} teacher)"
        )
    names = ("model", "teacher", "optimizer", "random") if teacher is not None else ("model", "optimizer", "random")
    try:
        parts = {name: load_file(path / f"{name}.safetensors") for name in names}
    except (OSError, SafetensorError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error
    try:
        model.load_state_dict(parts["model"])
        if teacher is not None:
            teacher.load_state_dict(parts["teacher"])
        _restore_optimizer(parts["optimizer"], state["optimizer_steps"], model, optimizer)
        torch.set_rng_state(parts["random"]["cpu"])
        if torch.cuda.is_available() and "cuda" in parts["random"]:
            torch.cuda.set_rng_state(parts["random"]["cuda"])
        return int(state["step"]), state["position"]
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{path}: does not belong to this run ({str(error).splitlines()[0]})") from error


def load_weights_of(folder: Path, step: int, model: nn.Module) -> None:
    """Put the model of the checkpoint at `step` into `model`. Raises InputError where it is damaged or gone."""
    path = folder / _name(step)
    try:
        model.load_state_dict(load_file(path / "model.safetensors"))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error


def _damaged(path: Path, why: str) -> InputError:
    """The message for a checkpoint that cannot be read: it says which older one there is, and how to go on from it."""
    older = [other for other in checkpoints(path.parent) if other.name < path.name]
    how = (
        f"remove this folder, and --resume goes on from {older[-1].name}"
        if older
        else "there is no older one, so the run has to be started again in another --output-dir"
    )
    return InputError(f"{path}: is damaged ({why}); {how}")


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    # cloned one by one: safetensors refuses tensors that share storage, as tied weights do
    return {name: value.detach().cpu().clone().contiguous() for name, value in module.state_dict().items()}


def _optimizer_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], dict[str, float]]:
    tensors, steps = {}, {}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if key == "step":
                steps[name] = float(value)
            else:
                tensors[f"{name}::{key}"] = value.detach().cpu().clone().contiguous()
    return tensors, steps


def _restore_optimizer(
    tensors: dict[str, Tensor], steps: dict[str, float], model: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    named = dict(model.named_parameters())
    for name, step in steps.items():
        optimizer.state[named[name]] = {"step": torch.tensor(step)}
    for joined, value in tensors.items():
        name, _, key = joined.rpartition("::")
        parameter = named[name]
        optimizer.state[parameter][key] = value.to(parameter.device)


def _random_state() -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state
