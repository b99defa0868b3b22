"""SIGTERM, as schedulers send it before they take a machine back: the step ends, a checkpoint is written, and the
program exits with a status of its own, so that a script knows to run it again with `--resume`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from compoclip.errors import Stopped


class StopRequest:
    """Whether somebody has asked the run to stop. `at_once` while there is nothing to save."""

    def __init__(self) -> None:
        self.asked, self.at_once = False, True

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self.at_once:
            raise Stopped("stopped by SIGTERM before a step was taken; go on with --resume")


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Note SIGTERM inside, where the main thread can; give the old handler back after."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = signal.signal(signal.SIGTERM, request)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
