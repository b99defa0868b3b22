"""Fetching from a real local server that cuts connections, ignores ranges, changes its files and sends wrong bytes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from compoclip.data import fetch as fetching
from compoclip.data.catalog import Download, Entry, Expected
from compoclip.data.checking import check_entry
from compoclip.data.fetch import fetch_file
from compoclip.data.getting import get
from compoclip.errors import InputError, RunError

from .faulty import BODY, Server


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def nothing(_: float) -> None: ...


def wanted(server: Server, **changes: Any) -> Download:
    return Download(
        **{"url": f"{server.url}/f.bin", "to": "d/f.bin", "bytes": len(BODY), "checksum": sha(BODY), **changes}
    )


def test_a_plain_fetch_and_a_second_one(server: Server, tmp_path: Path) -> None:
    done = fetch_file(wanted(server), tmp_path, nothing)
    assert done.path.read_bytes() == BODY
    assert done.checked
    assert "sha256:" + done.sha256 == sha(BODY)
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["f.bin"]
    fetch_file(wanted(server), tmp_path, nothing)
    assert server.asked == [None]


def test_cut_connections_are_taken_up_where_they_broke(server: Server, tmp_path: Path) -> None:
    server.cut = [1000, 500_000, 7]
    assert fetch_file(wanted(server), tmp_path, nothing).path.read_bytes() == BODY
    assert server.asked == [None, "bytes=1000-", "bytes=501000-", "bytes=501007-"]


def test_a_later_run_resumes(server: Server, tmp_path: Path) -> None:
    server.cut = [300_000] + [0] * fetching.TRIES
    with pytest.raises(RunError, match="run it again to go on"):
        fetch_file(wanted(server), tmp_path, nothing)
    done = fetch_file(wanted(server), tmp_path, nothing)
    assert done.resumed_at == 300_000
    assert server.asked[-1] == "bytes=300000-"
    assert done.path.read_bytes() == BODY


def test_a_file_that_changed_in_between_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.cut = [300_000] + [0] * fetching.TRIES
    with pytest.raises(RunError):
        fetch_file(wanted(server, checksum=None, bytes=None), tmp_path, nothing)
    server.files["/f.bin"], server.etag = BODY[::-1], '"two"'
    done = fetch_file(wanted(server, checksum=None, bytes=None), tmp_path, nothing)
    assert done.path.read_bytes() == BODY[::-1]


def test_servers_without_ranges_etags_or_lengths(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.cut = [5000, 9000]
    assert fetch_file(wanted(server, to="a"), tmp_path, nothing).path.read_bytes() == BODY
    server.etag = ""
    server.cut = [5000]
    assert fetch_file(wanted(server, to="b", checksum=None), tmp_path, nothing).path.read_bytes() == BODY
    server.length = False
    server.cut = [5000]
    assert fetch_file(wanted(server, to="c"), tmp_path, nothing).path.read_bytes() == BODY


def test_wrong_checksums_and_sizes_leave_nothing_behind(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"sha256 .* instead of"):
        fetch_file(wanted(server, checksum=sha(b"other")), tmp_path, nothing)
    with pytest.raises(RunError, match=r"md5 .* instead of"):
        fetch_file(wanted(server, checksum="md5:" + "0" * 32), tmp_path, nothing)
    with pytest.raises(RunError, match="not the 5 it should have"):
        fetch_file(wanted(server, bytes=5), tmp_path, nothing)
    assert not [p for p in (tmp_path / "d").iterdir() if p.suffix in (".bin", ".part")]
    (tmp_path / "d" / "f.bin").write_bytes(b"mine")
    with pytest.raises(RunError, match="move it away"):
        fetch_file(wanted(server), tmp_path, nothing)
    assert (tmp_path / "d" / "f.bin").read_bytes() == b"mine"


def test_md5_and_unknown_checksums(server: Server, tmp_path: Path) -> None:
    md5 = hashlib.md5(BODY).hexdigest()
    assert fetch_file(wanted(server, to="a", checksum=f"md5:{md5}"), tmp_path, nothing).checked
    done = fetch_file(wanted(server, to="b", checksum=None), tmp_path, nothing)
    assert not done.checked
    assert (tmp_path / "b.sha256").read_text() == f"{done.sha256}  b\n"


def test_busy_servers_are_asked_again_and_refusals_are_not(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 429, 500]
    waits: list[float] = []
    assert fetch_file(wanted(server), tmp_path, waits.append).path.exists()
    assert waits == sorted(waits)
    assert len(waits) == 3
    for status, message in [(403, "login or a form"), (404, "new address")]:
        server.statuses = [status]
        with pytest.raises(RunError, match=message):
            fetch_file(wanted(server, to=f"x{status}"), tmp_path, nothing)
    with pytest.raises(RunError, match="gave up after 6 tries"):
        fetch_file(Download("http://127.0.0.1:9/none", "y"), tmp_path, nothing)
    with pytest.raises(InputError, match="only http"):
        fetch_file(Download("file:///etc/passwd", "z"), tmp_path, nothing)


def test_a_part_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(BODY + b"more")
    note = {"url": f"{server.url}/f.bin", "version": server.etag, "total": -1}
    (tmp_path / "f.part.json").write_text(json.dumps(note))
    assert fetch_file(wanted(server, to="f"), tmp_path, nothing).path.read_bytes() == BODY
    (tmp_path / "g.part").write_bytes(BODY[:100])
    (tmp_path / "g.part.json").write_text("{broken")
    assert fetch_file(wanted(server, to="g", checksum=None), tmp_path, nothing).path.read_bytes() == BODY


def test_too_little_space_is_said_before_fetching(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RunError, match="are free; make room"):
        fetch_file(wanted(server), tmp_path, nothing)


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, data in members.items():
            opened.writestr(name, data)
    return buffer.getvalue()


def made(server: Server, **changes: Any) -> Entry:
    server.files["/a.zip"] = archive({"photos/1.jpg": b"one", "photos/2.jpg": b"two"})
    download = Download(f"{server.url}/a.zip", "set/a.zip", unpack="set")
    values = {
        "name": "made", "title": "Made", "kind": "images", "licence": "none", "size": "2", "home": "http://page",
        "files": (Expected("set/photos/*.jpg", 2),), "fetch": (download,),
    }  # fmt: skip
    return Entry(**{**values, **changes})


def test_getting_a_named_set(server: Server, tmp_path: Path) -> None:
    result = get(made(server), tmp_path, wait=nothing)
    assert result["check"]["complete"]
    assert result["fetched"][0]["unpacked"] == 2
    assert (tmp_path / "set/photos/2.jpg").read_bytes() == b"two"
    assert not (tmp_path / "set/a.zip").exists()
    assert get(made(server), tmp_path, wait=nothing)["fetched"] == []
    assert len(server.asked) == 1
    (tmp_path / "set/photos/2.jpg").unlink()
    assert get(made(server), tmp_path, wait=nothing)["check"]["complete"]
    assert len(server.asked) == 2


def test_an_archive_is_not_fetched_again_when_the_next_one_fails(server: Server, tmp_path: Path) -> None:
    entry = made(server)
    server.files["/b.zip"] = archive({"photos/3.jpg": b"three"})
    second = Download(f"{server.url}/b.zip", "set/b.zip", unpack="set")
    entry = made(server, fetch=(*entry.fetch, second), files=(Expected("set/photos/*.jpg", 3),))
    kept = server.files.pop("/b.zip")
    with pytest.raises(RunError, match="404"):
        get(entry, tmp_path, wait=nothing)
    server.files["/b.zip"] = kept
    server.asked.clear()
    assert get(entry, tmp_path, wait=nothing)["check"]["complete"]
    assert len(server.asked) == 1


def unpacked_in_part(tmp_path: Path, photos: dict[str, bytes], done: int) -> Path:
    """The archive in place, and the first `done` of its files unpacked: what a killed `get` leaves."""
    (tmp_path / "set/photos").mkdir(parents=True)
    for name in list(photos)[:done]:
        (tmp_path / "set" / name).write_bytes(photos[name])
    (tmp_path / "set/.a.zip.part").write_bytes(b"half a photo")
    (tmp_path / "set/a.zip").write_bytes(archive(photos))
    return tmp_path


def test_an_unpacking_that_was_broken_off_is_finished_by_the_next_get(server: Server, tmp_path: Path) -> None:
    photos = {f"photos/{k:03d}.jpg": f"photo {k}".encode() for k in range(200)}
    entry = made(server, files=(Expected("set/photos/*.jpg"),))  # the catalogue does not say how many
    server.files["/a.zip"] = archive(photos)
    unpacked_in_part(tmp_path, photos, 50)
    broken_off = {"path": "set/a.zip -> set", "found": 50, "wanted": 200}
    assert check_entry(entry, tmp_path)["missing"] == [broken_off]
    result = get(entry, tmp_path, wait=nothing)
    assert result["fetched"][0]["unpacked"] == 200
    assert result["check"]["complete"]
    assert server.asked == []
    assert {f"photos/{p.name}": p.read_bytes() for p in (tmp_path / "set/photos").iterdir()} == photos
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == ["a.zip.unpacked", "photos"]


def test_a_killed_unpacking_is_finished_by_the_next_get(server: Server, tmp_path: Path) -> None:
    """A real process, killed by a signal in the middle of an archive, in a tar as in a zip."""
    photos = {f"photos/{k:03d}.jpg": bytes([k % 256]) * 2000 for k in range(200)}
    entry = made(server, files=(Expected("set/photos/*.jpg"),))
    (tmp_path / "set").mkdir()
    (tmp_path / "set/a.zip").write_bytes(archive(photos))
    script = (
        "import os, signal, sys; from pathlib import Path; from compoclip.data import unpack as u; count = 0\n"
        "def stop(*a, kept=u._copy):\n"
        "    global count; count += 1; kept(*a)\n"
        "    if count == 51: os.kill(os.getpid(), signal.SIGKILL)\n"
        "u._copy = stop; u.unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    place = [str(tmp_path / "set/a.zip"), str(tmp_path / "set")]
    assert subprocess.run([sys.executable, "-c", script, *place], check=False).returncode == -signal.SIGKILL
    assert check_entry(entry, tmp_path)["missing"][0]["found"] == 50
    assert get(entry, tmp_path, wait=nothing)["check"]["complete"]
    assert len(list((tmp_path / "set/photos").iterdir())) == 200
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == ["a.zip.unpacked", "photos"]


def test_photos_lost_after_unpacking_are_missed_though_the_catalogue_names_no_number(
    server: Server, tmp_path: Path
) -> None:
    entry = made(server, files=(Expected("set/photos/*.jpg"),))
    get(entry, tmp_path, wait=nothing)
    (tmp_path / "set/photos/1.jpg").unlink()
    assert check_entry(entry, tmp_path)["missing"] == [{"path": "set/a.zip -> set", "found": 1, "wanted": 2}]
    assert get(entry, tmp_path, wait=nothing)["check"]["complete"]
    assert (tmp_path / "set/photos/1.jpg").read_bytes() == b"one"


def test_an_archive_that_is_read_in_place_is_no_broken_unpacking(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/photos.zip").write_bytes(archive({"photos/1.jpg": b"one", "photos/2.jpg": b"two"}))
    download = Download(f"{server.url}/photos.zip", "set/photos.zip", unpack="set")
    assert check_entry(made(server, fetch=(download,)), tmp_path)["complete"]


def test_what_needs_a_form_says_so(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"form \(http://form\).*Put the files at .*photos") as caught:
        get(made(server, fetch=(), gate="given out after a form (http://form)"), tmp_path)
    assert "\n" not in str(caught.value)
    assert "http://page" in str(caught.value)
    assert not os.listdir(tmp_path)


def test_the_hub_is_asked_and_its_refusal_is_put_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError

    from compoclip.data.catalog import Hub

    calls: list[tuple[Any, ...]] = []
    failure: list[Exception] = []

    def snapshot(repo: str, repo_type: str, local_dir: Path, allow_patterns: list[str] | None) -> None:
        calls.append((repo, repo_type, allow_patterns))
        if failure:
            raise failure[0]
        (local_dir / "data").mkdir(parents=True)
        (local_dir / "data" / "x.json").write_text("{}")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    values = {
        "name": "made", "title": "Made", "kind": "benchmark", "licence": "own", "size": "1", "home": "http://page",
        "files": (Expected("made/data/*.json"),), "hub": Hub("o/n", "dataset", "made", ("data/*",)),
        "gate": "accept it",
    }  # fmt: skip
    assert get(Entry(**values), tmp_path)["check"]["complete"]
    assert calls == [("o/n", "dataset", ["data/*"])]
    refusal = RepositoryNotFoundError.__new__(RepositoryNotFoundError)
    for error, message in [(refusal, "accept it.*http://page"), (OSError("cut\nmore"), r"hub \(cut\); run it again")]:
        failure[:] = [error]
        with pytest.raises(RunError, match=message):
            get(Entry(**values), tmp_path / "other")
