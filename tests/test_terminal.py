"""Texts of others show on a terminal and never act, wherever in the program they are printed."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text

from compoclip import progress
from compoclip.cli import main
from compoclip.errors import InputError
from compoclip.io import parse_json, read_json, write_text
from compoclip.terminal import Console, Plain, plain, plain_streams

ATTACKS = {
    "colour": "\x1b[31mred",
    "clear": "\x1b[2J",
    "title": "\x1b]0;title\x07",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "link": "\x1b]8;;http://evil\x1b\\here",
    "one-byte CSI": "\x9b2J",
    "overwritten line": "ok\rgone",
    "backspaces": "evil\x08\x08\x08\x08good",
    "reordered": "photo\u202egpj.exe",
    "isolated": "\u2066a\u2069",
    "line separator": "a\u2028b",
    "null": "a\x00b",
    "half a character": "a\udcffb",
}
MARKUP = ["[/]", "[bold]x", "[link=http://evil]x[/link]", "a[/red]b", ":smile:", "trailing\\", "[@click=app.quit]x"]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_every_way_out_is_plain(attack: str, capsys: pytest.CaptureFixture[str]) -> None:
    with plain_streams():
        print("caption", attack)
        print("message", attack, file=sys.stderr)
        sys.stderr.writelines([attack])
        progress.output().print(attack)
        progress.console.print(Text(attack))
        table = Table(title=Text(attack))
        table.add_column(attack)
        table.add_row(attack)
        progress.output().print(table)
        with progress.bar(attack, 2) as bar:
            bar.advance(1, note=attack)
    found = "".join(capsys.readouterr())
    assert plain(found) == found
    assert plain(attack) != attack


def test_marks_of_rich_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    for text in MARKUP:
        progress.output().print(text)
        assert capsys.readouterr().out == f"{text}\n"


def test_styles_of_the_program_still_reach_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=80)
    console.print(Text("better", style="green"), Text("\x1b[2Jlabel"))
    assert "\x1b[32mbetter" in out.getvalue()
    assert "\\x1b[2Jlabel" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()


def test_a_bar_redraws_itself_in_a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """rich puts a wrapper of its own around ours while a bar runs; the cursor's movements must pass both."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setattr(progress, "console", Console(stderr=True, force_terminal=True, width=80))
    figures = "27 img/s | loss 6.419 contrastive 5.684 global_negative 0.565 local_negative 0.171"
    with plain_streams(), progress.bar("encode images and captions", 12_000) as bar:
        bar.advance(4000, figures)
        time.sleep(0.2)
        bar.advance(4000, figures + ATTACKS["clear"])
        print("a library's line", file=sys.stderr)
    text = shown.getvalue()
    assert "\x1b[2K" in text  # the line before is taken away
    assert "\\x1b[2K" not in text
    assert "a library's line" in text
    lines = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= 80
    assert any("8000/12000" in line and "eta" in line for line in lines)
    assert any(line.strip().startswith("27 img/s | loss 6.419") for line in lines)
    assert "local_negative" in text
    assert "\\x1b[2J" in text.replace("\n", "")  # of others, it is text


def test_a_library_bar_may_redraw_its_line_and_nothing_more() -> None:
    out = io.StringIO()
    stream = Plain(out)
    stream.write("\r50 %")
    stream.write("a\rb")
    assert out.getvalue() == "\r50 %a\\rb"
    assert stream.isatty() is False


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    found = capsys.readouterr()
    assert plain(found.out + found.err) == found.out + found.err
    assert "Traceback" not in found.err
    return int(stopped.value.code or 0), found.err


