"""Fetching files over HTTP: resumed where they were cut, checked against size and checksum, put in place whole."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from compoclip.data.catalog import Download
from compoclip.data.web import OPENER, refuse_page, wrong_beginning
from compoclip.errors import InputError, RunError
from compoclip.io import write_text
from compoclip.locks import exclusive
from compoclip.progress import bar

BLOCK = 1 << 20
TRIES = 6  # in a row without a new byte
RETRIED = (408, 425, 429, 500, 502, 503, 504)
TIMEOUT = 30.0  # seconds without a byte


@dataclass(frozen=True)
class Fetched:
    """A file in place. `checked` is False where its makers publish no checksum; then `sha256` lies beside it."""

    path: Path
    bytes: int
    sha256: str
    checked: bool
    resumed_at: int


@dataclass
class _State:
    """What is known of a half-fetched file: a resumed answer must be of the same version."""

    url: str
    version: str = ""
    total: int = -1

    @classmethod
    def read(cls, path: Path, url: str) -> _State:
        try:
            state = cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return cls(url)
        return state if state.url == url else cls(url)


def fetch_file(
    download: Download, root: Path, wait: Callable[[float], Any] = time.sleep, stop: threading.Event | None = None
) -> Fetched:
    """Fetch one file below `root`. A file that is there and has the right size and checksum is left alone.

    `stop` ends it from another thread; the next call goes on.
    A connection that breaks is taken up again where it broke (HTTP Range), within this call and in the next one.
    Raises RunError for a refusal, too little space, a wrong size or a wrong checksum; the wrong file is removed.
    """
    if not download.url.startswith(("http://", "https://")):
        raise InputError(f"{download.url}: only http and https addresses are fetched")
    path = root / download.to
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return _check(path, path, download, 0)
    part, note = path.with_name(path.name + ".part"), path.with_name(path.name + ".part.json")
    busy = f"{part}: another process is fetching this file; wait for it"
    with exclusive(path.with_name(path.name + ".part.lock"), busy, remove=True, error=RunError):
        if path.exists():  # that process has just ended
            return _check(path, path, download, 0)
        return _fetch(download, path, part, note, wait, stop or threading.Event())


def _fetch(
    download: Download, path: Path, part: Path, note: Path, wait: Callable[[float], Any], stop: threading.Event
) -> Fetched:
    state = _State.read(note, download.url)
    if part.exists() and not (state.version or download.checksum):
        part.unlink()  # nothing proves that these bytes belong to what the server has now
    resumed = part.stat().st_size if part.exists() else 0
    answers = _transfer(download, part, note, state, wait, stop)
    try:
        done = _check(part, path, download, resumed)
    except RunError:
        if not resumed and answers == 1:
            raise
        # pieces of several answers that do not make the file: the server gave another piece or another version
        note.unlink(missing_ok=True)
        _transfer(download, part, note, _State(download.url), wait, stop)
        done = _check(part, path, download, 0)
    note.unlink(missing_ok=True)
    return done


def _transfer(
    download: Download, part: Path, note: Path, state: _State, wait: Callable[[float], Any], stop: threading.Event
) -> int:
    """Bring `part` to its full length; returns how many answers it is made of."""
    answers, failures, reason, furthest = 0, 0, "", 0
    with bar(download.to, download.bytes) as progress:

        def advance(amount: int) -> None:
            if stop.is_set():
                raise RunError(f"{download.url}: stopped; the same command goes on")
            progress.advance(amount)

        while failures < TRIES:
            have = part.stat().st_size if part.exists() else 0
            progress.advance(have - progress.done)
            if state.total >= 0 and have == state.total:
                return answers
            pause = min(30.0, 0.5 * 2**failures)
            try:
                finished = _one_try(download, part, note, state, have, advance)
                if finished:
                    return answers + 1
                reason = "the connection was cut"
            except urllib.error.HTTPError as error:
                reason = f"HTTP {error.code} {' '.join(str(error.reason).split())}"
                if error.code == 416:  # nothing behind what we have: the file has changed, or we have too much
                    part.unlink(missing_ok=True)
                    state.version, state.total = "", -1
                elif error.code in (401, 403):
                    raise RunError(f"{download.url}: {reason}; it asks for a login or a form first") from None
                elif error.code not in RETRIED:
                    raise RunError(f"{download.url}: {reason}; look for its new address on the set's page") from None
                else:
                    pause = max(pause, _retry_after(error))
            except (OSError, http.client.HTTPException) as error:
                reason = str(getattr(error, "reason", None) or error) or type(error).__name__
            reached = part.stat().st_size if part.exists() else 0
            # bytes that came before and come again are no progress: a server that lies about the length has no end
            failures = 0 if reached > max(have, furthest) else failures + 1
            answers += reached > have
            furthest = max(have, furthest, reached)
            if failures < TRIES:
                wait(pause)
    raise RunError(f"{download.url}: gave up after {TRIES} tries ({reason}); run it again to go on where it stopped")


def _one_try(
    download: Download, part: Path, note: Path, state: _State, have: int, advance: Callable[[int], Any]
) -> bool:
    """One request; True where the file is whole."""
    headers = {"User-Agent": "compoclip", "Accept-Encoding": "identity"}
    if have and (state.version or download.checksum):
        headers["Range"] = f"bytes={have}-"
        if state.version:
            headers["If-Range"] = state.version
    request: Any = urllib.request.Request(download.url, headers=headers)
    request.proven = bool(download.checksum)
    with OPENER.open(request, timeout=TIMEOUT) as answer:
        refuse_page(download, answer.headers.get("Content-Type") or "")
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        start, total = _span(answer)
        if total < 0 and download.bytes is not None:
            total = download.bytes
        chunked = "chunked" in (answer.headers.get("Transfer-Encoding") or "").lower()  # such an answer marks its end
        if total < 0 and not (chunked or download.checksum):
            raise RunError(
                f"{download.url}: the server does not say how long the file is, and no size or checksum is known, so a "
                "part could not be told from the whole; fetch it by hand"
            )
        packed = answer.headers.get("Content-Encoding") or "identity"
        if packed.lower() != "identity":
            raise RunError(f"{download.url}: sent packed as {packed}, which was not asked for; fetch it by hand")
        if answer.status == 206 and (start != have or (version and state.version and version != state.version)):
            part.unlink(missing_ok=True)  # another piece, or another version: begin again
            return False
        if download.bytes is not None and total != download.bytes:
            raise RunError(
                f"{download.url}: {total} bytes, and not the {download.bytes} it should have; it has changed"
            )
        _check_space(part.parent, max(0, total - start), download)
        state.version, state.total = "" if version.startswith("W/") else version, total
        write_text(note, json.dumps(vars(state)))
        advance(start - have)
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT, 0o644)
        with open(descriptor, "r+b") as handle:
            handle.truncate(start)
            handle.seek(start)
            _copy(answer, handle, total - start if total >= 0 else None, advance)
            size = handle.tell()
            os.fsync(handle.fileno())
    return size == total if total >= 0 else True


def _span(answer: Any) -> tuple[int, int]:
    """(first byte of the answer, size of the whole file or -1)."""
    length = _number(answer.headers.get("Content-Length"))
    if answer.status != 206:
        return 0, length
    span, _, total = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").partition("/")
    start = max(0, _number(span.partition("-")[0]))
    return start, _number(total) if _number(total) >= 0 else (start + length if length >= 0 else -1)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else -1


def _copy(answer: BinaryIO, handle: BinaryIO, limit: int | None, advance: Callable[[int], Any]) -> None:
    """Copy at most `limit` bytes; a server that sends more than it said is not listened to."""
    while limit is None or limit > 0:
        block = answer.read(BLOCK if limit is None else min(BLOCK, limit))
        if not block:
            return
        handle.write(block)
        advance(len(block))
        if limit is not None:
            limit -= len(block)


def _retry_after(error: urllib.error.HTTPError) -> float:
    return float(min(120, max(0, _number(error.headers.get("Retry-After")))))


def _check_space(folder: Path, needed: int, download: Download) -> None:
    wanted = int(needed + (1.05 * max(needed, download.bytes or 0) if download.unpack else 0))
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise RunError(
            f"{folder}: {wanted / 1e9:.1f} GB are needed for {download.to} and {free / 1e9:.1f} GB are free; "
            "make room, or choose another folder"
        )


def note_of(path: Path) -> Path:
    """Where the digest of a file lies that was fetched and of which no checksum is published."""
    return path.with_name(path.name + ".sha256")


def _check(found: Path, path: Path, download: Download, resumed: int) -> Fetched:
    """Check size and checksum of `found` and move it to `path`; a wrong file is removed, unless it was there before."""
    kind, _, wanted = (download.checksum or "").partition(":")
    digests = {"sha256": hashlib.sha256()}
    if kind == "md5":
        digests["md5"] = hashlib.md5(usedforsecurity=False)
    with open(found, "rb") as handle:
        while block := handle.read(BLOCK):
            for digest in digests.values():
                digest.update(block)
    size, sha256 = found.stat().st_size, digests["sha256"].hexdigest()
    wrong = ""
    if download.bytes is not None and size != download.bytes:
        wrong = f"{size} bytes instead of {download.bytes}"
    elif wanted and digests[kind].hexdigest() != wanted:
        wrong = f"{kind} {digests[kind].hexdigest()} instead of {wanted}"
    elif not wanted:
        wrong = wrong_beginning(found, download)
    if wrong and found == path:
        raise RunError(f"{path}: {wrong}; this is not the published file: move it away and run this again")
    if wrong:
        found.unlink()
        raise RunError(
            f"{download.url}: {wrong}; removed. Try again; if it stays so, the file has changed at its source"
        )
    if found != path:
        os.replace(found, path)
        if not wanted:
            write_text(note_of(path), f"{sha256}  {path.name}\n")
    return Fetched(path, size, sha256, bool(wanted), resumed)
