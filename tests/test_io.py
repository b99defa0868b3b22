"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from compoclip.errors import InputError
from compoclip.io import atomic_path, read_json, sha256_file, write_json, write_text


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