def test_a_path_with_escapes_is_named_without_them(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, error = failed(capsys, "report", str(tmp_path / "\x1b[2J\x1b]0;x\x07.json"), "--out", str(tmp_path))
    assert status == 2
    assert "\\x1b[2J" in error
    status, error = failed(capsys, "train", "clip", "--set", "\x1b[31m=1")
    assert status == 2
    status, error = failed(capsys, "nosuch\x1b[2J")
    assert status == 2


def test_labels_in_results_reach_the_table_as_text(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    subset = {"part": "composition", "accuracy": 50.0, "n": 2, "missing": 0, "hits": {"n": 2, "values": [0, 1]}}
    task = {"subsets": {"[/]\x1b[2Js": {**subset, "rows": "x"}}, "score": 50.0, "rule": "r", "weights": {}}
    results = {"schema": 1, "label": "a[/]b\x1b[2J", "model": {}, "tasks": {"[red]t": task}, "summary": {"comp": 50.0}}
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    with pytest.raises(SystemExit) as stopped:
        main(["report", str(path), "--out", str(tmp_path / "out")])
    found = capsys.readouterr()
    assert stopped.value.code == 0, found.err
    assert "a[/]b\\x1b[2J" in found.out
    assert "\x1b" not in found.out


def test_deep_json_and_endless_numbers_are_one_line(tmp_path: Path) -> None:
    for name, text in {"deep": "[" * 100_000, "deep objects": '{"a":' * 100_000, "number": "9" * 5000}.items():
        with pytest.raises(ValueError):
            parse_json(text)
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(InputError, match=name):
            read_json(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_json(tmp_path)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("compoclip.io.sync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_text(tmp_path / "a.json", "x")
    assert caught.value.filename == str(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (OSError(5, "Input/output error", "photo.jpg"), 1, "photo.jpg: Input/output error"),
        (PermissionError(13, "Permission denied", "a", None, "b"), 1, "a -> b: Permission denied"),
        (OSError(28, "No space left on device"), 1, "No space left on device; run again with --debug"),
        (RecursionError(), 2, "nested more deeply"),
        (KeyboardInterrupt(), 130, "stopped"),
        (InputError("row 3\x1b[2J"), 2, "row 3\\x1b[2J"),
    ],
)
def test_what_ends_a_command_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, message: str
) -> None:
    def fail(what: str) -> list[str]:
        raise error

    monkeypatch.setattr("compoclip.listing.listing", fail)
    found = failed(capsys, "ls", "recipes")
    assert found[0] == status
    assert message in found[1]
    assert found[1].startswith("compoclip: error: ")
    assert found[1].count("\n") == 1


def test_ctrl_c_says_that_the_command_was_stopped(tmp_path: Path) -> None:
    code = (
        "import compoclip.listing, sys, time\n"
        "def slow(what):\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "compoclip.listing.listing = slow\n"
        "from compoclip.cli import main\nmain(['ls'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a background shell ignores it
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert error.strip().startswith("compoclip: error: stopped")
    assert "\n" not in error.strip()


def test_bars_that_run_at_one_time_share_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from compoclip import progress

    screen = io.StringIO()
    monkeypatch.setattr(progress, "console", progress.Console(file=screen, force_terminal=True, width=100))
    with progress.bar("first", 2) as one, progress.bar("second", 3) as two:
        assert one._rich is two._rich
        one.advance(2)
        two.advance(1)
    assert progress.Bar._shared is None
    assert "first" in screen.getvalue()
    assert "1/3" in screen.getvalue()
    with progress.bar("third", 1) as three:
        assert three._rich is not one._rich


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_breaks_sentences_between_words_and_no_path(terminal: bool) -> None:
    path = "/a/folder/with-a-name/of-its-own/" * 3
    text = f"fitted to the data: batch_size 32 (default 256): 160 training samples make 5 batches; see {path}"
    out = io.StringIO()
    progress.show(Console(file=out, force_terminal=terminal, width=40, color_system=None), text)
    lines = out.getvalue().splitlines()
    assert " ".join(line.strip() for line in lines) == text
    assert len(lines) == (4 if terminal else 1)
    assert all(len(line) <= 40 or line.strip() == path for line in lines) == terminal


def test_a_command_to_copy_keeps_within_80_columns_and_a_shell_reads_it_as_one() -> None:
    words = ["compoclip", "train", "fsc-clip", "--data", "my photos/captions.csv", "--negatives", "n" * 90, "--resume"]
    lines = progress.command(*words).splitlines()
    assert lines[0].startswith("Next: compoclip train fsc-clip --data 'my photos/captions.csv'")
    assert all(len(line) <= 80 or "n" * 90 in line for line in lines)
    read = subprocess.run(
        ["sh", "-c", "printf '%s\\n' " + "\n".join(lines).removeprefix("Next: ")], capture_output=True
    )
    assert read.stdout.decode().splitlines() == words
    assert progress.command("compoclip", "runs", before="") == "compoclip runs"
