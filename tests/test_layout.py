"""The rules of scripts/check_layout.py, on a made package that breaks each of them."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from tests.script_module import load

LAYERS = "low\nmiddle\nhigh\n"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    return load("scripts/check_layout.py")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    source = tmp_path / "made"
    for name, text in {
        "__init__.py": "",
        "low/__init__.py": "",
        "low/a.py": "import made.high.b\n",
        "middle/__init__.py": "",
        "middle/one.py": "from . import two\n",
        "middle/two.py": "from made.middle.one import x\n",
        "middle/inner/one.py": "def later():\n    import made.high.b\n",
        "high/__init__.py": "",
        "high/b.py": "from made.low import a\n",
        "other/c.py": "",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    return source


def test_imports_upwards(check: ModuleType, package: Path) -> None:
    assert check.upward(check.graph(package), LAYERS) == [
        "made.low.a imports made.high.b, which stands above it",
        "made.other.c: other stands in no layer of scripts/check_layout.py",
    ]


def test_circles(check: ModuleType, package: Path) -> None:
    assert check.circles(check.graph(package)) == [
        "these import one another: made.high.b, made.low.a",
        "these import one another: made.middle.one, made.middle.two",
    ]


def test_one_name_for_two_files(check: ModuleType, package: Path) -> None:
    assert check.twice(package) == ["one name for two files: middle/inner/one.py, middle/one.py"]


def test_one_name_for_two_classes(check: ModuleType, package: Path) -> None:
    (package / "low" / "a.py").write_text("class Row: ...\nclass Table:\n    class Cell: ...\n")
    (package / "high" / "b.py").write_text("class Cell: ...\nclass Rows: ...\n")
    assert check.one_class_a_name(package) == ["one name for two classes: Cell in high/b.py:1, low/a.py:3"]


def test_long_files_give_a_reason(check: ModuleType, tmp_path: Path) -> None:
    texts = {"long.py": '"""Words."""\n', "told.py": '"""Words.\n\nLong because it is a table.\n"""\n', "short.py": ""}
    for name, text in texts.items():
        (tmp_path / name).write_text(text + "\n" * (0 if name == "short.py" else 9))
    found = check.too_long(sorted(tmp_path.glob("*.py")), 9)
    assert len(found) == 1
    assert "long.py: 10 lines" in found[0]


def test_the_project_keeps_them(check: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main() == 0, capsys.readouterr().out
