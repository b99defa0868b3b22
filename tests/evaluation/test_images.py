"""Folders, tars and zips give the same images, and none is trusted."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.fakes import picture, png, write, write_tar

from compoclip.errors import InputError
from compoclip.evaluation import images

MEMBERS = {"val/a.png": png(picture(10)), "val/b.png": png(picture(20)), "other/b.png": png(picture(30))}


@pytest.fixture(params=["folder", "tar", "zip"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> images.Store:
    if request.param == "folder":
        for name, data in MEMBERS.items():
            write(tmp_path / "images" / name, data)
    elif request.param == "tar":
        write_tar(tmp_path / "images.tar", MEMBERS)
    else:
        with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
            for name, data in MEMBERS.items():
                archive.writestr(name, data)
    place = images.beside(tmp_path / "images")
    assert place is not None
    return images.open_store(place)


def test_every_place_reads_in_place(store: images.Store) -> None:
    assert sorted(store.names()) == sorted(MEMBERS)
    found = store.get("val/b.png")
    assert found is not None
    assert found.load().getpixel((0, 0)) == (20, 0, 0)
    assert store.get("val/c.png") is None
    assert store.read_bytes("val/a.png") == MEMBERS["val/a.png"]


def test_archives_find_a_unique_last_part(tmp_path: Path) -> None:
    store = images.open_store(write_tar(tmp_path / "x.tar", MEMBERS))
    found = store.get("a.png")
    assert found is not None
    assert found.load().getpixel((0, 0)) == (10, 0, 0)
    assert store.get("b.png") is None


def test_crop_cuts_before_anything_else(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[2:, 3:] = 200
    whole = images.from_array(pixels, "x")
    part = whole.crop(3, 2, 1, 2)
    assert part.load().size == (1, 2)
    assert part.load().getpixel((0, 0)) == (200, 200, 200)
    assert part.key != whole.key
    with pytest.raises(InputError, match="positive"):
        whole.crop(0, 0, 0, 3)


def test_equal_pixels_share_a_key() -> None:
    a, b = np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)
    assert images.from_array(a, "x").key == images.from_array(a.copy(), "y").key
    assert images.from_array(a, "x").key != images.from_array(b, "x").key


@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "a/../../evil.png"])
def test_names_that_climb_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="points outside"):
        images.open_store(write_tar(tmp_path / "x.tar", {name: b"x"}))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, b"x")
    with pytest.raises(InputError, match="points outside"):
        images.open_store(tmp_path / "x.zip")
    with pytest.raises(InputError, match="points outside"):
        images.open_store(tmp_path).get(name)


def test_broken_archives_are_named(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "x.tar", {"a.png": b"x" * 5000})
    write(tmp_path / "cut.tar", whole.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"cut\.tar"):
        images.open_store(tmp_path / "cut.tar")
    write(tmp_path / "cut.zip", b"PK\x03\x04 no end")
    with pytest.raises(InputError, match="truncated zip"):
        images.open_store(tmp_path / "cut.zip")
    write(tmp_path / "text.tar", "no tar at all " * 100)
    with pytest.raises(InputError, match="not a plain tar"):
        images.open_store(tmp_path / "text.tar")
    with pytest.raises(InputError, match="no such"):
        images.open_store(tmp_path / "absent")
    with pytest.raises(InputError, match=r"folder, a \.tar or a \.zip"):
        images.open_store(write(tmp_path / "x.rar", b""))


def test_links_in_a_tar_are_no_members(tmp_path: Path) -> None:
    import tarfile

    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        link = tarfile.TarInfo("a.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert list(images.open_store(tmp_path / "x.tar").names()) == []
