"""Where a model runs, and in which numbers."""

from __future__ import annotations

import contextlib
import os

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from compoclip.errors import InputError

PRECISIONS = ("fp32", "bf16", "fp16")


def resolve_device(name: str = "auto") -> str:
    """`auto` is the GPU (this process's own under torchrun), else the CPU. Raises InputError for one not there."""
    local = os.environ.get("LOCAL_RANK", "0")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda":
            if device.index is None:
                device = torch.device("cuda", int(local) % max(1, torch.cuda.device_count()))
            if not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count():
                raise InputError(f"--device {name}: no such GPU here; use --device cpu")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError, NotImplementedError):
        raise InputError(f"--device {name}: not usable here; choose auto, cpu, cuda or cuda:N") from None
    return str(device)


def numbers(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """What a forward pass runs in. Features leave it as fp32 whatever it was."""
    stack = contextlib.ExitStack()
    if precision != "fp32":
        stack.enter_context(torch.autocast(device.type, torch.bfloat16 if precision == "bf16" else torch.float16))
        stack.enter_context(plain_attention(device, precision))
    return stack


def plain_attention(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """On a CPU in half precision, attention without the fused kernel, whose backward pass takes most of a step.

    A backward pass that computes activations again (`grad_checkpointing`) must run in it too.
    """
    if device.type == "cpu" and precision != "fp32":
        return sdpa_kernel(SDPBackend.MATH)
    return contextlib.nullcontext()


def check_precision(precision: str) -> str:
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}: choose {' or '.join(PRECISIONS)}")
    return precision
