"""Shards read from anywhere, front to back: a path, http(s)://, s3://, gs://, hf://, or what a command prints.

A connection that drops is taken up again at the byte where it broke, so a reader sees one unbroken file.
"""

from __future__ import annotations

import http.client
import io
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO

from compoclip.data.web import OPENER
from compoclip.errors import InputError, RunError

PIPE = "pipe:"
TRIES = 6  # in a row without a byte
WAIT = 0.5  # seconds before the second try, doubled for each further one
TIMEOUT = 60.0  # seconds without a byte


def is_stream(spec: str) -> bool:
    """Whether `spec` is read as a stream: an address, a command, or local tars behind `stream:`."""
    return spec.startswith(("stream:", PIPE)) or "://" in spec


class RemoteShard(io.RawIOBase):
    """A file of bytes to be read once, from `offset` on.

    A pipe's command is run by the shell: it comes from the command line or the run's configuration and from nowhere
    else. Raises InputError where the shard is not there, RunError where it cannot be read after `TRIES` attempts.
    """

    def __init__(self, name: str, offset: int = 0) -> None:
        self.name, self.position = name, offset
        self._handle: Any = None
        self._process: subprocess.Popen[bytes] | None = None
        self._length: int | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """`size` bytes, fewer only at the end."""
        out = bytearray()
        tries = 0
        while size < 0 or len(out) < size:
            try:
                if self._handle is None:
                    self._open()
                part = self._handle.read(2**20 if size < 0 else size - len(out))
                if not part and self._length is not None and self.position < self._length:
                    raise ConnectionError(f"ends after {self.position} of {self._length} bytes")
            except (OSError, http.client.HTTPException, EOFError, ValueError) as error:
                if isinstance(error, InputError):
                    raise
                if isinstance(error, FileNotFoundError):
                    raise InputError(f"{self.name}: no such shard") from None
                self._close()
                tries += 1
                if tries >= TRIES or self.name.startswith(PIPE):
                    raise RunError(f"{self.name}: cannot be read beyond byte {self.position} ({error})") from error
                time.sleep(WAIT * 2 ** (tries - 1))
                continue
            if not part:
                self._ended()
                break
            tries = 0
            out += part
            self.position += len(part)
        return bytes(out)

    def _open(self) -> None:
        name = self.name
        if name.startswith(PIPE):
            self._process = subprocess.Popen(name.removeprefix(PIPE), shell=True, stdout=subprocess.PIPE)
            self._handle = self._process.stdout
            _skip(self._handle, self.position)
        elif name.startswith(("http://", "https://")):
            self._open_http(name)
        elif "://" in name:
            self._handle = _filesystem(name)
            self._length = getattr(self._handle, "size", None)
            self._handle.seek(self.position)
        else:
            self._handle = Path(name).open("rb")  # noqa: SIM115
            self._handle.seek(self.position)

    def _open_http(self, address: str) -> None:
        request = urllib.request.Request(address, headers={"Range": f"bytes={self.position}-"})
        try:
            self._handle = OPENER.open(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing lies behind this byte
                self._handle, self._length = io.BytesIO(), self.position
                return
            if error.code in (401, 403, 404, 410):
                raise InputError(f"{address}: {error.code} {error.reason}") from None
            raise
        partial = self._handle.status == 206
        length = self._handle.headers.get("Content-Length")
        self._length = int(length) + (self.position if partial else 0) if length else None
        if not partial:
            _skip(self._handle, self.position)

    def _ended(self) -> None:
        if self._process is not None and self._process.wait():
            raise RunError(f"{self.name}: the command ended with status {self._process.returncode}")

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self._close()
        super().close()


def _skip(handle: BinaryIO, count: int) -> None:
    while count > 0:
        part = handle.read(min(count, 2**20))
        if not part:
            raise ConnectionError("ends before the byte to go on from")
        count -= len(part)


def _filesystem(name: str) -> Any:
    import fsspec

    try:
        return fsspec.open(name, "rb").open()
    except (ImportError, ValueError) as error:
        raise InputError(f"{name}: cannot be opened ({error})") from None
