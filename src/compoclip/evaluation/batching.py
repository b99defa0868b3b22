"""How many inputs a model gets at once: a number, or as many as the memory holds."""

from __future__ import annotations

import gc
import inspect
import sys
from collections.abc import Callable
from typing import Any

from compoclip.errors import InputError, RunError

SIGNS = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory")


def check_batch_size(wanted: int | str) -> int | str:
    """A whole number of at least 1, or `auto`, as given or as text. Raises InputError for anything else."""
    if wanted == "auto":
        return wanted
    if not str(wanted).isdecimal() or int(wanted) < 1:
        raise InputError(f"batch size {wanted!r}: give a whole number of at least 1, or auto")
    return int(wanted)


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says so: torch's own on a GPU, a RuntimeError with the words on the CPU."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


class BatchSize:
    """`now` inputs at once. `auto` begins at `start` and halves for good whenever memory runs out."""

    def __init__(self, wanted: int | str, start: int) -> None:
        wanted = check_batch_size(wanted)
        self.auto = wanted == "auto"
        self.start = self.now = start if self.auto else int(wanted)

    def run(self, encode: Callable[[Any, int], Any], data: Any) -> list[Any]:
        """`encode(part, size)` of consecutive parts of `data` (a list or a tensor), in order.

        Raises RunError where memory runs out at a fixed size, or for a single input.
        """
        out, start = [], 0
        while start < len(data):
            part = data[start : start + self.now]
            try:
                out.append(encode(part, self.now))
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                if not self.auto:
                    raise RunError(f"out of memory with {len(part)} inputs at once; try --batch-size auto") from error
                if len(part) == 1:
                    raise RunError(
                        "out of memory with a single input; use a smaller model or another device"
                    ) from error
                self.now = len(part) // 2
            else:
                start += len(part)
                continue
            _free()  # outside the handler, when the exception no longer holds on to the tensors of the failed pass
        return out


def _free() -> None:
    """Give a GPU's memory back; the CPU's is given back by itself."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def caller(method: Callable[..., Any]) -> Callable[[Any, int], Any]:
    """`method(data, batch_size=size)`, or without the size where somebody's own method takes none."""
    try:
        names = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return lambda data, size: method(data)
    if any(p.name == "batch_size" or p.kind is p.VAR_KEYWORD for p in names):
        return lambda data, size: method(data, batch_size=size)
    return lambda data, size: method(data)
