"""What a run settles before its first step: sizes, which parameters are trained, modes and algorithms."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from compoclip.config import TrainConfig
from compoclip.distributed import Ranks, together
from compoclip.errors import InputError, RunError
from compoclip.models import Model
from compoclip.models.image_tower import lock_but_last, projection_parameters
from compoclip.models.lora import Lora
from compoclip.models.text_tower import text_parameters
from compoclip.progress import console, show
from compoclip.training.checkpoint import checkpoints, read_state
from compoclip.training.dataset import TrainData
from compoclip.training.memory import Estimate, fitted, for_batch, free_bytes, memory_account
from compoclip.training.run_directory import RunDirectory


def same_total(config: TrainConfig, run: RunDirectory, ranks: Ranks) -> TrainConfig:
    """The configuration with the `batch_size` that keeps a resumed run's total, whatever the number of processes."""
    saved = checkpoints(run.checkpoints)
    position = read_state(saved[-1])["position"] if saved else {}
    wanted = position.get("total")
    if wanted is None or (wanted == config.batch_size * ranks.count and not config.fit_batch):
        return config
    if wanted % ranks.count:
        raise InputError(f"{run.path}: its batches of {wanted} cannot be shared by {ranks.count} processes alike")
    weights = dict(config.weights)
    if config.fit_batch:  # the settings were made for another total
        weights = for_batch(config, config.batch_size * position["processes"], wanted)
    return config.model_copy(update={"batch_size": wanted // ranks.count, "fit_batch": False, "weights": weights})


def settled_sizes(
    config: TrainConfig, needed: Estimate, data: TrainData, device: torch.device, ranks: Ranks
) -> TrainConfig:
    """Settle the sizes that were left to the memory, and say what a step is made of."""
    config = together(ranks, lambda: fitted(config, needed, data.stream.samples, device, ranks))
    data.stream.batch_size = config.batch_size
    if not ranks.rank:
        show(console, batch_account(config, len(data.stream), data.stream.samples, ranks))
        show(console, memory_account(config, needed, free_bytes(device)))
    return config


def batch_account(config: TrainConfig, batches: int, samples: int, ranks: Ranks) -> str:
    """What a step and an epoch are made of, in one line."""
    total = config.batch_size * ranks.count
    each = f" ({ranks.count} processes of {config.batch_size})" if ranks.count > 1 else ""
    parts = f", activations of {config.micro_batch} at a time" if config.micro_batch else ""
    hard = f" with hard images {config.hard_images} to one" if config.hard_images else ""
    hard += f" of {config.hard_captions} captions each" if config.hard_captions > 1 else ""
    hard += f", {config.rows * ranks.count} rows" if hard else ""
    line = f"batches of {total}{each}{hard}{parts}; {batches} an epoch"
    line += f", {samples - batches * total} of {samples} samples left out of each"
    published = config.published_batch
    if published is not None and published != total:
        line += f"; recipe {config.recipe} was published with batches of {published}"
    return line


def choose_parameters(model: Model, config: TrainConfig) -> Lora | None:
    """Freeze what the configuration freezes; LoRA freezes the base of what is left."""
    if config.lock_image and config.lock_text:
        raise InputError("lock_image and lock_text together leave nothing to train")
    if config.unlock_image_head and not config.lock_image:
        raise InputError("unlock_image_head only makes sense with lock_image")
    if config.unlocked_image_groups and (config.lock_image or config.lora_rank):
        raise InputError("unlocked_image_groups goes neither with lock_image, which keeps features, nor with LoRA")
    lora = Lora(model.clip, config.lora_rank, config.lora_alpha) if config.lora_rank else None
    if config.lock_image:
        for parameter in model.clip.visual.parameters():
            parameter.requires_grad_(False)
        if config.unlock_image_head:
            for parameter in projection_parameters(model.clip.visual):
                parameter.requires_grad_(True)
    if config.unlocked_image_groups:
        lock_but_last(model.clip.visual, config.unlocked_image_groups)
    if config.lock_text:
        for _, parameter in text_parameters(model.clip):
            parameter.requires_grad_(False)
    return lora


def training_mode(clip: nn.Module, config: TrainConfig) -> None:
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
def first_of(ranks: Ranks) -> Iterator[bool]:
    """Work that the first process does for all, given as whether this is it; a RunError there ends all of them."""
    error = None
    try:
        yield not ranks.rank
    except RunError as caught:
        error = caught
    ranks.check(error)


@contextlib.contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
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
