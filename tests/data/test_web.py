"""Only the web is fetched from, whatever a server redirects to, and no page is kept as data."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from compoclip.data.catalog import Download
from compoclip.data.fetch import fetch_file
from compoclip.data.web import OPENER
from compoclip.errors import InputError, RunError

DATA = b'{"rows": []}'
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"


class Site:
    """What is answered: a redirect's target, or a body of a kind."""

    url = ""
    location: str | None = None
    body = DATA
    kind = "application/json"
    asked = 0


@pytest.fixture
def site() -> Iterator[Site]:
    state = Site()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None: ...

        def do_GET(self) -> None:
            state.asked += 1
            if state.location is not None and self.path == "/start":
                self.send_response(302)
                self.send_header("Location", state.location)
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", state.kind)
            self.send_header("Content-Length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_address[1]}/start"
    yield state
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def fetch(site: Site, root: Path, to: str = "a.json", checksum: str | None = None) -> bytes:
    return fetch_file(Download(site.url, to, checksum=checksum), root, lambda _: None).path.read_bytes()


@pytest.mark.parametrize("url", ["ftp://host/a", "file:///etc/passwd", "data:,x", "FTP://host/a", "//host/a", "a.json"])
def test_other_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only http and https"):
        fetch_file(Download(url, "a.json"), tmp_path, lambda _: None)


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/a", "file:///etc/passwd", "data:,x", "FTP://127.0.0.1/a", "gopher://h/"]
)
def test_redirects_to_other_addresses_are_refused(target: str, site: Site, tmp_path: Path) -> None:
    site.location = target
    with pytest.raises(RunError, match=r"redirects to .*only http|Redirection to url .* is not allowed"):
        fetch(site, tmp_path)
    assert site.asked <= 6
    assert not list(tmp_path.glob("a.json"))


def test_redirects_within_the_web_are_followed(site: Site, tmp_path: Path) -> None:
    site.location = "/other"
    assert fetch(site, tmp_path) == DATA


def test_nothing_but_the_web_is_opened() -> None:
    from urllib.error import URLError

    for url in ("file:///etc/passwd", "ftp://127.0.0.1:9/x", "data:,x"):
        with pytest.raises(URLError, match="unknown url type"):
            OPENER.open(url)


def test_a_step_down_to_plain_http_needs_a_checksum() -> None:
    from email.message import Message
    from urllib.request import Request

    from compoclip.data.web import Redirects

    request: Any = Request("https://host/a")
    with pytest.raises(RunError, match="anybody on the way can change"):
        Redirects().redirect_request(request, None, 302, "", Message(), "http://other/a")
    request.proven = True
    assert (
        Redirects().redirect_request(request, None, 302, "", Message(), "http://other/a").full_url == "http://other/a"
    )


PAGES = {
    "said to be one": ("text/html; charset=utf-8", PAGE),
    "said to be bytes": ("application/octet-stream", PAGE),
    "after blanks and a mark": ("text/plain", b"\xef\xbb\xbf \r\n\t" + PAGE),
    "without a doctype": ("application/json", b"<HTML><head></head>"),
    "a store's error": ("application/xml", b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
    "a pointer of git lfs": ("text/plain", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "nothing": ("application/json", b""),
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("to", ["a.json", "b.csv", "c.zip", "d.tar.gz", "e.parquet"])
def test_a_page_is_not_kept_as_data(page: str, to: str, site: Site, tmp_path: Path) -> None:
    site.kind, site.body = PAGES[page]
    with pytest.raises(RunError, match=r"web page|it is empty|does not begin like"):
        fetch(site, tmp_path, to)
    assert not [path for path in tmp_path.rglob("*") if path.name == to]


def test_other_bytes_than_the_ending_says_are_not_kept(site: Site, tmp_path: Path) -> None:
    site.kind, site.body = "application/zip", b'{"error": "quota exceeded"}'
    with pytest.raises(RunError, match=r"does not begin like .zip"):
        fetch(site, tmp_path, "a.zip")


def test_a_known_checksum_is_proof_enough(site: Site, tmp_path: Path) -> None:
    site.kind, site.body = "text/html", PAGE
    assert fetch(site, tmp_path, checksum="sha256:" + hashlib.sha256(PAGE).hexdigest()) == PAGE
