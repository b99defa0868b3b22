"""Progress bars with an ETA, on standard error; plain lines now and then where there is no terminal."""

from __future__ import annotations

import os
import shlex
import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar, TypeVar

from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from compoclip.terminal import Console, plain

T = TypeVar("T")
WIDE = 100  # columns from which a bar has its full length
NARROW = 80  # columns that a command to be copied keeps within
PIPE = 160  # columns of tables that are written to a pipe or a file
PLAIN_INTERVAL = 10.0  # seconds between lines when standard error is no terminal

console = Console(stderr=True)


def output() -> Console:
    """A console on standard output, for results; `console` is for what goes on meanwhile. In a pipe or a file nothing
    is cut or broken to a terminal's width, unless COLUMNS asks for one."""
    return Console() if sys.stdout.isatty() or os.environ.get("COLUMNS") else Console(width=PIPE)


def say(text: str) -> None:
    """One line on standard error, from the first process of a run alone."""
    if os.environ.get("RANK", "0") == "0":
        show(console, text)


def show(where: Console, text: str, style: str | None = None) -> None:
    """A sentence: one line in a pipe or a file; a terminal's width breaks it between words, and no path or address."""
    if where.is_terminal:
        text = "\n".join(
            textwrap.fill(line, where.width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
            if len(line) > where.width
            else line
            for line in text.splitlines()
        )
    where.print(text, style=style, soft_wrap=True)


def command(*words: str, before: str = "Next: ") -> str:
    """A command as a person would copy it: quoted, and past 80 columns continued behind a backslash, option by option.

    >>> print(command("compoclip", "runs", "my runs"))
    Next: compoclip runs 'my runs'
    """
    parts: list[str] = []
    for word in words:
        alone = word.startswith("--") or not parts
        parts = [*parts, shlex.quote(word)] if alone else [*parts[:-1], f"{parts[-1]} {shlex.quote(word)}"]
    lines = [before]
    for part in parts:
        fits = len(f"{lines[-1]}{part} \\") <= NARROW or lines[-1].isspace() or lines == [before]
        lines = [*lines[:-1], f"{lines[-1]}{part} "] if fits else [*lines, f"    {part} "]
    return "\\\n".join(lines).rstrip()


class _LineProgress(Progress):
    """Bars, and below them a line for what each has to say, so that nothing is cut at 80 columns."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if task.fields.get("note"):
                yield Text(f"  {task.fields['note']}", overflow="fold")


class Bar:
    """One running task: `advance` moves it on, and `note` sets the text shown after it.

    `start` is what an earlier run has done: it shows, and does not make this one look fast. Bars that run at one time,
    in threads too, share the terminal.
    """

    _shared: ClassVar[Progress | None] = None
    _running: ClassVar[int] = 0
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, description: str, total: int | None, start: int = 0) -> None:
        self.description, self.total, self.done, self.text = description, total, start, ""
        self._before = start
        self._start = self._last = time.monotonic()
        self._rich: Progress | None = None
        if console.is_terminal:
            self._rich = self._join()
            self._task = self._rich.add_task(description, total=total, completed=start, note="")

    @classmethod
    def _join(cls) -> Progress:
        """The terminal's bars; the first one starts them."""
        with cls._lock:
            cls._running += 1
            if cls._shared is not None:
                return cls._shared
            cls._shared = _LineProgress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=28 if console.width >= WIDE else 12),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("eta"),
                TimeRemainingColumn(),
                console=console,
                transient=False,
            )
            cls._shared.start()
            return cls._shared

    def advance(self, amount: int = 1, note: str | None = None) -> None:
        self.done += amount
        if note is not None:
            self.text = note
        if self._rich is not None:
            self._rich.update(self._task, advance=amount, note=self.text)
            return
        now = time.monotonic()
        if now - self._last >= PLAIN_INTERVAL:
            self._last = now
            self._line(now)

    def _line(self, now: float) -> None:
        elapsed = now - self._start
        eta = ""
        if self.total and self.done > self._before:
            eta = f" eta {elapsed / (self.done - self._before) * (self.total - self.done):.0f}s"
        of = f"/{self.total}" if self.total else ""
        line = f"{self.description} {self.done}{of} {elapsed:.0f}s{eta} {self.text}"
        print(plain(line.rstrip()), file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._rich is not None:
            with self._lock:
                Bar._running -= 1
                if not Bar._running:
                    self._rich.stop()
                    Bar._shared = None
        else:
            self._line(time.monotonic())


@contextmanager
def bar(description: str, total: int | None = None, start: int = 0) -> Iterator[Bar]:
    progress = Bar(description, total, start)
    try:
        yield progress
    finally:
        progress.close()


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Iterate with a progress bar."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with bar(description, total) as progress:
        for item in items:
            yield item
            progress.advance()
