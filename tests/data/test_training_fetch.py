"""Fetching a training set from a server that misbehaves: what training could read afterwards is right, or absent."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from compoclip.data import catalog, training_sets
from compoclip.data.catalog import Download, Entry, Expected
from compoclip.data.getting import get_training_set
from compoclip.data.sources import open_source
from compoclip.data.training_sets import locate
from compoclip.errors import InputError, RunError

from .conftest import jpeg
from .faulty import Server

TABLE = b"image\tcaption\n" + b"".join(b"photos/%d.jpg\ta photo of number %d\n" % (k, k) for k in range(8))


def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for k in range(8):
            archive.writestr(f"photos/{k}.jpg", jpeg(k, (64, 48)))
    return out.getvalue()


PHOTOS = _archive()


def _define(server: Server, patch: pytest.MonkeyPatch, proven: bool = True) -> Server:
    """The set `made` of a table and photos on this server, with its checksums and sizes or with nothing of the kind."""
    server.files = {"/table.tsv": TABLE, "/photos.zip": PHOTOS}

    def entry(name: str, body: bytes, to: str, unpack: str | None, found: Expected) -> Entry:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}" if proven else None
        size = len(body) if proven else None
        download = Download(f"{server.url}/{to}", f"made/{to}", size, digest, unpack)
        return Entry(name, name, "training", "none", "small", "home", (found,), fetch=(download,))

    known = {
        "made-table": entry("made-table", TABLE, "table.tsv", None, Expected("made/table.tsv")),
        "made-photos": entry("made-photos", PHOTOS, "photos.zip", "made", Expected("made/photos/*.jpg", 8)),
    }
    layout = {"data": "made/table.tsv", "image_root": ["made"]}
    sets = {"made": {"title": "made", "parts": list(known), "samples": 8, "layouts": [layout]}}
    patch.setattr(catalog, "entries", lambda: known)
    patch.setattr(training_sets, "training_sets", lambda: sets)
    patch.setattr("compoclip.data.getting.training_sets", lambda: sets)
    return server


@pytest.fixture
def made(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    return _define(server, monkeypatch)


def _changed(s: Server) -> None:
    """The table is another after the first answer was cut, under the same version."""
    s.cut = [100]
    s.after_first = lambda s: s.files.update({"/table.tsv": TABLE.replace(b"number", b"NUMBER")})


def _renewed(s: Server) -> None:
    _changed(s)
    change = s.after_first
    assert change is not None
    s.after_first = lambda s: (change(s), setattr(s, "etag", '"two"'))


FAULTS = {
    "none": lambda s: None,
    "cut at once": lambda s: s.cut.extend([0, 1]),
    "cut often": lambda s: s.cut.extend([10, 20, 30, 40]),
    "reset": lambda s: (setattr(s, "resets", True), s.cut.append(50)),
    "busy": lambda s: s.statuses.extend([503, 429, 500]),
    "busy for ever": lambda s: s.statuses.extend([503] * 20),
    "throttled": lambda s: s.statuses.extend([429, 429]),
    "dripping": lambda s: (setattr(s, "pace", 400), setattr(s, "pause", 0.001)),
    "asleep": lambda s: (setattr(s, "pause", 0.5), s.cut.append(50), setattr(s, "after_first", _awake)),
    "no ranges": lambda s: (setattr(s, "ranges", False), s.cut.append(50)),
    "no length": lambda s: setattr(s, "length", False),
    "no length, cut": lambda s: (setattr(s, "length", False), s.cut.append(150)),
    "no version": lambda s: (setattr(s, "etag", ""), s.cut.append(50)),
    "says more": lambda s: setattr(s, "says", 9),
    "says less": lambda s: setattr(s, "says", -9),
    "another piece": lambda s: (setattr(s, "shift", 3), s.cut.append(100)),
    "moved": lambda s: s.moved.extend([f"{s.url}/elsewhere", "/table.tsv"]),
    "moved in a circle": lambda s: s.moved.extend(["/a", "/b"] * 20),
    "moved to a file": lambda s: s.moved.append("file:///etc/passwd"),
    "moved to nothing": lambda s: s.moved.append("/nothing"),
    "packed": lambda s: (s.headers.update({"Content-Encoding": "gzip"}), s.files.update({"/table.tsv": _gzip(TABLE)})),
    "gone": lambda s: s.statuses.append(404),
    "a login": lambda s: s.statuses.append(403),
    "wrong table": lambda s: s.files.update({"/table.tsv": TABLE.replace(b"number 3", b"numbez 3")}),
    "wrong photos": lambda s: s.files.update({"/photos.zip": PHOTOS[:500] + b"\0" + PHOTOS[501:]}),
    "changed": _changed,
    "renewed": _renewed,
    "a page": lambda s: s.files.update({"/table.tsv": b"<html>please log in</html>"}),
    "longer": lambda s: s.files.update({"/photos.zip": PHOTOS + b"more"}),
    "shorter": lambda s: s.files.update({"/photos.zip": PHOTOS[:-9]}),
}
# of these nothing but a checksum can tell; a set without one is as good as its server
UNPROVABLE = {"wrong table", "says less", "another piece", "changed", "renewed"}


def _awake(s: Server) -> None:
    s.pause = 0.0


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _mend(s: Server) -> None:
    fresh = Server()
    for name in ("etag", "ranges", "length", "says", "shift", "pace", "pause", "resets", "after_first"):
        setattr(s, name, getattr(fresh, name))
    s.files = {"/table.tsv": TABLE, "/photos.zip": PHOTOS}
    for left in (s.cut, s.statuses, s.moved, s.headers):
        left.clear()


def _nothing_wrong_is_read(root: Path) -> None:
    table, photos = root / "made" / "table.tsv", root / "made" / "photos"
    assert not table.exists() or table.read_bytes() == TABLE
    assert all(p.read_bytes() == jpeg(int(p.stem), (64, 48)) for p in photos.glob("*.jpg"))


def _all_is_read(root: Path) -> None:
    found = locate("made", root)
    source = open_source(found["data"], found["image_root"])
    assert [source.captions(k) for k in range(len(source))] == [(f"a photo of number {k}",) for k in range(8)]
    assert Path(found["data"]).read_bytes() == TABLE
    for k in range(8):  # by training's own reader, which also takes the archive that stands for a folder of photos
        wanted = Image.open(io.BytesIO(jpeg(k, (64, 48))))
        assert source[k].image.load().convert("RGB").tobytes() == wanted.convert("RGB").tobytes()


@pytest.mark.parametrize(
    ("fault", "proven"), [(f, p) for f in FAULTS for p in (True, False) if p or f not in UNPROVABLE]
)
def test_training_reads_the_right_bytes_or_none(
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fault: str,
    proven: bool,
) -> None:
    made = _define(server, monkeypatch, proven)
    monkeypatch.setattr("compoclip.data.fetch.TIMEOUT", 0.2)
    FAULTS[fault](made)
    words = ""
    try:
        get_training_set("made", tmp_path, wait=lambda _: None)
    except (RunError, InputError) as error:
        words = str(error)
        _nothing_wrong_is_read(tmp_path)
        _mend(made)
        get_training_set("made", tmp_path, wait=lambda _: None)
    assert "\n" not in words
    _all_is_read(tmp_path)


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


def test_files_come_at_one_time_and_an_error_stops_the_others(made: Server, tmp_path: Path) -> None:
    made.pace, made.pause = 50, 0.5  # the table that is none takes half a second, the photos half a minute
    made.files["/table.tsv"] = b"nothing of the kind"
    with pytest.raises(RunError, match="and not the"):
        get_training_set("made", tmp_path, wait=lambda _: None)
    assert len(made.asked) == 2
    assert not (tmp_path / "made" / "photos").exists(), "the photos were awaited, though nothing can be made of them"
    _mend(made)
    get_training_set("made", tmp_path, wait=lambda _: None)
    _all_is_read(tmp_path)


CALLS = ("replace", "fsync", "open", "unlink", "mkdir", "truncate")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed")
def test_it_is_killed_at_any_call_to_the_system_and_goes_on(made: Server, tmp_path: Path) -> None:
    """Real processes end at the first, second, third … change they make to the disk; no clean-up of theirs runs."""
    ended = None
    for number in range(200):
        root = tmp_path / str(number)
        child = os.fork()
        if child == 0:
            _die_at(number)
            get_training_set("made", root, wait=lambda _: None)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert ended in (0, 9)
        _nothing_wrong_is_read(root)
        get_training_set("made", root, wait=lambda _: None)
        _all_is_read(root)
        if ended == 0:
            break
    assert ended == 0
    assert number > 20


def _die_at(number: int) -> None:
    count = iter(range(1000))

    def dying(real: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            if next(count) == number:
                os._exit(9)
            return real(*arguments, **options)

        return call

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))
