"""Files appear whole or not at all, and images are opened without trust."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from compoclip.errors import InputError
from compoclip.io import atomic_path, open_image, read_json, sha256_file, write_json, write_text


def png(size: tuple[int, int] = (4, 3), mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, "PNG")
    return out.getvalue()


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fails() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_is_strict_and_errors_name_the_line(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a.json"
    write_json(path, {"a": [1, "é"]})
    assert read_json(path) == {"a": [1, "é"]}
    with pytest.raises(ValueError):
        write_json(path, {"a": float("nan")})
    path.write_text('{\n"a": }')
    with pytest.raises(InputError, match="line 2"):
        read_json(path)
    with pytest.raises(InputError, match="no such file"):
        read_json(tmp_path / "b.json")


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "LA"])
def test_any_mode_becomes_rgb(mode: str) -> None:
    assert open_image(png(mode=mode)).mode == "RGB"


def test_bad_images_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="row 7"):
        open_image(b"not an image", where="row 7")
    with pytest.raises(InputError, match="broken"):
        open_image(png((64, 64))[:-20], where="row 8")
    with pytest.raises(InputError, match="no such image"):
        open_image(tmp_path / "none.png")
    monkeypatch.setattr("compoclip.io.MAX_PIXELS", 10)
    with pytest.raises(InputError, match="pixels"):
        open_image(png((4, 3)))
