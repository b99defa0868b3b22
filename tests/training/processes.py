"""Several processes of one group for a test: forked, so that nothing is imported twice."""

from __future__ import annotations

import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from typing import Any

import torch

from compoclip.distributed import Ranks, joined


def on_ranks(count: int, work: Callable[[Ranks], Any], timeout: float = 240.0) -> list[Any]:
    """`work(ranks)` on each of `count` processes; what they return, in order of rank."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")
    running = []
    for rank in range(count):
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_one, args=(rank, count, port, work, theirs))
        process.start()
        theirs.close()
        running.append((process, mine))
    found = []
    try:
        for rank, (_, answer) in enumerate(running):
            assert answer.poll(timeout), f"rank {rank} has not answered after {timeout:.0f} s"
            value, error = answer.recv()  # an EOFError where it has died
            assert error is None, error
            found.append(value)
    finally:
        for process, _ in running:
            process.kill()
            process.join()
    return found


def _one(rank: int, count: int, port: int, work: Callable[[Ranks], Any], answer: Any) -> None:
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    try:
        with joined() as ranks:
            value = work(ranks)
        answer.send((value, None))
    except BaseException:
        answer.send((None, traceback.format_exc()))
    os._exit(0)
