"""What a stranger may ask of the page: bytes, pixels, captions, requests a minute, and how many wait at one time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from python_multipart.exceptions import MultipartParseError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

__all__ = ["Limits"]

MIB = 2**20
CLIENTS = 10_000  # addresses whose rate is remembered; the least recent goes first


@dataclass(frozen=True)
class Limits:
    """upload: bytes of a request; pixels: of its image; rate: requests a minute and address; waiting: requests that
    wait for the model; seconds: in which an upload must have come."""

    upload: int = 10 * MIB
    pixels: int = 40_000_000
    captions: int = 8
    characters: int = 300
    rate: int = 120
    waiting: int = 16
    seconds: float = 20.0


class Refused(Exception):
    """A request that is not answered, with the HTTP status and one sentence that says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Rate:
    """A bucket of tokens for each address: `limit` at once, filled again over a minute."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str, now: float | None = None) -> bool:
        """Take a token for `address`, where one is left. now: seconds of a clock that only goes forward."""
        now = time.monotonic() if now is None else now
        left, before = self._left.pop(address, (float(self.limit), now))
        left = min(float(self.limit), left + (now - before) * self.limit / 60)
        allowed = left >= 1
        self._left[address] = (left - 1 if allowed else left, now)
        if len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        return allowed


class _InMemory(MultiPartParser):
    """A form whose file stays in memory: nothing that is sent here is written to a disk."""

    spool_max_size = 2**40


async def read_form(request: Request, limits: Limits) -> tuple[bytes, list[str]]:
    """(bytes of the image, captions) of a form with `image` and `captions`, one a line.

    Raises Refused for another content type, more bytes than allowed (before they are read, where the length is told),
    and no image or caption.

    request: that of a browser; limits: bytes, captions, characters.

    Example: data, captions = await read_form(request, Limits())
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise Refused(415, "send a form (multipart/form-data) with an image and captions")
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > limits.upload:
        raise Refused(413, f"the upload is over the limit of {limits.upload // MIB} MiB")
    parser = _InMemory(
        request.headers,
        _bounded(request, limits.upload),
        max_files=1,
        max_fields=2,
        max_part_size=limits.captions * (4 * limits.characters + 2) + MIB // 64,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, MultipartParseError) as error:  # before starlette 1, the parser's own came through
        raise Refused(400, f"the form cannot be read: {error}") from None
    try:
        return await _image(form), _captions(form, limits)
    finally:
        await form.close()


async def _bounded(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    found = 0
    async for chunk in request.stream():
        found += len(chunk)
        if found > most:
            raise Refused(413, f"the upload is over the limit of {most // MIB} MiB")
        yield chunk


async def _image(form: FormData) -> bytes:
    upload = form.get("image")
    data = await upload.read() if isinstance(upload, UploadFile) else b""
    if not data:
        raise Refused(400, "choose an image")
    return data


def _captions(form: FormData, limits: Limits) -> list[str]:
    text = form.get("captions")
    lines = str(text).splitlines() if isinstance(text, str) else []
    captions = list(dict.fromkeys(" ".join(line.split()) for line in lines if line.strip()))
    if not captions:
        raise Refused(400, "write at least one caption, one a line")
    if len(captions) > limits.captions or any(len(caption) > limits.characters for caption in captions):
        raise Refused(400, f"at most {limits.captions} captions of {limits.characters} characters each")
    return captions
