"""What a run tells while it goes: metrics.jsonl always, TensorBoard where it is installed, and a progress bar."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from importlib import util
from pathlib import Path
from types import TracebackType
from typing import Any

from compoclip.errors import RunError
from compoclip.io import write_text
from compoclip.progress import Bar, console


class RunLog:
    """Appends one JSON line a logged step; after a resume, lines past the checkpoint are dropped first."""

    def __init__(self, folder: Path, total_steps: int, start_step: int) -> None:
        self.path = folder / "metrics.jsonl"
        self._truncate(start_step)
        self._file = self.path.open("a", encoding="utf-8")
        self._board: Any = None
        self._hook = threading.excepthook
        if util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=start_step)
            threading.excepthook = self._thread_ended
        self.bar = Bar("training", total_steps)
        if start_step:
            self.bar.advance(start_step)

    def _truncate(self, start_step: int) -> None:
        if not self.path.exists():
            return
        if not start_step:  # nothing was kept; the evaluation before the first step is made again too
            self.path.unlink()
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= start_step:
                    kept.append(line)
            except (json.JSONDecodeError, KeyError):
                break  # a line cut short by a kill; what follows is past the checkpoint
        write_text(self.path, "".join(line + "\n" for line in kept))

    def step(self, step: int, values: dict[str, float], log: bool) -> None:
        """values: `loss`, each named term, `lr`, `grad_norm`, `scale`, `samples_per_second`."""
        note = None
        if log:
            self._write({"step": step, **values})
            self._plot({f"train/{name}": value for name, value in values.items()}, step)
            hidden = {"lr", "grad_norm", "scale", "samples_per_second"}
            terms = " ".join(f"{name} {value:.3f}" for name, value in values.items() if name not in hidden)
            note = f"{values['samples_per_second']:.0f} img/s | {terms}"
        self.bar.advance(1, note)

    def figures(self, step: int, values: dict[str, float]) -> None:
        """Figures of an evaluation while training, by name."""
        self._write({"step": step, **{f"eval/{name}": value for name, value in values.items()}})
        self._plot({f"eval/{name}": value for name, value in values.items()}, step)

    def _write(self, line: dict[str, float]) -> None:
        """Raises RunError where the disk is full or the folder is gone."""
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written ({error.strerror or error}); use --resume then") from error

    def _plot(self, values: dict[str, float], step: int) -> None:
        """Curves are an extra: where TensorBoard cannot write them, the run goes on without."""
        try:
            if self._board is not None:
                for name, value in values.items():
                    self._board.add_scalar(name, value, step)
        except OSError as error:
            self._board = None
            console.print(f"warning: no more TensorBoard curves ({error})", markup=False, soft_wrap=True)

    def _thread_ended(self, what: threading.ExceptHookArgs) -> None:
        """TensorBoard writes in a thread of its own; what that could not write is told by `_plot`, in one line."""
        if not (what.exc_type is not None and issubclass(what.exc_type, OSError)):
            self._hook(what)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.bar.close()
        with suppress(OSError):  # what could not be written has been said
            self._file.close()
        with suppress(OSError):
            if self._board is not None:
                self._board.close()
        threading.excepthook = self._hook


class NoLog:
    """The log of a process that leaves logging to the first one."""

    def step(self, step: int, values: dict[str, float], log: bool) -> None:
        return

    def figures(self, step: int, values: dict[str, float]) -> None:
        return

    def __enter__(self) -> NoLog:
        return self

    def __exit__(self, *_: object) -> None:
        return
