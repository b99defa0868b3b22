"""SIGTERM, as schedulers send it before they take a machine back, and Ctrl-C: the step ends, a checkpoint is written,
and the program says how to go on and exits with a status of its own (75 after SIGTERM, 130 after Ctrl-C)."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from compoclip.errors import Interrupted, Stopped
from compoclip.progress import say

NAMES = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}


class StopRequest:
    """Whether somebody has asked the run to stop. `at_once` while there is nothing to save; a second Ctrl-C does not
    wait for the checkpoint either."""

    def __init__(self) -> None:
        self.asked, self.at_once = 0, True

    def __call__(self, number: int, frame: FrameType | None) -> None:
        again = bool(self.asked)
        self.asked = number
        if number == signal.SIGINT and (self.at_once or again):
            raise KeyboardInterrupt
        if self.at_once:
            raise Stopped("stopped by SIGTERM before a step was taken; go on with --resume")
        if number == signal.SIGINT:
            say("Ctrl-C: ending this step and writing a checkpoint; press it again to stop without")

    def stopped(self, run: Path, step: int) -> Stopped:
        """What is raised when the checkpoint of `step` is written."""
        kind = Interrupted if self.asked == signal.SIGINT else Stopped
        by = NAMES.get(signal.Signals(self.asked), "") if self.asked else "another process"
        command = f"compoclip train --resume --output-dir {shlex.quote(str(run))}"
        return kind(f"{run}: stopped at step {step} by {by}, checkpoint written; go on with: {command}")


@contextmanager
def listening() -> Iterator[StopRequest]:
    """Note the signals inside, where the main thread can; give the old handlers back after."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request) for number in NAMES}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
