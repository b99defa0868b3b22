"""What is shipped: the container's recipe names files and extras that exist, and the wheel holds the package's data."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from compoclip import __version__

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_container_copies_what_is_there_and_installs_extras_that_exist() -> None:
    recipe = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    copied = [name for line in re.findall(r"^COPY (.*) \S+$", recipe, re.M) for name in line.split()]
    assert len(copied) == 4
    assert set(copied) == kept
    assert all((ROOT / name).exists() for name in copied)
    section = PYPROJECT.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = set(re.findall(r"^(\w+) = \[", section, re.M))
    wanted = re.search(r"ARG EXTRAS=(.*)", recipe)
    assert wanted is not None
    assert set(wanted[1].split(",")) <= extras
    versions = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', PYPROJECT)
    python = re.search(r"ARG PYTHON=3\.(\d+)", recipe)
    assert versions is not None
    assert python is not None
    assert int(versions[1]) <= int(python[1]) < int(versions[2])


def test_versions_agree() -> None:
    cited = re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert cited is not None
    assert cited[1].strip("\"'") == __version__


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("compoclip/")}
    source = ROOT / "src"
    own = {path.relative_to(source).as_posix() for path in (source / "compoclip").rglob("*") if path.is_file()}
    assert held == {name for name in own if "__pycache__" not in name}
    assert {"compoclip/py.typed", "compoclip/recipes/fsc-clip.yaml"} <= held
