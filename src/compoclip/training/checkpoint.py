"""Checkpoints: everything a run needs to go on as if it had never stopped, in files without code.

A checkpoint is a folder that is renamed into place whole, so one that exists is complete, whenever the process died.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from compoclip.errors import InputError, RunError
from compoclip.io import read_json, sync

_NAME = re.compile(r"step-(\d{8})$")


def save_checkpoint(
    folder: Path,
    step: int,
    position: dict[str, Any],
    model: nn.Module,
    teacher: nn.Module | None,
    optimizer: torch.optim.Optimizer,
    keep: int,
) -> Path:
    """Write `folder/step-NNNNNNNN/` and drop all but the newest `keep`.

    position: JSON values that tell where in the data the run is. The state of torch's random generators goes with it.
    """
    final = folder / f"step-{step:08d}"
    temporary = folder / f".step-{step:08d}.tmp"
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
        state = {"schema": 1, "step": step, "position": position, "optimizer_steps": steps}
        (temporary / "state.json").write_text(json.dumps(state, indent=2))
        for path in temporary.iterdir():
            sync(path)
        if final.exists():
            _drop(final)
        os.replace(temporary, final)
        sync(folder)
        for old in checkpoints(folder)[:-keep]:
            _drop(old)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{final}: cannot write the checkpoint ({error}); free space and use --resume") from error
    return final


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


def load_checkpoint(
    path: Path, model: nn.Module, teacher: nn.Module | None, optimizer: torch.optim.Optimizer
) -> tuple[int, dict[str, Any]]:
    """Restore everything in place; returns the step and the position in the data.

    Raises InputError where the checkpoint belongs to another model or objective.
    """
    state = read_json(path / "state.json")
    if (path / "teacher.safetensors").exists() != (teacher is not None):
        raise InputError(
            f"{path}: does not belong to this run (its objective has {'a' if teacher is None else 'no'} teacher)"
        )
    try:
        model.load_state_dict(load_file(path / "model.safetensors"))
        if teacher is not None:
            teacher.load_state_dict(load_file(path / "teacher.safetensors"))
        _restore_optimizer(load_file(path / "optimizer.safetensors"), state["optimizer_steps"], model, optimizer)
        random = load_file(path / "random.safetensors")
        torch.set_rng_state(random["cpu"])
        if torch.cuda.is_available() and "cuda" in random:
            torch.cuda.set_rng_state(random["cuda"])
        return int(state["step"]), state["position"]
    except (RuntimeError, KeyError, OSError, SafetensorError) as error:
        raise InputError(f"{path}: does not belong to this run ({str(error).splitlines()[0]})") from error


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
