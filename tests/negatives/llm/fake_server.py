"""A language model's server for tests: real sockets, replies that depend on the request only, and faults on demand.

`FakeServer(behave)` runs in a thread; `python fake_server.py PORT_FILE` in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from compoclip.negatives.llm.kinds import LLM_KINDS

NOUNS = ("dog", "cat", "horse", "zebra", "bear", "goat", "fox", "rabbit", "lion", "tiger")
COLOURS = ("red", "blue", "green", "black", "white")
VERBS = ("chases", "follows", "watches")


class Does(NamedTuple):
    """What the server does with a request: `how` is ok, status, half, slow, raw, drop or stall."""

    how: str = "ok"
    text: str = ""  # of the reply, or the raw body
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    finish: str = "stop"
    usage: bool = True


Behave = Callable[[int, dict[str, Any]], Does]  # (how many times this very body has come before, body)


def caption(number: int) -> str:
    """Captions of one form, all different for number < 5400."""
    one = number % 10
    other = (one + 1 + number // 10 % 9) % 10
    verb = VERBS[number // 90 % 3]
    first = number // 270 % 5
    second = (first + 1 + number // 1350 % 4) % 5
    return f"A {COLOURS[first]} {NOUNS[one]} {verb} a {COLOURS[second]} {NOUNS[other]} ."


def asked(body: dict[str, Any]) -> tuple[str, str]:
    """(kind, caption) that a request is about."""
    text = body["messages"][-1]["content"]
    kind = next(name for name, kind in LLM_KINDS.items() if f"Rule: {kind.rule}" in text)
    return kind, json.loads(text.rpartition("Caption: ")[2])


def rewrite(kind: str, words: list[str], seed: int) -> str:
    """An honest rewrite of a caption of the form that `caption` makes; `seed` chooses replacements."""
    words = list(words)
    if kind == "swap-nouns":
        words[2], words[6] = words[6], words[2]
    elif kind == "swap-adjectives":
        words[1], words[5] = words[5], words[1]
    elif kind == "replace-nouns":
        words[2] = [noun for noun in NOUNS if noun not in (words[2], words[6])][seed % 8]
    elif kind == "replace-adjectives":
        words[1] = [colour for colour in COLOURS if colour not in (words[1], words[5])][seed % 3]
    else:
        words[1], words[2], words[5], words[6] = words[5], words[6], words[1], words[2]
    return " ".join(words)


def honest(body: dict[str, Any], count: int = 1) -> str:
    kind, text = asked(body)
    found = [rewrite(kind, text.split(), body.get("seed", 0) + number) for number in range(count)]
    return json.dumps({"rewrites": found}) if "response_format" in body else "\n".join(found)


def well(_: int, body: dict[str, Any]) -> Does:
    return Does(text=honest(body))


class FakeServer:
    """Answers POST /v1/chat/completions by `behave`; `answered` counts whole good replies by body, `tries` all."""

    def __init__(self, behave: Behave = well, keep: bool = True, delay: float = 0.0) -> None:
        self.behave, self.keep, self.delay = behave, keep, delay
        self.tries: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.requests = self.alive = self.most_alive = 0
        self.keys: set[str] = set()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> FakeServer:
        self._thread = threading.Thread(target=self.serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda *_: None)  # clients that hang up are what is tested
        server = self._loop.run_until_complete(asyncio.start_server(self._client, "127.0.0.1", self.port))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        if not head[0].startswith("POST /v1/chat/completions "):
            writer.write(_response(404, b'{"error": {"message": "no such path"}}'))
            return False
        self.keys.add(headers.get("authorization", ""))
        body = json.loads(raw)
        key = json.dumps(body, sort_keys=True) if self.keep else ""
        self.requests += 1
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        try:
            await asyncio.sleep(self.delay)
            does = self.behave(self.tries[key], body)
            self.tries[key] += 1
            return await self._do(does, key, body, writer)
        finally:
            self.alive -= 1

    async def _do(self, does: Does, key: str, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        if does.how == "drop":
            return False
        if does.how == "stall":
            await asyncio.sleep(60)
            return False
        if does.how == "status":
            content = does.text or json.dumps({"error": {"message": f"told to say {does.status}", "code": None}})
            writer.write(_response(does.status, content.encode(), does.headers))
            return True
        if does.how == "raw":
            writer.write(_response(200, does.text.encode()))
            return True
        sent = sum(len(message["content"]) for message in body["messages"]) // 4
        usage = {"prompt_tokens": sent, "completion_tokens": len(does.text) // 4, "total_tokens": 0}
        message = {"role": "assistant", "content": does.text}
        full: dict[str, Any] = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "served-model",
            "choices": [{"index": 0, "finish_reason": does.finish, "message": message}],
        }
        data = _response(200, json.dumps(full | ({"usage": usage} if does.usage else {})).encode())
        if does.how == "half":
            writer.write(data[: len(data) // 2])
            await writer.drain()
            return False
        if does.how == "slow":
            for byte in data[:-1]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
            return False
        self.answered[key] += 1
        writer.write(data)
        await writer.drain()
        return True


def _response(status: int, content: bytes, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


if __name__ == "__main__":
    server = FakeServer(keep=False)
    threading.Thread(
        target=lambda: (server._ready.wait(), Path(sys.argv[1]).write_text(server.url)), daemon=True
    ).start()
    server.serve()
