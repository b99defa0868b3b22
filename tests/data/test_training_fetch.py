"""Fetching a training set from a server that misbehaves: what training could read afterwards is right, or absent."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from compoclip.data import catalog, training_sets
from compoclip.data.catalog import Download, Entry, Expected
from compoclip.data.getting import get_training_set
from compoclip.data.sources import open_source
from compoclip.data.training_sets import locate
from compoclip.errors import InputError, RunError

from .conftest import jpeg
from .test_fetch import Server, server  # noqa: F401

TABLE = b"image\tcaption\n" + b"".join(b"photos/%d.jpg\ta photo of number %d\n" % (k, k) for k in range(8))


def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for k in range(8):
            archive.writestr(f"photos/{k}.jpg", jpeg(k, (64, 48)))
    return out.getvalue()


PHOTOS = _archive()


@pytest.fixture
def made(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:  # noqa: F811
    server.files = {"/table.tsv": TABLE, "/photos.zip": PHOTOS}

    def entry(name: str, body: bytes, to: str, unpack: str | None, found: Expected) -> Entry:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        download = Download(f"{server.url}/{to}", f"made/{to}", len(body), digest, unpack)
        return Entry(name, name, "training", "none", "small", "home", (found,), fetch=(download,))

    known = {
        "made-table": entry("made-table", TABLE, "table.tsv", None, Expected("made/table.tsv")),
        "made-photos": entry("made-photos", PHOTOS, "photos.zip", "made", Expected("made/photos/*.jpg", 8)),
    }
    layout = {"data": "made/table.tsv", "image_root": ["made"]}
    sets = {"made": {"title": "made", "parts": list(known), "samples": 8, "layouts": [layout]}}
    monkeypatch.setattr(catalog, "entries", lambda: known)
    monkeypatch.setattr(training_sets, "training_sets", lambda: sets)
    monkeypatch.setattr("compoclip.data.getting.training_sets", lambda: sets)
    return server


FAULTS = {
    "none": lambda s: None,
    "cut at once": lambda s: s.cut.extend([0, 1]),
    "cut often": lambda s: s.cut.extend([10, 20, 30, 40]),
    "busy": lambda s: s.statuses.extend([503, 429, 500]),
    "no ranges": lambda s: (setattr(s, "ranges", False), s.cut.append(50)),
    "no length": lambda s: setattr(s, "length", False),
    "no version": lambda s: (setattr(s, "etag", ""), s.cut.append(50)),
    "gone": lambda s: s.statuses.append(404),
    "a login": lambda s: s.statuses.append(403),
    "wrong table": lambda s: s.files.update({"/table.tsv": TABLE.replace(b"number 3", b"numbez 3")}),
    "wrong photos": lambda s: s.files.update({"/photos.zip": PHOTOS[:500] + b"\0" + PHOTOS[501:]}),
    "a page": lambda s: s.files.update({"/table.tsv": b"<html>please log in</html>"}),
    "longer": lambda s: s.files.update({"/photos.zip": PHOTOS + b"more"}),
    "shorter": lambda s: s.files.update({"/photos.zip": PHOTOS[:-9]}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_training_reads_the_right_bytes_or_none(made: Server, tmp_path: Path, fault: str) -> None:
    FAULTS[fault](made)
    words = ""
    try:
        get_training_set("made", tmp_path, wait=lambda _: None)
    except (RunError, InputError) as error:
        words = str(error)
        table, photos = tmp_path / "made" / "table.tsv", tmp_path / "made" / "photos"
        assert not table.exists() or table.read_bytes() == TABLE
        assert all(p.read_bytes() == jpeg(int(p.stem), (64, 48)) for p in photos.glob("*.jpg"))
        made.files = {"/table.tsv": TABLE, "/photos.zip": PHOTOS}
        get_training_set("made", tmp_path, wait=lambda _: None)
    assert "\n" not in words
    found = locate("made", tmp_path)
    source = open_source(found["data"], found["image_root"])
    assert [source.captions(k) for k in range(len(source))] == [(f"a photo of number {k}",) for k in range(8)]
    assert Path(found["data"]).read_bytes() == TABLE
    assert [(tmp_path / f"made/photos/{k}.jpg").read_bytes() for k in range(8)] == [jpeg(k, (64, 48)) for k in range(8)]


class Stopped(BaseException):
    """Stands for a kill: nothing catches it."""


def _stop(_: float) -> None:
    raise Stopped


def test_it_is_stopped_after_any_byte_and_goes_on(made: Server, tmp_path: Path) -> None:
    """A process that dies leaves what it had written: the answer is cut, and the run ends before its next try."""
    size = len(TABLE) + len(PHOTOS)
    for k, reached in enumerate(range(0, size, size // 12)):
        root = tmp_path / str(k)
        made.cut = [reached] if reached < len(TABLE) else [len(TABLE), reached - len(TABLE)]
        with pytest.raises(Stopped):
            get_training_set("made", root, wait=_stop)
        with pytest.raises(InputError):
            locate("made", root / "elsewhere")
        made.cut = []
        get_training_set("made", root, wait=_stop)
        found = locate("made", root)
        assert len(open_source(found["data"], found["image_root"])) == 8
