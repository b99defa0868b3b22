"""What guards against a language model's server: bounded bodies, no redirects, and no key in anything it says."""

from __future__ import annotations

import base64
import importlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote, quote_plus

MOST_BYTES = 4 * 2**20  # of a reply; the longest that is asked for has some kilobytes
HIDDEN = "[key]"


class OverLimit(Exception):
    """A reply that is too long, or packed so that its length cannot be known."""


class Redirected(Exception):
    """The server sends the request on to another address, with its captions and its key."""


class Scrub:
    """Takes a key out of texts, as it is and as a server may write it: percent-encoded, in JSON, base64 or hex, in
    other letters' case, within a basic or bearer header.

    >>> Scrub("sk-123456789")("Bearer sk-123456789 is no key of ours")
    'Bearer [key] is no key of ours'
    """

    def __init__(self, key: str) -> None:
        self._pattern: re.Pattern[str] | None = None
        if key in ("", "none"):  # what is sent where there is no key
            return
        forms = {key, key[::-1], quote(key, safe=""), quote_plus(key), json.dumps(key)[1:-1], key.encode().hex()}
        for text in (key, f"Bearer {key}", f":{key}", f"{key}:", f"user:{key}"):
            packed = base64.b64encode(text.encode()).decode()
            forms |= {packed, packed.rstrip("="), base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")}
        longest = sorted(map(re.escape, forms), key=len, reverse=True)
        # a short key may be a word of a caption: only where it stands alone
        edge = r"\b" if len(key) < 8 else ""
        self._pattern = re.compile(f"{edge}(?:{'|'.join(longest)}){edge}", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self._pattern is not None else text


def guard(limit: int = MOST_BYTES) -> Callable[[Any], Awaitable[None]]:
    """A response hook of the HTTP client, called before a body is read. Raises Redirected and OverLimit."""

    async def hook(response: Any) -> None:
        if response.has_redirect_location:
            await response.aclose()
            raise Redirected(response.headers.get("location", "")[:300])
        packing = response.headers.get("content-encoding", "identity").strip().lower()
        length = response.headers.get("content-length", "")
        if packing not in ("", "identity"):
            await response.aclose()
            raise OverLimit(f"a body packed with {packing[:40]!r}, which was not asked for")
        if length.isdigit() and int(length) > limit:
            await response.aclose()
            raise OverLimit(f"a body of {int(length[:20])} bytes, over the limit of {limit}")
        response.stream = _bounded(response, limit)

    return hook


def _bounded(response: Any, limit: int) -> Any:
    """The response's stream, which ends with OverLimit after `limit` bytes. The client's package is httpx, or its
    successor in newer versions of openai; the stream has to be of its class."""
    package = importlib.import_module(type(response).__module__.partition(".")[0])
    inner = response.stream

    class Bounded(package.AsyncByteStream):  # type: ignore[name-defined,misc]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            read = 0
            async for block in inner:
                read += len(block)
                if read > limit:
                    raise OverLimit(f"a body of more than {limit} bytes")
                yield block

        async def aclose(self) -> None:
            await inner.aclose()

    return Bounded()
