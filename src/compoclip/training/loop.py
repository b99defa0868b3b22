"""The training loop, from top to bottom."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compoclip.config import TrainConfig
from compoclip.environment import environment
from compoclip.errors import InputError, RunError
from compoclip.io import write_json
from compoclip.losses import objective
from compoclip.models import Model, load, save
from compoclip.models.image_tower import projection_parameters
from compoclip.models.lora import Lora
from compoclip.models.teacher import Teacher
from compoclip.models.text_tower import text_parameters
from compoclip.training.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from compoclip.training.dataset import TrainData
from compoclip.training.evaluate import evaluate_run
from compoclip.training.frozen import FrozenTexts
from compoclip.training.optim import adamw, cosine_lr
from compoclip.training.runlog import RunLog
from compoclip.training.towers import batch_features

MAX_LOGIT_SCALE = math.log(100.0)  # CLIP (Radford et al. 2021), section 2.5


def train(config: TrainConfig, resume: bool = False) -> Path:
    """Fine-tune as `config` says; returns the run directory.

    The directory gets `config.yaml`, `env.json`, `metrics.jsonl`, `checkpoints/`, `results-base.json` (the model before
    any step), `export/` (an open_clip folder, LoRA merged) and `results.json`. With `resume`, goes on from the newest
    checkpoint; on a CPU the result is byte-equal to that of a run that was never stopped.
    Raises InputError for input that does not fit, RunError where the loss is no longer finite.
    """
    run = _prepare(config, resume)
    torch.manual_seed(config.seed)
    goal = objective(config.weights, **config.options)
    model = load(config.model_name, _device(config.device), config.activation)
    data = TrainData.open(config, model, goal.needs)
    lora = _choose_parameters(model, config)
    teacher = Teacher(model.clip, config.teacher_decay) if "teacher" in goal.needs else None
    teacher_clip = teacher.clip if teacher else None
    betas = (config.beta1, config.beta2)
    optimizer = adamw(model.clip, config.lr, config.weight_decay, betas, config.eps)
    total = min(config.epochs * len(data.stream), config.steps if config.steps is not None else 2**62)

    step, position = 0, {"epoch": 0, "batch": 0}
    saved = checkpoints(run / "checkpoints")
    if saved:
        step, position = load_checkpoint(saved[-1], model.clip, teacher_clip, optimizer)
    else:
        if not (run / "results-base.json").exists():
            evaluate_run(model, config, data, run / "results-base.json", label="base")
        torch.manual_seed(config.seed)  # training must not depend on whether the base was measured just now

    data.prepare(model, dense="tokens" in goal.needs)
    frozen_texts = FrozenTexts(model.clip, "tokens" in goal.needs) if config.lock_text else None
    _training_mode(model.clip, config)
    trainable = [p for p in model.clip.parameters() if p.requires_grad]
    autocast = contextlib.nullcontext if config.precision == "fp32" else _bf16(model.device)

    with RunLog(run, total, step) as log, _repeatable(model.device):
        for epoch in range(position["epoch"], config.epochs):
            for batch in data.batches(epoch, position["batch"] if epoch == position["epoch"] else 0):
                if step >= total:
                    break
                started = time.perf_counter()
                lr = cosine_lr(step, total, config.lr, config.warmup)
                for group in optimizer.param_groups:
                    group["lr"] = lr

                with autocast():
                    features = batch_features(
                        model,
                        batch.images,
                        batch.captions,
                        batch.negatives,
                        config.negatives_per_caption,
                        goal.needs,
                        teacher_clip,
                        batch.image_id,
                        frozen_texts,
                    )
                terms = goal(features)
                loss = torch.stack(list(terms.values())).sum()
                if not torch.isfinite(loss):
                    bad = ", ".join(f"{name} {value.item():g}" for name, value in terms.items())
                    raise RunError(f"step {step}: the loss is not finite ({bad}); lower lr or use grad_clip")

                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                norm = torch.nn.utils.clip_grad_norm_(trainable, config.grad_clip or math.inf)
                optimizer.step()
                with torch.no_grad():
                    model.clip.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
                if teacher:
                    teacher.update()

                step += 1
                place = {"epoch": epoch, "batch": batch.number + 1}
                logged = step % config.log_every == 0 or step in (1, total)
                values = {}
                if logged:
                    rate = len(batch.captions) / (time.perf_counter() - started)
                    values = {"loss": loss.item(), **{name: value.item() for name, value in terms.items()}}
                    values |= {"lr": lr, "grad_norm": norm.item(), "scale": model.scale, "samples_per_second": rate}
                log.step(step, values, logged)
                if step == total or (config.checkpoint_every and step % config.checkpoint_every == 0):
                    keep = config.keep_checkpoints
                    save_checkpoint(run / "checkpoints", step, place, model.clip, teacher_clip, optimizer, keep)

    if lora:
        lora.merge()
    model.clip.eval()
    model.info = {**model.info, "name": str(run), "recipe": config.recipe, "base": config.model_name, "sha256": None}
    save(model, run / "export")
    evaluate_run(load(run / "export", model.device.type), config, data, run / "results.json", label=config.recipe)
    return run


def _prepare(config: TrainConfig, resume: bool) -> Path:
    """The run directory with its configuration; refuses to write over another run."""
    run = Path(config.output_dir)
    previous = run / "config.yaml"
    if previous.exists() and not resume:
        raise InputError(f"{run}: a run is here already; add --resume to go on with it, or choose another --output-dir")
    if resume and not previous.exists():
        raise InputError(f"{run}: nothing to resume here (no config.yaml)")
    run.mkdir(parents=True, exist_ok=True)
    if not resume:
        write_json(run / "env.json", environment())
        config.write(previous)
    return run


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device={name}: no CUDA device here; use cpu or auto")
    return name


def _choose_parameters(model: Model, config: TrainConfig) -> Lora | None:
    """Freeze what the configuration freezes; LoRA freezes the base of what is left."""
    if config.lock_image and config.lock_text:
        raise InputError("lock_image and lock_text together leave nothing to train")
    if config.unlock_image_head and not config.lock_image:
        raise InputError("unlock_image_head only makes sense with lock_image")
    lora = Lora(model.clip, config.lora_rank, config.lora_alpha) if config.lora_rank else None
    if config.lock_image:
        for parameter in model.clip.visual.parameters():
            parameter.requires_grad_(False)
        if config.unlock_image_head:
            for parameter in projection_parameters(model.clip.visual):
                parameter.requires_grad_(True)
    if config.lock_text:
        for _, parameter in text_parameters(model.clip):
            parameter.requires_grad_(False)
    return lora


def _training_mode(clip: nn.Module, config: TrainConfig) -> None:
    """Training mode without its noise: no dropout, and the statistics of batch norm as they were learned.

    CLIP is trained without dropout, and a fine-tune's batches are too few to estimate statistics anew.
    """
    clip.train()
    for module in clip.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
        elif isinstance(module, nn.Dropout):
            module.p = 0.0
    if config.grad_checkpointing:
        clip.set_grad_checkpointing(True)  # type: ignore[operator]


@contextlib.contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """On a CPU, algorithms that add up in the same order every time, whatever the threads do.

    Without it, the gradient of features that several captions share differs in its last bits from run to run.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = torch.utils.deterministic
    fill = memory.fill_uninitialized_memory
    if device.type == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory = False  # a debugging aid that comes with the switch and costs time
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = fill


def _bf16(device: torch.device):
    return lambda: torch.autocast(device.type, torch.bfloat16)
