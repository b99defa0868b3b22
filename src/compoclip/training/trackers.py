"""Experiment trackers, each only where it is asked for by name: TensorBoard, Weights & Biases, trackio."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from compoclip.errors import InputError, RunError
from compoclip.io import write_text

IDENTITY = "tracker-id"  # a resumed run goes on under the name it began with
MODULES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb", "trackio": "trackio"}


class Tracker(Protocol):
    """Takes the figures of a step; `close` ends it, `failed` where the run did not come to its end."""

    def log(self, values: dict[str, float], step: int) -> None: ...
    def close(self, failed: bool) -> None: ...


def require(names: Sequence[str]) -> None:
    """Raises InputError for a tracker that is not installed: before a run is begun, not after."""
    for name in names:
        try:
            import_module(MODULES[name])
        except ImportError as error:
            raise InputError(f"track: {name} cannot be imported ({error}): pip install 'compoclip[{name}]'") from None


def open_trackers(
    names: Sequence[str], folder: Path, start_step: int, settings: dict[str, Any] | None = None
) -> dict[str, Tracker]:
    """Name -> tracker of the run in `folder`, which goes on at `start_step`. settings: what the run depends on.

    Raises InputError where one is not installed, RunError where one cannot be started (no login, no network).
    """
    require(names)
    opened: dict[str, Tracker] = {}
    for name in dict.fromkeys(names):
        try:
            opened[name] = (
                TensorBoard(folder, start_step)
                if name == "tensorboard"
                else Service(name, folder, start_step, settings)
            )
        except Exception as error:
            for tracker in opened.values():
                tracker.close(failed=True)
            hint = " (WANDB_MODE=offline needs neither login nor network)" if name == "wandb" else ""
            why = " ".join(str(error).split()) or type(error).__name__
            raise RunError(f"track: {name} cannot be started: {why}{hint}") from error
    return opened


class TensorBoard:
    """Event files in the run directory's `tensorboard`; what lies past the step of a resume is hidden."""

    def __init__(self, folder: Path, start_step: int) -> None:
        self._hook = threading.excepthook
        writer = import_module(MODULES["tensorboard"]).SummaryWriter
        self.board = writer(str(folder / "tensorboard"), purge_step=start_step)
        threading.excepthook = self._thread_ended

    def log(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def close(self, failed: bool) -> None:
        try:
            self.board.close()
        finally:
            threading.excepthook = self._hook

    def _thread_ended(self, what: threading.ExceptHookArgs) -> None:
        """It writes in a thread of its own; what that could not write comes up again at the next figure."""
        if not (what.exc_type is not None and issubclass(what.exc_type, OSError)):
            self._hook(what)


class Service:
    """wandb or trackio: both have `init`, and a run with `log` and `finish`.

    The project is `compoclip`, or what WANDB_PROJECT or TRACKIO_PROJECT says; the run bears its directory's name.
    """

    def __init__(self, name: str, folder: Path, start_step: int, settings: dict[str, Any] | None) -> None:
        self.name = name
        project = os.environ.get(f"{name.upper()}_PROJECT", "compoclip")
        identity = _identity(folder, start_step)
        label = folder.resolve().name
        own = (
            {"name": label, "id": identity, "dir": str(folder)} if name == "wandb" else {"name": f"{label}-{identity}"}
        )
        self.run = import_module(name).init(project=project, config=settings or {}, resume="allow", **own)

    def log(self, values: dict[str, float], step: int) -> None:
        self.run.log(values, step=step)

    def close(self, failed: bool) -> None:
        if self.name == "wandb":
            self.run.finish(exit_code=int(failed))
        else:
            self.run.finish()


def _identity(folder: Path, start_step: int) -> str:
    """A name that no other run has, new for one that starts anew."""
    path = folder / IDENTITY
    if not start_step or not path.is_file():
        write_text(path, uuid.uuid4().hex[:12] + "\n")
    return path.read_text(encoding="utf-8").strip()
