"""A real local server with the faults of real ones, for tests that fetch."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

BODY = bytes(range(256)) * 4000


class Server:
    """What the next answers do: `cut` bytes and hang up, `statuses` to send first, and the file's own traits.

    `says` is added to the length it states, `shift` to the place that a piece begins at, whatever it says; `moved` are
    redirects to follow first, from one to the next; `pace` bytes come at a time, `pause` seconds apart; `resets` breaks
    connections hard; `after_first` changes the server when it has answered once.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"/f.bin": BODY}
        self.etag, self.ranges, self.length, self.resets = '"one"', True, True, False
        self.says, self.shift, self.pace, self.pause = 0, 0, 0, 0.0
        self.moved: list[str] = []
        self.headers: dict[str, str] = {}
        self.cut: list[int] = []
        self.statuses: list[int] = []
        self.asked: list[str | None] = []
        self.after_first: Callable[[Server], Any] | None = None
        self.url = ""


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None: ...

        def do_GET(self) -> None:
            span = self.headers.get("Range")
            state.asked.append(span)
            if state.statuses:
                self.send_response(state.statuses.pop(0))
                self.send_header("Retry-After", "2")
                self.end_headers()
                return
            if state.moved:
                self.send_response(302)
                self.send_header("Location", state.moved.pop(0))
                self.end_headers()
                return
            body = state.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = 0
            same = self.headers.get("If-Range") in (None, state.etag)
            if span and state.ranges and same:
                start = int(span.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            for name, value in state.headers.items():
                self.send_header(name, value)
            if state.etag:
                self.send_header("ETag", state.etag)
            if state.length:
                self.send_header("Content-Length", str(len(body) - start + state.says))
            self.end_headers()
            rest = body[max(0, start + (state.shift if start else 0)) :]
            self.send(rest[: state.cut.pop(0)] if state.cut else rest)
            if state.after_first is not None:
                change, state.after_first = state.after_first, None
                change(state)

        def send(self, data: bytes) -> None:
            for start in range(0, len(data), state.pace or max(1, len(data))):
                self.wfile.write(data[start : start + (state.pace or len(data))])
                time.sleep(state.pause)
            if state.resets:
                state.resets = False
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None: ...  # whoever asked has hung up, as the tests want

    httpd = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}"
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()
