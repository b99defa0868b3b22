"""Runs as directories: copied, moved, changed under the run, taken by two processes, started again after a failure."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from compoclip.cli import main
from compoclip.config import TrainConfig, resolve
from compoclip.errors import InputError, RunError, Stopped
from compoclip.locks import LOCK, exclusive
from compoclip.training import run_directory, train
from compoclip.training.checkpoint import checkpoints
from compoclip.training.run_directory import read_run
from compoclip.training.stopping import StopRequest

COLOURS = ("red", "green", "blue", "white", "black", "yellow", "pink", "grey")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """24 photos of one colour each, with captions."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = ["image\tcaption"]
    for number in range(24):
        colour = COLOURS[number % len(COLOURS)]
        Image.new("RGB", (32, 32), (number * 10, 255 - number * 10, number * 5)).save(folder / f"{number:02d}.png")
        rows.append(f"{number:02d}.png\ta {colour} square number {number}")
    (folder / "captions.tsv").write_text("\n".join(rows) + "\n")
    return folder / "captions.tsv"


def config(table: Path, out: Path, **changes: object) -> TrainConfig:
    values = {
        "model": "tiny", "pretrained": None, "data": str(table), "held_out": 0.0, "batch_size": 8, "epochs": 50,
        "steps": 2, "lr": 1e-3, "warmup": 1, "device": "cpu", "checkpoint_every": 1, "log_every": 1,
    }  # fmt: skip
    return resolve("clip", {**values, "output_dir": str(out), **changes})


def weights(run: Path) -> bytes:
    return (run / "export" / "open_clip_model.safetensors").read_bytes()


