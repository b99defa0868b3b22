"""Archives: good ones are unpacked, and one bad member means that nothing is written."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from compoclip.data.unpack import contents, unpack
from compoclip.errors import RunError
from compoclip.locks import exclusive

from .conftest import write_tar


def zipped(path: Path, members: dict[str, bytes], attributes: dict[str, int] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (attributes or {}).get(name, 0o644) << 16
            opened.writestr(info, data)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


GOOD = {"a/1.jpg": os.urandom(3000), "a/b/2.txt": b"two", "./3.txt": b""}
PLAIN = {"3.txt": b"", "a/1.jpg": GOOD["a/1.jpg"], "a/b/2.txt": b"two"}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_good_archives(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"x.{kind}"
    if kind == "zip":
        zipped(path, GOOD)
    else:
        with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as tar:
            for name, data in GOOD.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    assert unpack(path, tmp_path / "out") == 3
    assert files(tmp_path / "out") == PLAIN
    before = (tmp_path / "out/a/1.jpg").stat().st_ino
    (tmp_path / "out/a/b/2.txt").unlink()
    unpack(path, tmp_path / "out")
    assert files(tmp_path / "out") == PLAIN
    assert (tmp_path / "out/a/1.jpg").stat().st_ino == before  # what was there is not written again


@pytest.mark.parametrize("name", ["../evil", "/abs", "a/../../evil", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_that_leave_the_folder(tmp_path: Path, name: str, kind: str) -> None:
    members = {"ok.txt": b"fine", name: b"evil"}
    path = zipped(tmp_path / "x.zip", members) if kind == "zip" else write_tar(tmp_path / "x.tar", members)
    with pytest.raises(RunError, match="would leave the folder; nothing was written"):
        unpack(path, tmp_path / "in" / "out")
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [path.name]


def test_links_and_devices(tmp_path: Path) -> None:
    zipped(tmp_path / "x.zip", {"ok": b"1", "link": b"/etc/passwd"}, {"link": 0o120777})
    with pytest.raises(RunError, match="link or a device"):
        unpack(tmp_path / "x.zip", tmp_path / "out")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        with tarfile.open(tmp_path / "x.tar", "w") as tar:
            info = tarfile.TarInfo("link")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        with pytest.raises(RunError, match="link or a device"):
            unpack(tmp_path / "x.tar", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_that_is_there_already_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out").mkdir()
    os.symlink(outside, tmp_path / "out" / "a")
    with pytest.raises(RunError, match="link that is there already"):
        unpack(zipped(tmp_path / "x.zip", GOOD), tmp_path / "out")
    assert not list(outside.iterdir())


def test_bombs_broken_and_cut_archives(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="bomb"):
        unpack(zipped(tmp_path / "bomb.zip", {"zeros": bytes(20_000_000)}), tmp_path / "out")
    whole = zipped(tmp_path / "x.zip", GOOD).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(whole)
    damaged[60:200] = bytes(140)
    (tmp_path / "damaged.zip").write_bytes(damaged)
    (tmp_path / "none.zip").write_bytes(b"no archive")
    for name in ("cut.zip", "damaged.zip", "none.zip"):
        with pytest.raises(RunError, match="fetch"):
            unpack(tmp_path / name, tmp_path / name.removesuffix(".zip"))


def test_two_processes_do_not_unpack_one_archive(tmp_path: Path) -> None:
    path, out = zipped(tmp_path / "x.zip", GOOD), tmp_path / "out"
    out.mkdir()
    with exclusive(out / ".x.zip.lock", "held"), pytest.raises(RunError, match="another process is unpacking"):
        unpack(path, out)
    unpack(path, out)
    assert files(out) == PLAIN


def test_contents_are_what_unpack_writes(tmp_path: Path) -> None:
    assert contents(zipped(tmp_path / "x.zip", GOOD)) == {name: len(data) for name, data in PLAIN.items()}


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


FOUR = {f"{i}.bin": os.urandom(700) for i in range(4)}
BOUNDARY = 2 * (512 + 1024)  # behind the second member, whose 700 bytes fill two blocks


def damaged_header(body: bytes) -> bytes:
    return body[:BOUNDARY] + b"\xff" * 512 + body[BOUNDARY + 512 :]


def negative_size(body: bytes) -> bytes:
    """The third header says a size below zero, in the base-256 form."""
    header = bytearray(body[BOUNDARY : BOUNDARY + 512])
    header[124:136] = b"\xff" * 10 + (-1024 & 0xFFFF).to_bytes(2, "big")
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return body[:BOUNDARY] + bytes(header) + body[BOUNDARY + 512 :]


def partly(kind: str) -> bytes:
    body = tarred(FOUR)
    if kind == "ends between two members":
        return body[:BOUNDARY]
    if kind == "ends within a header":
        return body[: BOUNDARY + 100]
    if kind == "ends within a member":
        return body[: BOUNDARY + 900]
    if kind == "has a damaged header":
        return damaged_header(body)
    if kind == "has a second tar behind it":
        return body + tarred({"5.bin": b"five"})
    if kind == "has a size below zero":
        return negative_size(body)
    if kind == "gz, cut":
        return tarred(FOUR, "w:gz")[:-700]
    if kind == "gz, cut within its checksum":
        return tarred(FOUR, "w:gz")[:-4]
    if kind == "gz of a part":
        import gzip

        return gzip.compress(body[:BOUNDARY])
    if kind == "xz, cut":
        return tarred(FOUR, "w:xz")[:-100]
    if kind == "bz2, cut":
        return tarred(FOUR, "w:bz2")[:-100]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, data in FOUR.items():
            opened.writestr(name, data)
    body = out.getvalue()
    if kind == "zip without its directory":
        return body[: body.index(b"PK\x01\x02")]
    assert kind == "zip with half its directory"
    return body[:-60]


@pytest.mark.parametrize(
    "kind",
    [
        "ends between two members",
        "ends within a header",
        "ends within a member",
        "has a damaged header",
        "has a second tar behind it",
        "has a size below zero",
        "gz, cut",
        "gz, cut within its checksum",
        "gz of a part",
        "xz, cut",
        "bz2, cut",
        "zip without its directory",
        "zip with half its directory",
    ],
)
def test_a_part_of_an_archive_is_never_taken_for_the_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(partly(kind))
    with pytest.raises(RunError, match="fetch it again"):
        unpack(path, tmp_path / "out")
    assert path.exists()
    assert not files(tmp_path / "out") if (tmp_path / "out").exists() else True


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"other.txt": b"of the zip"}).read_bytes()
    path = tmp_path / "x.tar"
    path.write_bytes(tarred({"a.txt": b"a", "inner.zip": inner}))
    assert unpack(path, tmp_path / "out") == 2
    assert set(files(tmp_path / "out")) == {"a.txt", "inner.zip"}


def test_a_chain_of_long_names_ends(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4
    path = tmp_path / "x.tar"
    path.write_bytes((info.tobuf() + b"name" + b"\0" * 508) * 5000)
    with pytest.raises(RunError, match="cannot be unpacked"):
        unpack(path, tmp_path / "out")
