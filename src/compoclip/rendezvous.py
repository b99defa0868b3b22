"""All processes of a group have started, or each says in one line and within minutes that the others have not."""

from __future__ import annotations

import os
import socket
import time
from datetime import timedelta
from typing import Any

from compoclip.errors import InputError, RunError

START, START_SECONDS = "COMPOCLIP_START_TIMEOUT", 300.0  # how long a process waits for all others to have started


def meet(rendezvous: Any, prefixed: Any) -> tuple[Any, int, int]:
    """The store where all processes have met, this one's rank, and how many they are.

    The group itself is patient, as its processes may wait for each other's work; one that never starts is not work.
    torch's own waiting fills the screen when it fails, so both waits are made here.
    rendezvous, prefixed: torch.distributed's own. Raises RunError where the others do not come in time.
    """
    seconds, rank = _start_seconds(), int(os.environ["RANK"])
    host, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    where = f"{host}:{port} within {seconds:g} s ({START}=SECONDS waits longer)"
    until = time.monotonic() + seconds
    if rank or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":  # else this process itself listens
        while not _listens(host, port):
            if time.monotonic() > until:
                raise RunError(f"process {rank} found no first process at {where}; start all of them")
            time.sleep(0.1)
    try:
        found, rank, count = next(rendezvous("env://", timeout=timedelta(seconds=seconds)))
        store = prefixed("compoclip/start", found)
        store.set(str(rank), "here")
        absent = list(range(count))
        while absent := [other for other in absent if not store.check([str(other)])]:
            if time.monotonic() > until:
                who = ", ".join(map(str, absent))
                raise RunError(f"of {count} processes these have not come to {where}: {who}; start all of them")
            time.sleep(0.01)
    except (RuntimeError, ValueError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"process {rank} cannot meet the others at {where}: {str(error).splitlines()[0]}") from error
    return store, rank, count


def _listens(host: str, port: str) -> bool:
    try:
        with socket.create_connection((host, int(port)), timeout=1.0):
            return True
    except ValueError:
        raise InputError(f"MASTER_PORT={port}: a number is wanted") from None
    except OSError:
        return False


def _start_seconds() -> float:
    told = os.environ.get(START, str(START_SECONDS))
    try:
        seconds = float(told)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise InputError(f"{START}={told}: give the seconds that a process waits for all others to start")
    return seconds
