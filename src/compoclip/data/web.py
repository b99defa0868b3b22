"""What is accepted from the web: http and https alone, and no page in place of data where no checksum is known."""

from __future__ import annotations

import urllib.parse
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Any

from compoclip.data.catalog import Download
from compoclip.errors import RunError


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to web addresses alone, and from https to plain http only where a checksum proves what comes."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        scheme = urllib.parse.urlsplit(newurl).scheme.lower()
        if scheme not in ("http", "https"):
            raise RunError(f"{req.full_url}: redirects to {newurl}; only http and https addresses are fetched")
        if scheme == "http" and req.full_url.startswith("https:") and not getattr(req, "proven", False):
            raise RunError(f"{req.full_url}: redirects to {newurl}, which anybody on the way can change; refused")
        found = super().redirect_request(req, fp, code, msg, headers, newurl)
        if found is not None:
            found.proven = getattr(req, "proven", False)  # type: ignore[attr-defined]
        return found


def _opener() -> urllib.request.OpenerDirector:
    """Handlers of http and https alone; `build_opener` would add ftp, file and data."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        Redirects(),
    ):
        opener.add_handler(handler)
    return opener


OPENER = _opener()
# how files of these endings begin; a page in place of data is told by it where no checksum is known
BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    ".zip": (b"PK",),
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".bz2": (b"BZh",),
    ".xz": (b"\xfd7zXZ",),
    ".parquet": (b"PAR1",),
    ".npz": (b"PK",),
    ".npy": (b"\x93NUMPY",),
}
PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<error", b"version https://git-lfs")


def refuse_page(download: Download, kind: str) -> None:
    if not download.checksum and "html" in kind.lower() and not download.to.endswith((".html", ".htm")):
        raise RunError(
            f"{download.url}: a web page came in place of {download.to} (a login, or the file has moved); "
            "look for its new address on the set's page"
        )


def wrong_beginning(found: Path, download: Download) -> str:
    """What is wrong with a file of which no checksum is known, by its first bytes; empty where nothing is."""
    with open(found, "rb") as handle:
        head = handle.read(256)
    if not head:
        return "it is empty"
    wanted = BEGINNINGS.get(PurePosixPath(download.to).suffix.lower())
    if wanted is not None and not head.startswith(wanted):
        return f"it does not begin like {PurePosixPath(download.to).suffix} (a web page, or the file has moved)"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(PAGES) and not download.to.endswith((".html", ".htm", ".xml")):
        return "it is a web page or a pointer, and no data"
    return ""
