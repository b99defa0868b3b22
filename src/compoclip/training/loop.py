"""The training loop, from top to bottom."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compoclip.config import TrainConfig
from compoclip.data.loader import naming_lost_workers
from compoclip.distributed import ALONE, Ranks, agreed, together
from compoclip.environment import environment
from compoclip.errors import InputError, RunError
from compoclip.losses import objective
from compoclip.models import Model, load, save
from compoclip.models.device import plain_attention, resolve_device
from compoclip.models.teacher import Teacher
from compoclip.progress import console, show
from compoclip.training.backward import backward
from compoclip.training.batch_texts import TextPlan
from compoclip.training.checkpoint import Clock, checkpoints, load_checkpoint, load_weights_of, save_checkpoint
from compoclip.training.compiled import CompiledBlocks
from compoclip.training.dataset import TrainData
from compoclip.training.evaluate import evaluate_run
from compoclip.training.finite import not_finite, not_finite_gradient
from compoclip.training.fitting import fitted_to_data
from compoclip.training.frozen import FrozenTexts
from compoclip.training.heldout_run import open_whole
from compoclip.training.identity import identity, refuse_other
from compoclip.training.joined_images import between
from compoclip.training.margins import Margins
from compoclip.training.memory import estimate, naming_the_setting, peak_account
from compoclip.training.optim import OPTIMIZERS, learning_rate, set_lr
from compoclip.training.run_directory import RunDirectory, absolute, open_run
from compoclip.training.runlog import NoLog, RunLog
from compoclip.training.scalars import scalars_account, scale_limit
from compoclip.training.setup import (
    choose_parameters,
    first_of,
    repeatable,
    same_total,
    settled_sizes,
    training_mode,
)
from compoclip.training.stopping import StopRequest, listening
from compoclip.training.towers import Towers
from compoclip.training.trackers import require
from compoclip.training.validation import Validation

__all__ = ["train"]


def train(
    config: TrainConfig, resume: bool = False, ranks: Ranks = ALONE, given: Collection[str] | None = None
) -> Path:
    """Fine-tune as `config` says; returns the run directory.

    The directory gets `config.yaml`, `env.json`, `metrics.jsonl`, `checkpoints/`, `results-base.json` (the model before
    any step), `export/` (an open_clip folder, LoRA merged) and `results.json`. With `resume`, goes on from the newest
    checkpoint; on a CPU the result is byte-equal to that of a run that was never stopped.
    `ranks` are several processes that share the run (`distributed.joined`): each has `batch_size` rows of every batch,
    and the first one writes. `given` names the settings that somebody asked for: where the data is small, the others
    are fitted to it (`fitting`); None leaves all as they are.
    Raises InputError for input that does not fit, RunError where the loss is no longer finite, Stopped after SIGTERM.

    Example: train(resolve("fsc-clip", {"data": "captions.tsv", "negatives": "negatives", "output_dir": "runs/fsc"}))
    """
    path = Path(config.output_dir)
    with contextlib.ExitStack() as stack:
        run = together(ranks, lambda: RunDirectory(path) if ranks.rank else stack.enter_context(open_run(path, resume)))
        stack.enter_context(naming_lost_workers())
        return _train(absolute(config), run, stack.enter_context(listening()), ranks, given)


def _train(
    config: TrainConfig, run: RunDirectory, stop: StopRequest, ranks: Ranks, given: Collection[str] | None
) -> Path:
    together(ranks, lambda: None if ranks.rank else require(config.track))
    whole = together(ranks, lambda: open_whole(config))
    asked = config if given is None else together(ranks, lambda: fitted_to_data(config, given, whole, ranks.count))
    config = together(ranks, lambda: same_total(asked, run, ranks))
    torch.manual_seed(config.seed)
    goal = objective(config.weights, **config.options)
    model = together(ranks, lambda: load(config.model_name, resolve_device(config.device), config.activation))
    data = together(ranks, lambda: TrainData.open(config, model, goal.needs, ranks, whole))
    lora = together(ranks, lambda: choose_parameters(model, config))
    ranks.copy_from_first(model.clip)
    limit = scale_limit(model.clip)
    teacher = Teacher(model.clip, config.teacher_decay) if "teacher" in goal.needs else None
    teacher_clip = teacher.clip if teacher else None
    betas = (config.beta1, config.beta2)
    build = OPTIMIZERS[config.optimizer]
    optimizer = build(model.clip, config.lr, config.weight_decay, betas, config.eps, config.text_lr_scale)
    scaler = torch.amp.GradScaler(model.device.type, enabled=config.precision == "fp16")
    total = min(config.epochs * len(data.stream), config.steps if config.steps is not None else 2**62)
    if not ranks.rank:
        for line in scalars_account(model.clip, goal.uses_bias):
            show(console, line)
    prints = (data.stream.source, data.negatives_fingerprint, model.device)
    own = together(ranks, lambda: {} if ranks.rank else identity(asked, *prints))

    margins = Margins.wanted(goal.needs, config.options, model.device)
    step, position, watch = 0, dict[str, Any](epoch=0, batch=0), Validation(config, data, ranks)
    saved = checkpoints(run.checkpoints)
    if saved:
        together(ranks, lambda: None if ranks.rank else refuse_other(saved[-1], own))
        step, position = load_checkpoint(saved[-1], model.clip, teacher_clip, optimizer)
        if step > total:
            raise InputError(f"{run.path}: has taken {step} steps already, more than the {total} asked for")
        _go_on(position, watch, data, margins, scaler)
    together(ranks, lambda: None if ranks.rank else run.begin(asked, environment()))
    if not saved:
        _measure_base(model, config, data, run / "results-base.json", ranks)

    data.prepare(model, dense=bool(goal.needs & {"tokens", "image_tokens"}), steps=total)
    frozen_texts = FrozenTexts(model.clip, "tokens" in goal.needs) if config.lock_text else None
    towers = Towers(model, config.negatives_per_caption, teacher_clip, frozen_texts, config.precision, margins)
    training_mode(model.clip, config)
    trainable = [p for p in model.clip.parameters() if p.requires_grad]
    needed = together(ranks, lambda: estimate(goal, towers, data))
    config = settled_sizes(config, needed, data, model.device, ranks)
    goal, alone = objective(config.weights, **config.options), between(config)
    in_buckets = not (config.lock_text or config.concatenate)
    compiled = CompiledBlocks(model, in_buckets).on if config.compile else contextlib.nullcontext
    data.prepare_texts(TextPlan.of(goal, config, model))
    total = min(config.epochs * len(data.stream), config.steps if config.steps is not None else 2**62)

    with _log(config, run, total, step) if not ranks.rank else NoLog() as log, repeatable(model.device):
        if watch.due(step, position["epoch"], position["batch"]):
            log.figures(step, watch.measure(model, step))
        total = step if watch.exhausted else total
        stop.at_once = False
        clock = Clock(config.checkpoint_every, config.checkpoint_seconds)
        for epoch in range(position["epoch"], config.epochs):
            if step >= total:
                break
            start = position["batch"] if epoch == position["epoch"] else 0
            for batch in agreed(ranks, data.batches(epoch, start, total - step)):
                started = time.perf_counter()
                lr = learning_rate(step, total, config.lr, config.warmup, config.cooldown)
                set_lr(optimizer, lr, config.muon_scale)
                optimizer.zero_grad(set_to_none=True)
                with plain_attention(model.device, config.precision), naming_the_setting(config), compiled():
                    factor = scaler.scale(torch.ones((), device=model.device))  # 1 but for fp16
                    follow = margins.follow if margins is not None and not batch.single else None
                    wanted = alone if batch.single else goal
                    terms = backward(wanted, batch.parts(config.micro_batch), towers, ranks, factor, follow)
                loss = torch.stack(list(terms.values())).sum()
                if not torch.isfinite(loss):
                    parts = batch.parts(config.micro_batch)
                    ranks.check(RunError(not_finite(step, terms, parts, towers, wanted.needs)))  # on all alike

                ranks.sum_gradients(trainable)
                scaler.unscale_(optimizer)
                norm = torch.nn.utils.clip_grad_norm_(trainable, config.grad_clip or math.inf)
                if not torch.isfinite(norm) and not scaler.is_enabled():  # before it reaches the weights
                    ranks.check(RunError(not_finite_gradient(step, model.clip, batch.names)))
                scaler.step(optimizer)
                scaler.update()
                with torch.no_grad():
                    model.clip.logit_scale.clamp_(0, limit)
                if teacher:
                    teacher.update()

                step += 1
                place = dict[str, Any](epoch=epoch, batch=batch.number + 1, scaler=scaler.state_dict())
                place |= {"margins": margins.state()} if margins is not None else {}
                place |= {"total": config.batch_size * ranks.count, "processes": ranks.count}
                logged = step % config.log_every == 0 or step in (1, total)
                rate = len(batch) * ranks.count / (time.perf_counter() - started)
                log.step(step, _figures(loss, terms, lr, norm, model.scale, rate) if logged else {}, logged)
                stopping = bool(ranks.total(torch.tensor(int(stop.asked))))
                if not stopping and watch.due(step, epoch, batch.number + 1):
                    log.figures(step, watch.measure(model, step))
                place["validation"] = watch.history
                due = ranks.same(clock.due(step)) if clock.seconds else clock.due(step)
                due = due or step == watch.best_step or watch.exhausted
                if step == total or due or stopping:
                    keep, spare = config.keep_checkpoints, watch.spared
                    place["stream"] = data.place()
                    with first_of(ranks) as first:
                        if first:
                            run.check_there()
                            state = (model.clip, teacher_clip, optimizer)
                            save_checkpoint(run.checkpoints, step, place, *state, keep, own, spare)
                if stopping and step < total:
                    raise stop.stopped(run.path, step)
                if watch.exhausted:
                    total = step
                    break
    stop.at_once = True
    if not ranks.rank:
        show(console, peak_account(model.device))

    if lora:
        lora.merge()
    model.clip.eval()
    exported = _export(model, config, run, watch, step, ranks)
    evaluate_run(exported, config, data, run / "results.json", config.recipe, ranks)
    return run.path


def _figures(
    loss: Tensor, terms: Mapping[str, Tensor], lr: float, norm: Tensor, scale: float, rate: float
) -> dict[str, float]:
    """What a line of `metrics.jsonl` says of a step. The tensors are waited for, so not at every step."""
    values = {"loss": loss.item(), **{name: value.item() for name, value in terms.items()}}
    return values | {"lr": lr, "grad_norm": norm.item(), "scale": scale, "samples_per_second": rate}


def _measure_base(model: Model, config: TrainConfig, data: TrainData, place: Path, ranks: Ranks) -> None:
    if not ranks.same(place.exists()):
        evaluate_run(model, config, data, place, "base", ranks)
    torch.manual_seed(config.seed)  # training must not depend on whether the base was measured just now


def _go_on(
    position: dict[str, Any], watch: Validation, data: TrainData, margins: Margins | None, scaler: torch.amp.GradScaler
) -> None:
    """Put what is no weight where a checkpoint left it."""
    watch.history = position.get("validation", [])
    data.go_on_from(position.get("stream"))
    if margins is not None:
        margins.restore(position.get("margins"))
    if position.get("scaler"):
        scaler.load_state_dict(position["scaler"])


def _export(model: Model, config: TrainConfig, run: RunDirectory, watch: Validation, step: int, ranks: Ranks) -> Model:
    """Write `export/`, and `export-best/` where it is wanted; the model as the folder has it, to be measured."""
    name = str(run.path)
    model.info = {**model.info, "name": name, "recipe": config.recipe, "base": config.model_name, "sha256": None}
    together(ranks, lambda: None if ranks.rank else save(model, run / "export"))
    if ranks.rank:
        return model  # other machines may not see the folder
    export_best(config, run, watch, step, model)
    return load(run / "export", model.device.type)


def _log(config: TrainConfig, run: RunDirectory, total: int, step: int) -> RunLog:
    return RunLog(run.path, total, step, config.track, config.model_dump(mode="json"))


def export_best(config: TrainConfig, run: RunDirectory, watch: Validation, step: int, last: Model) -> None:
    """Write `export-best/` of the checkpoint that `config.best` picks, and say which. last: the model at `step`."""
    if config.best is None:
        return
    best = watch.best_step
    if best is None:
        show(console, f"best: no evaluation kept {config.best_guard} within {config.best_drop:g} points")
        return
    figures = next(entry["figures"] for entry in watch.history if entry["step"] == best)
    show(console, f"best: step {best}, {config.best} {figures[config.best]:.2f}; in {run / 'export-best'}")
    model = last
    if best != step:
        model = load(config.model_name, "cpu", config.activation)
        lora = choose_parameters(model, config)
        load_weights_of(run.checkpoints, best, model.clip)
        if lora:
            lora.merge()
        model.info = {**last.info}
    save(model, run / "export-best")
