"""Run directories side by side: what is read of whole, unfinished and broken ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from rich.console import Console

from compoclip.cli import main
from compoclip.errors import InputError
from compoclip.report.runs import differing, draw_curves, read_runs, runs_table, settings_table


def made(folder: Path, settings: dict[str, Any], losses: list[float], tuned: dict[str, Any] | None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"output_dir": str(folder), "model": "tiny", **settings}))
    lines = [json.dumps({"step": step, "loss": loss}) for step, loss in enumerate(losses, 1)]
    (folder / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 99, "lo']))  # a line cut short by a kill
    (folder / "results-base.json").write_text(json.dumps({"summary": {"comp": 50.0, "zeroshot": 60.0}}))
    if tuned is not None:
        (folder / "results.json").write_text(json.dumps({"summary": tuned}))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    whole = {"comp": 61.25, "zeroshot": 58.5, "i2t": None}
    settings = {"recipe": "negclip", "lr": 1e-5, "seed": 0, "pretrained": "openai", "track": []}
    made(tmp_path / "a", settings, [3.0, 2.5], whole)
    made(tmp_path / "b", {"recipe": "fsc-clip", "lr": 1e-5, "seed": 0, "lora_rank": 4}, [3.0], None)
    made(tmp_path / "c[1]", {"recipe": "clip", "lr": 1e-5, "seed": 0}, [], None)
    return tmp_path


def text_of(table: Any) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def test_runs_are_found_read_and_compared(folder: Path) -> None:
    runs = read_runs([folder])
    assert [run.path.name for run in runs] == ["a", "b", "c[1]"]
    assert [run.state for run in runs] == ["finished", "at step 1", "no step yet"]
    assert [len(run.steps) for run in runs] == [2, 1, 0]
    assert differing(runs) == {
        "recipe": ["negclip", "fsc-clip", "clip"],
        "pretrained": ["openai", None, None],
        "lora_rank": [None, 4, None],
    }  # not track: empty, it is what runs of a version without it had
    shown = text_of(runs_table(runs))
    for part in ("61.2", "+11.2", "58.5", "-1.5", "2.500", "c[1]"):
        assert part in shown
    assert "tiny:openai" not in text_of(runs_table(runs))
    assert "lora_rank" in text_of(settings_table(runs))
    assert settings_table(runs[:1]) is None
    assert [run.path.name for run in read_runs([folder / "b", folder / "a", folder / "b"])] == ["b", "a"]


def test_curves_are_drawn(folder: Path) -> None:
    draw_curves(read_runs([folder]), folder / "curves.png")
    with Image.open(folder / "curves.png") as picture:
        assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 10
    with pytest.raises(InputError, match="logged a step"):
        draw_curves(read_runs([folder / "c[1]"]), folder / "none.png")
    with pytest.raises(InputError, match=r"\.png"):
        draw_curves(read_runs([folder]), folder / "curves.gif")


def test_what_is_no_run_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty"):
        read_runs([tmp_path / "empty"])
    (folder / "a" / "config.yaml").write_text("a: [")
    with pytest.raises(InputError, match=r"config\.yaml"):
        read_runs([folder])


def test_the_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, wanted in ((["runs", str(folder)], "fsc-clip"), (["env"], "open_clip_torch")):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 0
        assert wanted in capsys.readouterr().out
