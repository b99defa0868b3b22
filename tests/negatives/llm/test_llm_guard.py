"""A server that is not trusted gets no more than it needs, and what it says is bounded and without the key."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import Does, FakeServer, well

from compoclip.config import LLMOptions
from compoclip.errors import RunError
from compoclip.negatives.build import build
from compoclip.negatives.llm.client import Client, Rejected, Transient
from compoclip.negatives.llm.guard import MOST_BYTES, Scrub

KEY = "sk-Secret/Key+0123456789=="
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


class Raw:
    """A server that answers every request with the blocks of `reply()`, until the client hangs up."""

    def __init__(self, reply: Callable[[], Iterator[bytes]]) -> None:
        self.reply, self.sent, self.requests = reply, 0, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client:
                client.settimeout(20)
                try:
                    if client.recv(1 << 20):
                        self.requests += 1
                    for block in self.reply():
                        client.sendall(block)
                        self.sent += len(block)
                except OSError:
                    continue

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def ask(url: str, **given: Any) -> Any:
    async def once() -> Any:
        client = Client(LLMOptions(model="m", **{"url": url, "timeout": 20.0, **given}))
        try:
            return await client.ask(BODY)
        finally:
            await client.close()

    return asyncio.run(once())


def head(*lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Content-Type: application/json", *lines, "", ""]).encode()


def plain_and_long() -> Iterator[bytes]:
    yield head(f"Content-Length: {2 << 30}")
    while True:
        yield b" " * 65536


def without_end() -> Iterator[bytes]:
    yield head("Connection: close")
    while True:
        yield b" " * 65536


def chunked_without_end() -> Iterator[bytes]:
    yield head("Transfer-Encoding: chunked")
    while True:
        yield b"10000\r\n" + b" " * 65536 + b"\r\n"


def packed(name: str, body: bytes, status: str = "200 OK") -> Callable[[], Iterator[bytes]]:
    def reply() -> Iterator[bytes]:
        yield head(f"Content-Encoding: {name}", f"Content-Length: {len(body)}", status=status) + body

    return reply


def error_without_end() -> Iterator[bytes]:
    yield head("Transfer-Encoding: chunked", status="400 Bad Request")
    while True:
        yield b"10000\r\n" + b" " * 65536 + b"\r\n"


ZEROS = b" " * (64 << 20)
ENDLESS = {
    "plain": plain_and_long,
    "no length": without_end,
    "chunked": chunked_without_end,
    "an error's": error_without_end,
    "gzip": packed("gzip", gzip.compress(ZEROS, 1)),
    "deflate": packed("deflate", zlib.compress(ZEROS, 1)),
    "twice": packed("gzip, gzip", gzip.compress(gzip.compress(ZEROS, 1))),
    "an error's gzip": packed("gzip", gzip.compress(ZEROS, 1), "500 Internal Server Error"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_bodies_are_bounded(kind: str) -> None:
    with Raw(ENDLESS[kind]) as server:
        with pytest.raises(Transient, match="too-large"):
            ask(server.url)
        time.sleep(0.05)
        assert server.sent < 4 * MOST_BYTES  # what fits into the buffers between is sent too


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://127.0.0.2:9/v1", "//elsewhere.example/v1", "/v1/elsewhere"])
def test_no_redirect_is_followed(status: int, target: str) -> None:
    def reply() -> Iterator[bytes]:
        yield head(f"Location: {target}", "Content-Length: 0", status=f"{status} Moved")

    with Raw(reply) as server:
        with pytest.raises(RunError, match=r"redirects to .*not sent on; give that address as --llm-url"):
            ask(server.url)
        assert server.requests == 1


def spellings() -> dict[str, str]:
    from urllib.parse import quote

    header = f"Bearer {KEY}"
    return {
        "the header": f"Authorization: {header}",
        "the key": f"unknown key {KEY}!",
        "lower case": f"authorization: {header.lower()}",
        "percent-encoded": quote(KEY, safe=""),
        "base64": base64.b64encode(KEY.encode()).decode(),
        "base64 of the header": base64.b64encode(header.encode()).decode(),
        "basic": base64.b64encode(f"user:{KEY}".encode()).decode(),
        "hex": KEY.encode().hex(),
        "backwards": KEY[::-1],
        "within a long text": "x" * 280 + KEY,
    }


def leaks(text: str) -> list[str]:
    return [form for form in spellings().values() if form.lower()[-20:] in text.lower()]


CASES = [(spelling, status) for spelling in spellings() for status in (200, 400)]


@pytest.mark.parametrize(("spelling", "status"), [*CASES, *(("the header", status) for status in (401, 404, 429, 500))])
def test_a_server_that_repeats_the_key_gets_it_into_nothing(spelling: str, status: int) -> None:
    said = spellings()[spelling]
    body = json.dumps({"error": {"message": said, "code": said}})
    does = Does(text=said) if status == 200 else Does("status", status=status, text=body)
    with FakeServer(lambda *_: does) as server:
        try:
            answer = ask(server.url)
        except (Transient, Rejected, RunError) as error:
            assert status != 200
            found = f"{error!r} {error}"
        else:
            found = repr(answer)
    assert not leaks(found)
    assert "[key]" in found or status == 401 or len(said) > 280


def test_no_record_of_a_build_holds_the_key(tmp_path: Path) -> None:
    from fake_server import caption

    captions = tmp_path / "captions.txt"
    captions.write_text("\n".join(map(caption, range(6))) + "\n")
    count = iter(range(1000))

    def behave(tries: int, body: dict[str, Any]) -> Does:
        number = next(count)
        if number == 0:
            return well(tries, body)
        return Does("status", status=400, text=f'{{"error": {{"message": "Authorization: Bearer {KEY}"}}}}')

    with FakeServer(behave) as server:
        options = LLMOptions(model="m", url=server.url, backoff=0.01, concurrency=1, allow_missing=True)
        build(captions, tmp_path / "out", "llm:swap-nouns", per_caption=1, llm=options)
    files = [p for p in (tmp_path / "out").rglob("*") if p.is_file()]
    assert files
    assert not [p for p in files if KEY.encode() in p.read_bytes()]


def test_short_keys_do_not_eat_captions() -> None:
    assert Scrub("cat")("a cat concatenates; key: cat") == "a [key] concatenates; key: [key]"
    assert Scrub("none")("none of it") == "none of it"
    assert Scrub("")("text") == "text"


def test_a_password_in_the_address_is_not_shown() -> None:
    options = LLMOptions(model="m", url="http://me:hunter2@host:1/v1?key=hunter3")
    assert options.shown_url == "http://host:1/v1"
    with FakeServer(lambda *_: Does("status", status=404, text="{}")) as server:
        url = server.url.replace("http://", "http://me:hunter2@")
        with pytest.raises(RunError) as caught:
            ask(url)
    assert "hunter2" not in str(caught.value)
