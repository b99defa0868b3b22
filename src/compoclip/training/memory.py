"""What a step needs of memory: measured on two small batches before the run, and the true peak after it."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from compoclip.config import TrainConfig
from compoclip.distributed import Ranks
from compoclip.errors import InputError, RunError
from compoclip.evaluation.batching import out_of_memory
from compoclip.losses.objective import Objective
from compoclip.training.dataset import TrainBatch, TrainData
from compoclip.training.extra_texts import stand_ins, wanted_texts
from compoclip.training.frozen import FrozenTexts
from compoclip.training.towers import Towers

GIB = 2**30
PROBES = (2, 6)  # samples of the two measured batches
MARGIN = 1.3  # what a backward pass needs beside the tensors kept for it: gradients on their way, workspace
USABLE = 0.85  # of the memory that is free
LARGEST = 4096  # a batch size that `auto` does not go beyond


@dataclass(frozen=True)
class Estimate:
    """Bytes: of weights (teacher included), of gradients and AdamW's moments, and of activations of one sample."""

    weights: int
    optimizer: int
    fixed: int
    sample: int

    def step(self, samples: int) -> int:
        return self.weights + self.optimizer + self.fixed + self.sample * samples

    def fits(self, free: int) -> int:
        """Samples that fit where `free` bytes are free and the weights are there already."""
        return max(0, (int(USABLE * free) - self.optimizer - self.fixed) // max(self.sample, 1))

    def __str__(self) -> str:
        parts = (self.weights, self.optimizer, self.fixed + self.sample)
        return "weights {:.2f}, gradients and optimiser {:.2f}".format(*(part / GIB for part in parts))


def estimate(goal: Objective, towers: Towers, data: TrainData) -> Estimate:
    """Count what autograd keeps for the backward pass of two small batches of the run's own captions."""
    clip = towers.model.clip
    if towers.frozen_texts is not None:  # the run's own cache is for the run's own captions
        towers = replace(towers, frozen_texts=FrozenTexts(clip, towers.frozen_texts.dense))
    named = {id(p): p for p in [*clip.parameters(), *(towers.teacher.parameters() if towers.teacher else ())]}
    weights = sum(p.numel() * p.element_size() for p in named.values())
    trained = sum(p.numel() * p.element_size() for p in clip.parameters() if p.requires_grad)
    kept = [_kept(goal, towers, _probe(towers, data, count, goal.needs)) for count in PROBES]
    sample = max(1, (kept[1] - kept[0]) // (PROBES[1] - PROBES[0]))
    fixed = max(0, kept[0] - PROBES[0] * sample)
    return Estimate(weights, 3 * trained, int(MARGIN * fixed), int(MARGIN * sample))


def _probe(towers: Towers, data: TrainData, count: int, needs: frozenset[str]) -> TrainBatch:
    """Noise for images, the first captions of the data, and captions of others for negatives and further texts."""
    source = data.stream.source
    captions = [source.captions(i % len(source))[0] for i in range(count * (towers.per_caption + 1))]
    negatives = [captions[count + i * towers.per_caption :][: towers.per_caption] for i in range(count)]
    extras = stand_ins(captions, wanted_texts(data.config, needs), count)
    kept = data.kept_images(range(count))
    if kept is not None:
        return TrainBatch(kept, captions[:count], negatives, torch.arange(count), 0, [""] * count, extras)
    size = towers.model.clip.visual.image_size
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    images = torch.zeros(count, 3, height, width)
    return TrainBatch(images, captions[:count], negatives, torch.arange(count), 0, [""] * count, extras)


def _kept(goal: Objective, towers: Towers, batch: TrainBatch) -> int:
    """Bytes of distinct storages that the graph of a batch keeps, the weights left out."""
    known = {p.untyped_storage().data_ptr() for p in towers.model.clip.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        terms = goal(towers.features(batch, goal.needs))
        total = torch.stack(list(terms.values())).sum()  # held until here, so that no storage is counted twice
    del total
    return sum(seen.values())


def free_bytes(device: torch.device) -> int | None:
    """Memory that this process may still take; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")))
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        if limit != "max":
            found.append(int(limit) - used)
    except (OSError, ValueError, StopIteration):
        pass
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return min(found) // here if found else None


def fitted(config: TrainConfig, needed: Estimate, samples: int, device: torch.device, ranks: Ranks) -> TrainConfig:
    """The configuration with the sizes that were left open (`fit_batch`, `micro_batch` 0): the same on every rank.

    A distillation weight follows, as the term sums over the batch.
    Raises InputError where the system does not tell its memory, RunError where not even one sample fits.
    """
    if not config.fit_batch and config.micro_batch != 0:
        return config
    free = free_bytes(device)
    if free is None:
        raise InputError("this system does not tell how much memory is free: give --batch-size and --micro-batch")
    fits = min(ranks.share(needed.fits(free)))
    if fits < 1:
        raise RunError(f"{free / GIB:.1f} GiB are free, and not one sample fits: use a smaller model or --lora")
    micro, batch = config.micro_batch, config.batch_size
    each = config.rows // batch
    if config.fit_batch:
        most = min(LARGEST, samples // ranks.count, fits // each if micro is None else LARGEST)
        batch = 1 << max(0, most.bit_length() - 1)
    if micro == 0:
        micro = None if fits >= batch * each else fits
    weights = for_batch(config, config.batch_size, batch)
    return config.model_copy(update={"batch_size": batch, "micro_batch": micro, "fit_batch": False, "weights": weights})


def for_batch(config: TrainConfig, before: int, now: int) -> dict[str, float]:
    """The weights of terms when the batch changes: a distillation that sums over the batch keeps its share."""
    weights = dict(config.weights)
    if "distillation" in weights and config.options.get("distillation_reduction", "sum") == "sum":
        weights["distillation"] *= before / now
    return weights


def memory_account(config: TrainConfig, needed: Estimate, free: int | None) -> str:
    samples = min(config.micro_batch or config.rows, config.rows)
    line = f"memory: about {needed.step(samples) / GIB:.1f} GiB a process ({needed}, activations of {samples} samples "
    line += f"{(needed.fixed + needed.sample * samples) / GIB:.2f})"
    return line + (f"; {free / GIB:.1f} GiB are free" if free is not None else "")


def peak_bytes(device: torch.device) -> int:
    """The most that this process has had: of the GPU's memory, or resident on the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def peak_account(device: torch.device) -> str:
    """What the run took in the end. On a CPU that counts libraries and data too, which the account before does not."""
    what = "" if device.type == "cuda" else ", libraries and data included"
    return f"memory: at most {peak_bytes(device) / GIB:.2f} GiB in the first process{what}"


@contextlib.contextmanager
def naming_the_setting(config: TrainConfig) -> Iterator[None]:
    """Where memory runs out, say which setting to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        samples = min(config.micro_batch or config.rows, config.rows)
        ways = [f"--micro-batch {samples // 2} (the same gradient)"] if samples > 1 else []
        ways += [] if config.grad_checkpointing else ["--set grad_checkpointing=true"]
        ways += ["--precision bf16"] if config.precision == "fp32" else []
        ways += [] if config.lora_rank else ["--lora 4"]
        raise RunError(f"out of memory with {samples} samples at once; try {', or '.join(ways)}") from error
