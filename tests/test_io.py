"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from compoclip.errors import InputError
from compoclip.io import (
    atomic_path,
    check_writable,
    parse_yaml,
    read_json,
    remove_leftovers,
    sha256_file,
    write_json,
    write_text,
)


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


def test_an_unwritable_place_is_found_before_the_work(tmp_path):
    check_writable(tmp_path / "new" / "results.json")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("x")
    for wrong in (tmp_path / "new", tmp_path / "file" / "results.json"):
        with pytest.raises(InputError, match=re.escape(str(wrong))):
            check_writable(wrong)


def test_leftovers_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    dead, living = f".a.json.{child.pid}.tmp", f".a.json.{os.getppid()}.tmp"
    for name in (dead, living, ".a.json.tmp", "a.json"):
        (tmp_path / name).write_text("x")
    (tmp_path / f".export.{child.pid}.tmp").mkdir()
    assert remove_leftovers(tmp_path, "b*") == []
    assert remove_leftovers(tmp_path) == sorted([dead, f".export.{child.pid}.tmp"])
    assert {path.name for path in tmp_path.iterdir()} == {living, ".a.json.tmp", "a.json"}
    assert remove_leftovers(tmp_path / "nowhere") == []


def test_an_error_that_names_no_file_gets_its_name(tmp_path):
    with pytest.raises(OSError) as caught, atomic_path(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.json")


@pytest.mark.parametrize("text", ["lr: 2020-99-99", f"steps: {'9' * 10_000}", "{a: " * 3_000, "a: ["])
def test_yaml_that_cannot_be_read_fails_in_one_way(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        parse_yaml(text)