def files(run: Path) -> dict[str, tuple[bytes, int]]:
    found = (path for path in sorted(run.rglob("*")) if path.is_file() and path.name != LOCK)
    return {str(path.relative_to(run)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def program(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0), capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("how", ["copied", "moved"])
def test_a_copied_or_moved_run_goes_on_where_it_is(table: Path, tmp_path: Path, capsys, monkeypatch, how: str) -> None:
    whole = weights(train(config(table, tmp_path / "whole", steps=3)))
    monkeypatch.chdir(tmp_path)
    run = train(config(Path("data/captions.tsv"), Path("a"), steps=3))
    for checkpoint in checkpoints(run / "checkpoints")[1:]:
        shutil.rmtree(checkpoint)  # as if it had been stopped there
    before = files(run)
    (shutil.copytree if how == "copied" else shutil.move)(run, "elsewhere/b" if how == "moved" else "b")
    other = tmp_path / ("elsewhere/b" if how == "moved" else "b")
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")  # paths must not depend on where the program is started
    status, error = program(capsys, "train", "--resume", "--output-dir", str(other))
    assert status == 0, error
    assert weights(other) == whole
    assert [p.name for p in checkpoints(other / "checkpoints")][-1] == "step-00000003"
    if how == "copied":
        assert files(tmp_path / "a") == before
    else:
        assert not (tmp_path / "a").exists()
    assert read_run(other).output_dir == str(other)


def test_steps_in_the_copy_s_configuration_count(table: Path, tmp_path: Path, capsys) -> None:
    run = train(config(table, tmp_path / "a"))
    before = files(run)
    shutil.copytree(run, tmp_path / "b")
    stored = yaml.safe_load((tmp_path / "b" / "config.yaml").read_text())
    (tmp_path / "b" / "config.yaml").write_text(yaml.safe_dump(stored | {"steps": 3}))
    status, error = program(capsys, "train", "--resume", "--output-dir", str(tmp_path / "b"))
    assert status == 0, error
    assert len((tmp_path / "b" / "metrics.jsonl").read_text().splitlines()) == 3
    assert files(run) == before


def test_another_run_under_the_old_name_is_not_touched(table: Path, tmp_path: Path) -> None:
    run = train(config(table, tmp_path / "run"))
    os.rename(run, tmp_path / "renamed")
    train(config(table, tmp_path / "run", seed=1))
    before = files(tmp_path / "run")
    train(read_run(tmp_path / "renamed").model_copy(update={"steps": 3}), resume=True)
    assert files(tmp_path / "run") == before
    assert checkpoints(tmp_path / "renamed" / "checkpoints")[-1].name == "step-00000003"


def test_what_lies_in_the_run_is_stored_relative_to_it(table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(table.parent, run / "data")
    train(config(run / "data" / "captions.tsv", run))
    stored = yaml.safe_load((run / "config.yaml").read_text())
    assert (stored["data"], stored["output_dir"]) == ("./data/captions.tsv", ".")
    shutil.rmtree(table.parent)
    os.rename(run, tmp_path / "moved")
    moved = read_run(tmp_path / "moved")
    assert moved.data == str(tmp_path / "moved" / "data" / "captions.tsv")
    train(moved.model_copy(update={"steps": 3}), resume=True)


def test_flags_that_differ_are_refused_by_name(table: Path, tmp_path: Path, capsys) -> None:
    run = train(config(table, tmp_path / "run"))
    before = files(run)
    resume = ("train", "--resume", "--output-dir", str(run))
    status, error = program(capsys, *resume, "--batch-size", "4", "--data", "nonexistent.tsv")
    assert status == 2
    assert "batch_size 4 (the run's: 8)" in error
    assert "data nonexistent.tsv" in error
    for flags, word in (
        (("--set", "weights={contrastive: 2}"), "weights"),
        (("--set", "focal_gamma=1"), "focal_gamma"),
        (("--set", "contrastive=0.5"), "contrastive"),
        (("--lock-text",), "lock_text"),
        (("--set", "no_such=1"), "no_such"),
    ):
        status, error = program(capsys, *resume, *flags)
        assert (status, word in error) == (2, True), error
    status, error = program(capsys, "train", "fsc-clip", *resume[1:])
    assert status == 2
    assert "recipe fsc-clip (the run's: clip)" in error
    assert files(run) == before


def test_what_may_change_takes_effect_and_the_same_again_is_no_change(table: Path, tmp_path: Path, capsys) -> None:
    run = train(config(table, tmp_path / "run"))
    flags = ("--batch-size", "8", "--data", str(table), "--lr", "1e-3", "--steps", "3", "--set", "workers=1")
    status, error = program(capsys, "train", "clip", "--resume", "--output-dir", str(run), *flags)
    assert status == 0, error
    assert "steps is 3 from here on (was 2)" in error
    assert (read_run(run).steps, read_run(run).workers) == (3, 1)
    assert checkpoints(run / "checkpoints")[-1].name == "step-00000003"
    status, error = program(capsys, "train", "--resume", "--output-dir", str(run), "--steps", "1")
    assert status == 2
    assert "3 steps already" in error


def _captions(table: Path) -> None:
    table.write_text(table.read_text().replace("number 7", "number seven"))


def _photo(table: Path) -> None:
    Image.new("RGB", (32, 32), (1, 2, 3)).save(table.parent / "07.png")


def _row(table: Path) -> None:
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")


@pytest.mark.parametrize(("change", "words"), [(_captions, "captions"), (_photo, "photos"), (_row, "captions")])
def test_changed_data_is_refused(table: Path, tmp_path: Path, change, words: str) -> None:
    chosen = config(table, tmp_path / "run")
    train(chosen)
    change(table)
    with pytest.raises(InputError, match=f"the data has changed.*{words}"):
        train(chosen.model_copy(update={"steps": 3}), resume=True)


def test_changed_negatives_and_settings_are_refused(table: Path, tmp_path: Path) -> None:
    from compoclip.negatives.build import build

    folder = tmp_path / "negatives"
    build(table, folder, ["swap-nouns", "replace-adjectives"], 2)
    chosen = config(table, tmp_path / "run", objective="negclip", negatives_per_caption=2, negatives=str(folder))
    train(chosen)
    with pytest.raises(InputError, match=r"other settings: batch_size \(8 then, 4 now\), lr"):
        train(chosen.model_copy(update={"steps": 3, "batch_size": 4, "lr": 1e-4}), resume=True)
    shutil.move(folder, tmp_path / "elsewhere")  # the same under another name is the same
    moved = chosen.model_copy(update={"steps": 3, "negatives": str(tmp_path / "elsewhere")})
    train(moved, resume=True)
    shutil.rmtree(tmp_path / "elsewhere")
    build(table, tmp_path / "elsewhere", ["replace-adjectives"], 1)
    with pytest.raises(InputError, match="folder of hard negatives"):
        train(moved.model_copy(update={"steps": 4}), resume=True)


def test_two_processes_do_not_share_a_run(table: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(run_directory, "GRACE", 0.0)
    run = tmp_path / "run"
    with (
        exclusive(run / LOCK, "taken"),
        pytest.raises(InputError, match="another process is training here"),
    ):
        train(config(table, run))
    train(config(table, run))


def test_a_failed_start_leaves_nothing_in_the_way(table: Path, tmp_path: Path, capsys) -> None:
    run = tmp_path / "deep" / "run"
    with pytest.raises(InputError, match="nowhere"):
        train(config(Path("nowhere.tsv"), run))
    assert not (tmp_path / "deep").exists()
    with pytest.raises(InputError, match="no-such-task"):
        train(config(table, run, eval_tasks=["no-such-task"]))
    train(config(table, run))
    assert "replacing a start that stored no checkpoint" in capsys.readouterr().err
    with pytest.raises(InputError, match="--resume"):
        train(config(table, run))


def test_what_a_kill_left_is_cleared_at_the_next_start(table: Path, tmp_path: Path) -> None:
    run = train(config(table, tmp_path / "run"))
    for name in (".metrics.jsonl.4194999.tmp", ".export.abc", "checkpoints/.step-00000003.tmp", "checkpoints/.x.old"):
        (run / name).mkdir()
        (run / name / "model.safetensors").write_bytes(b"half")
    train(read_run(run), resume=True)
    left = [path.name for path in run.rglob(".*") if path.name != LOCK]
    assert left == []


def test_a_damaged_checkpoint_names_the_one_before(table: Path, tmp_path: Path) -> None:
    chosen = config(table, tmp_path / "run")
    run = train(chosen)
    whole = weights(run)
    newest = checkpoints(run / "checkpoints")[-1]
    for name in ("model.safetensors", "state.json"):
        content = (newest / name).read_bytes()
        (newest / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(InputError, match=r"step-00000002: is damaged .* goes on from step-00000001"):
            train(chosen, resume=True)
        (newest / name).write_bytes(content)
    shutil.rmtree(newest)
    train(chosen, resume=True)
    assert weights(run) == whole


def test_a_vanished_directory_and_a_full_disk_end_the_run_in_one_line(table: Path, tmp_path: Path, monkeypatch) -> None:
    run = tmp_path / "run"

    def vanish(step: int, *rest: float) -> float:
        if step == 1:
            shutil.rmtree(run)
        return 1e-3

    with monkeypatch.context() as patch:
        patch.setattr("compoclip.training.loop.learning_rate", vanish)
        with pytest.raises(RunError, match="gone or was replaced"):
            train(config(table, run, steps=3))
    assert not (run / "checkpoints").exists()


def test_sigterm_writes_a_checkpoint_and_says_resume(table: Path, tmp_path: Path, monkeypatch) -> None:
    whole = weights(train(config(table, tmp_path / "whole", steps=4)))
    chosen = config(table, tmp_path / "run", steps=4, checkpoint_every=0)
    from compoclip.training.optim import learning_rate

    def terminated(step: int, *rest: float) -> float:
        if step == 1:
            os.kill(os.getpid(), 15)
        return learning_rate(step, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("compoclip.training.loop.learning_rate", terminated)
        with pytest.raises(Stopped, match=r"at step 2 by SIGTERM, checkpoint written; go on with: .* train --resume"):
            train(chosen)
    assert Stopped.status == 75
    assert [p.name for p in checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000002"]
    assert weights(train(chosen, resume=True)) == whole
    with pytest.raises(Stopped):
        StopRequest()(15, None)  # before any step there is nothing to save


def test_an_update_that_is_not_finite_is_never_kept(table: Path, tmp_path: Path, monkeypatch) -> None:
    chosen = config(table, tmp_path / "run", steps=4, keep_checkpoints=1)
    from compoclip.training import loop

    real = torch.nn.utils.clip_grad_norm_

    def poisoned(parameters, *rest):
        parameters = list(parameters)
        if len(checkpoints(tmp_path / "run" / "checkpoints")) and poisoned.on:  # type: ignore[attr-defined]
            parameters[0].grad[0] = float("nan")
        return real(parameters, *rest)

    poisoned.on = True  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(loop.torch.nn.utils, "clip_grad_norm_", poisoned)
        with pytest.raises(RunError, match=r"step 1: the gradient is not finite \(\S+\) for samples \d\d\.png, "):
            train(chosen)
    assert [p.name for p in checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000001"]
    assert not (tmp_path / "run" / "export").exists()
    train(chosen, resume=True)
    with pytest.raises(InputError, match="lr"):
        config(table, tmp_path / "other", lr=float("inf"))


def test_another_number_of_threads_is_said(table: Path, tmp_path: Path, capsys) -> None:
    run = train(config(table, tmp_path / "run"))
    state = checkpoints(run / "checkpoints")[-1] / "state.json"
    stored = json.loads(state.read_text())
    stored["identity"]["machine"]["threads"] = 77
    state.write_text(json.dumps(stored))
    train(config(table, tmp_path / "run"), resume=True)
    assert "threads 77 then" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("workers", [0, 1])
def test_two_steps_decode_two_batches(table: Path, tmp_path: Path, monkeypatch, workers: int) -> None:
    seen = tmp_path / "seen"
    from compoclip.data.images import FileImage

    real = FileImage.load

    def load(self, *how):
        with seen.open("a") as handle:
            handle.write(f"{self.path}\n")
        return real(self, *how)

    monkeypatch.setattr(FileImage, "load", load)
    train(config(table, tmp_path / "run", epochs=500, workers=workers))
    assert len(seen.read_text().splitlines()) == 16
    seen.unlink()
    train(config(table, tmp_path / "locked", epochs=500, workers=workers, lock_image=True))
    assert len(seen.read_text().splitlines()) == 16


def test_changed_photos_get_new_features(table: Path, tmp_path: Path) -> None:
    cached = {"lock_image": True, "feature_cache": str(tmp_path / "features")}
    first = weights(train(config(table, tmp_path / "first", **cached)))
    for number in range(24):
        Image.new("RGB", (32, 32), (255 - number * 10, number * 3, 90)).save(table.parent / f"{number:02d}.png")
    fresh = weights(train(config(table, tmp_path / "fresh", lock_image=True)))
    assert fresh != first
    assert weights(train(config(table, tmp_path / "cached", **cached))) == fresh
