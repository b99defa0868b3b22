"""The next batch is on its way to the GPU while this one is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


def one_ahead(items: Iterable[T], send: Callable[[T], T]) -> Iterator[T]:
    """The items as `send` gives them back, each sent before the one ahead of it is handed out."""
    waiting: list[T] = []
    for item in items:
        waiting.append(send(item))
        if len(waiting) > 1:
            yield waiting.pop(0)
    yield from waiting


def sent_ahead(items: Iterable[tuple[Any, Any]], device: torch.device) -> Iterator[tuple[Any, Any]]:
    """(batch, whatever) pairs whose `images` are on the GPU `device`, or on their way to it in the right order.

    From pinned memory, by a CUDA stream of its own, one batch ahead. On other devices the items as they come.
    """
    if device.type != "cuda":
        yield from items
        return
    side = torch.cuda.Stream(device)

    def send(item: tuple[Any, Any]) -> tuple[Any, Any]:
        batch, more = item
        if not isinstance(batch.images, Tensor):  # kept features are there already
            return item
        with torch.cuda.stream(side):
            images = batch.images.pin_memory().to(device, non_blocking=True)
        return replace(batch, images=images), more

    for batch, more in one_ahead(items, send):
        now = torch.cuda.current_stream(device)
        now.wait_stream(side)
        if isinstance(batch.images, Tensor):
            batch.images.record_stream(now)  # its memory is not given to another copy before this step has read it
        yield batch, more
