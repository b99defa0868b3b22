"""The one place between this program and a terminal: texts from files, servers and users show, and never act.

A caption, a label, a path or a server's message may contain escape sequences that move the cursor, change the window's
title or write to the clipboard, and marks that turn the reading direction around. Both streams are wrapped while a
command runs, and consoles of `rich` go through `Console` below; what is written anywhere in the program needs no care.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import IO, Any, TextIO

import rich.console
from rich.segment import Segment

# control characters except tab and line feed; marks that reorder text; line separators; halves of a character
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: str) -> str:
    r"""The text with what could act on a terminal written out, as Python would: ESC becomes `\x1b`.

    >>> plain("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class Console(rich.console.Console):
    """A console whose texts are plain: no markup in them is followed, only the styles that the program gives."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "highlight": False, "emoji": False, **options})

    @property
    def file(self) -> IO[str]:
        """The stream below every wrapper: what is written here is plain already, and a bar's own cursor movements must
        reach the terminal as such, also while rich has put a wrapper of its own around ours."""
        found = self._file or (sys.stderr if self.stderr else sys.stdout)
        while (below := getattr(found, "rich_proxied_file", None)) is not None:
            found = below
        return found

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(s if s.control else Segment(plain(s.text), s.style) for s in buffer)


class Plain:
    """A text stream that writes plain text to another. A carriage return that begins a write passes: a library's
    progress bar redraws its line with one."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream  # where rich's consoles, which are plain already, write to

    def write(self, text: str) -> int:
        start = "\r" if text.startswith("\r") else ""
        self.rich_proxied_file.write(start + plain(text.removeprefix("\r").replace("\r\n", "\n")))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


@contextlib.contextmanager
def plain_streams() -> Iterator[None]:
    """Standard output and standard error are plain inside."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (s if isinstance(s, Plain) else Plain(s) for s in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
