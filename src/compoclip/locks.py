"""One process at a time: a lock file that the operating system lets go of when its holder dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from compoclip.errors import InputError

LOCK = ".lock"  # the lock of a whole folder


@contextmanager
def exclusive(
    path: Path, taken: str, wait: float = 0.0, remove: bool = False, error: type[Exception] = InputError
) -> Iterator[None]:
    """Hold the lock file `path`; its folder is made. A process that dies, however it dies, frees it.

    remove: take the file away in the end, for folders that people look into. A process that has opened the file at that
    very moment may then hold a lock that nobody sees, so it is not for locks that are waited for.

    Raises `error` with the message `taken` where another process has it for more than `wait` seconds, InputError where
    the file cannot be written.
    """
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=wait)
    except Timeout:
        raise error(taken) from None
    except OSError as why:
        raise InputError(f"{path.parent}: cannot write here ({why.strerror or why})") from None
    try:
        yield
    finally:
        if remove:
            with suppress(OSError):  # Windows removes no open file
                path.unlink(missing_ok=True)
        lock.release()
