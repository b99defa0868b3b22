"""Evaluation while training: what is measured when, which checkpoint is the best, and whether to stop early.

It draws from no random generator and leaves the model in the mode it was in, so a run with it ends with the weights of
a run without. Its history is part of every checkpoint, so it survives a resume.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from compoclip.config import TrainConfig
from compoclip.distributed import ALONE, Ranks
from compoclip.errors import InputError
from compoclip.evaluation import evaluate
from compoclip.models import Model
from compoclip.training.dataset import TrainData

Figures = dict[str, float]


class Validation:
    """The evaluations of one run.

    `best` is the figure that picks a checkpoint: `comp`, a task such as `sugarcrepe`, or one of its subsets such as
    `heldout/swap-nouns`. With `best_guard`, only evaluations count whose guard (such as `zeroshot`) is at most
    `best_drop` points below that of the model before the first step. Ties go to the earlier.
    """

    def __init__(self, config: TrainConfig, data: TrainData, ranks: Ranks = ALONE) -> None:
        self.config, self.data, self.ranks = config, data, ranks
        self.history: list[dict[str, Any]] = []
        if (config.best or config.patience) and not self.on:
            raise InputError("best and patience need evaluations while training: set val_every or val_every_epochs")
        if (config.patience or config.best_guard) and not config.best:
            raise InputError("patience and best_guard need best, the figure that is to grow")
        if self.on and not config.val_tasks and data.heldout is None:
            raise InputError("nothing to evaluate while training: name val_tasks, or hold images out with held_out")

    @property
    def on(self) -> bool:
        return bool(self.config.val_every or self.config.val_every_epochs)

    def due(self, step: int, epoch: int, batch: int) -> bool:
        """Whether `step`, the run's place after it being batch `batch` of `epoch`, is to be measured and is not yet."""
        if not self.on or any(entry["step"] == step for entry in self.history):
            return False
        whole = epoch + 1 if batch == len(self.data.stream) else 0  # epochs just finished
        every, epochs = self.config.val_every, self.config.val_every_epochs
        return step == 0 or bool(every and step % every == 0) or bool(epochs and whole and whole % epochs == 0)

    def measure(self, model: Model, step: int) -> Figures:
        """Evaluate, on the ranks together, and remember it. Raises InputError where `best` names no figure."""
        extra = [self.data.heldout] if self.data.heldout is not None else []
        with undisturbed(model):
            results = evaluate(
                model,
                self.config.val_tasks,
                data_root=self.config.eval_data_root,
                limit=self.config.eval_limit,
                extra=extra,
                controls=False,
                ranks=self.ranks,
            )
        figures = self.ranks.same(figures_of(results) if results else {})
        for name in (self.config.best, self.config.best_guard):
            if name is not None and name not in figures:
                raise InputError(f"{name!r} is none of the figures measured: {', '.join(figures)}")
        self.history.append({"step": step, "figures": figures})
        return figures

    @property
    def best_step(self) -> int | None:
        """The step of the best evaluation so far, the model before training left out; None where none qualifies."""
        config = self.config
        if config.best is None or not self.history:
            return None
        guard, first = config.best_guard, self.history[0]["figures"]
        allowed = [
            entry
            for entry in self.history
            if entry["step"] and (guard is None or entry["figures"][guard] >= first[guard] - config.best_drop)
        ]
        return max(allowed, key=lambda entry: entry["figures"][config.best], default={"step": None})["step"]

    @property
    def spared(self) -> tuple[int, ...]:
        """Steps whose checkpoints are kept whatever comes after."""
        return () if self.best_step is None else (self.best_step,)

    @property
    def exhausted(self) -> bool:
        """Whether `patience` evaluations in a row have brought nothing better."""
        since = [entry for entry in self.history if entry["step"] > (self.best_step or 0)]
        return 0 < self.config.patience <= len(since)


def figures_of(results: dict[str, Any]) -> Figures:
    """Summary, tasks' scores and subsets' accuracies of results, by name; what could not be measured is left out."""
    found = dict(results["summary"])
    for task, entry in results["tasks"].items():
        found[task] = entry["score"]
        found |= {f"{task}/{name}": subset["accuracy"] for name, subset in entry["subsets"].items()}
    return {name: float(value) for name, value in found.items() if value is not None}


@contextmanager
def undisturbed(model: Model) -> Iterator[None]:
    """Put random generators and the modes of all modules back afterwards."""
    clip, device = model.clip, model.device
    modes = {module: module.training for module in clip.modules()}
    own, cpu = random.getstate(), torch.get_rng_state()
    arrays = np.random.get_state()  # noqa: NPY002 - libraries may draw from it
    cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    clip.eval()
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(arrays)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, device)
        for module, training in modes.items():
            module.training = training
