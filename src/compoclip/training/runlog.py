"""What a run tells while it goes: metrics.jsonl and a progress bar always, trackers where they are asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from compoclip.errors import RunError
from compoclip.io import write_text
from compoclip.progress import Bar, console, show
from compoclip.training.trackers import open_trackers


class RunLog:
    """Appends one JSON line a logged step; after a resume, lines past the checkpoint are dropped first.

    track: names of experiment trackers that get the same figures; settings: what they are told of the run.
    """

    def __init__(
        self,
        folder: Path,
        total_steps: int,
        start_step: int,
        track: Sequence[str] = (),
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.path = folder / "metrics.jsonl"
        self._truncate(start_step)
        self._file = self.path.open("a", encoding="utf-8")
        self.trackers = open_trackers(track, folder, start_step, settings)
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
        """Curves are an extra: where a tracker cannot take them, the run goes on without it."""
        for name, tracker in list(self.trackers.items()):
            try:
                tracker.log(values, step)
            except Exception as error:  # a service's client raises what it likes
                del self.trackers[name]
                told = " ".join(str(error).split()) or type(error).__name__
                show(console, f"warning: no more curves for {name} ({told})")
                with suppress(Exception):
                    tracker.close(failed=True)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.bar.close()
        with suppress(OSError):  # what could not be written has been said
            self._file.close()
        for tracker in self.trackers.values():
            with suppress(Exception):
                tracker.close(failed=kind is not None)


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
