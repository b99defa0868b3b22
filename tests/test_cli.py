"""The program: what it prints, how it fails, and that every command has help with an example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from compoclip.cli import main
from compoclip.errors import InputError

COMMANDS = ["demo", "train", "eval", "report", "blend", "compare", "serve", "ls"]
COMMANDS += ["data ls", "data get", "data check", "data preview", "negatives build", "negatives inspect"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    out = capsys.readouterr()
    return int(stopped.value.code or 0), out.out, out.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, *command.split(), "--help")
    assert status == 0
    assert f"Example: compoclip {command}" in " ".join(out.split())


def test_commands_are_listed_in_the_order_of_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--help")
    places = [
        out.index(f"\n  {name} ") for name in ("demo", "data", "negatives", "train", "eval", "report", "blend", "ls")
    ]
    assert places == sorted(places)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from compoclip import __version__

    assert run(capsys, "--version")[:2] == (0, __version__ + "\n")


@pytest.mark.parametrize(
    "arguments",
    [
        "nosuch",
        "train nosuch",
        "train clip --lr fast",
        "train clip --set lr",
        "train clip --set nothing=1",
        "train --resume",
        "eval",
        "eval nosuch",
        "eval tiny --tasks nosuch",
        "eval tiny --log-samples",
        "report nosuch.json --out x",
        "report nosuch.json",
        "blend tiny tiny --out x",
        "blend tiny tiny --alpha 0.5",
        "ls nosuch",
        "data get nosuch",
        "data check nosuch.tsv",
        "negatives build nosuch.tsv --out x",
        "negatives inspect nosuch",
    ],
)
def test_bad_input_is_one_line_and_status_two(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch, arguments
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, *arguments.split())
    assert status == 2, err
    assert err.startswith("compoclip: error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", ["eval nosuch --debug", "--debug eval nosuch"])
def test_debug_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="nosuch"):  # as Python prints it, with its traceback
        main(arguments.split())


def test_debug_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--debug" in run(capsys, "--help")[1]
    for command in ("train", "eval", "data ls", "negatives build"):
        status, out, _ = run(capsys, *command.split(), "--help")
        assert (status, "--debug" in out) == (0, False)


@pytest.mark.parametrize("what", ["methods", "recipes", "negatives", "tasks", "models"])
def test_lists(capsys: pytest.CaptureFixture[str], what: str) -> None:
    status, out, _ = run(capsys, "ls", what)
    assert status == 0
    expected = {
        "methods": "degla",
        "recipes": "fsc-clip",
        "negatives": "swap-nouns",
        "tasks": "sugarcrepe",
        "models": "tiny",
    }
    assert any(line.split()[0] == expected[what] for line in out.splitlines())


def test_help_needs_no_torch() -> None:
    code = "import sys, compoclip.cli; sys.exit(int(any(m in sys.modules for m in ('torch', 'spacy', 'open_clip'))))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_dry_runs_write_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    captions, out = tmp_path / "c.txt", tmp_path / "out"
    captions.write_text("a man rides a brown horse\na dog on grass\n")
    kinds = ("--kinds", "swap-nouns,llm:swap-nouns", "--llm-model", "m", "--llm-batch-out", str(tmp_path / "b.jsonl"))
    for words, told in (
        (
            ["negatives", "build", str(captions), "--out", str(out), "--per-caption", "3", *kinds],
            "negatives: 6 at most",
        ),
        (["eval", "tiny", "--output-path", str(out / "r.json")], "images: 6600"),
        (["train", "fsc-clip", "--data", str(captions), "--output-dir", str(out), "--lr", "0.5"], "lr: 0.5"),
    ):
        status, said, _ = run(capsys, *words, "--dry-run")
        assert status == 0
        assert told in said
    assert sorted(tmp_path.iterdir()) == [captions]
