"""The first hour: a folder of a few photos, the recipe's defaults, and what is said about fitting them."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from compoclip.cli import main
from compoclip.config import TrainConfig, resolve
from compoclip.data.sources.builtin import WorldSource
from compoclip.errors import Interrupted
from compoclip.training import train
from compoclip.training.checkpoint import Clock, checkpoints
from compoclip.training.fitting import fitted_to_data
from compoclip.training.heldout import split
from compoclip.training.heldout_run import heldout_of_run


def photos(folder: Path, count: int) -> Path:
    """A user's folder: pictures and a table of captions."""
    (folder / "images").mkdir(parents=True)
    rows = ["image\tcaption"]
    for number, sample in enumerate(WorldSource(0, count)):
        sample.image.load().save(folder / "images" / f"{number:03d}.png")
        rows.append(f"{number:03d}.png\t{sample.captions[0]}")
    (folder / "captions.tsv").write_text("\n".join(rows) + "\n")
    return folder


class Set(WorldSource):
    """As many scenes as are said, of which none is drawn."""

    def __init__(self, count: int) -> None:
        super().__init__(0, 1)
        self.count = count

    def __len__(self) -> int:
        return self.count

    def captions(self, index: int) -> tuple[str, ...]:
        return ("a red square",)


def told(capsys: pytest.CaptureFixture[str], config: TrainConfig, given: set[str], images: int) -> tuple:
    fitted = fitted_to_data(config, given, Set(images))
    lines = capsys.readouterr().err.splitlines()
    return fitted, {line.split(":")[1].split()[0]: line for line in lines if line.startswith("fitted")}, lines


@pytest.mark.parametrize(("images", "held", "batch"), [(60, 12, 16), (200, 40, 32), (800, 100, 128), (4096, 100, 256)])
def test_defaults_fit_the_data_and_each_change_is_a_line(capsys, images, held, batch) -> None:
    config, lines, _ = told(capsys, resolve("fsc-clip", {}), set(), images)
    assert (config.held_out, config.batch_size) == (held, batch)
    steps = config.epochs * ((images - held) // batch)
    assert steps >= 100
    assert config.warmup * 5 <= steps
    before = resolve("fsc-clip", {})
    changed = {
        name
        for name in ("held_out", "batch_size", "epochs", "warmup")
        if getattr(config, name) != getattr(before, name)
    }
    assert changed == set(lines)
    assert fitted_to_data(config, set(), Set(images)) == config  # what fits is left alone


def test_a_set_of_the_published_size_keeps_the_published_settings(capsys) -> None:
    for recipe in ("fsc-clip", "degla", "negclip", "clip"):
        before = resolve(recipe, {})
        config, _, lines = told(capsys, before, set(), 14_000)
        assert config == before
        assert lines == []


def test_what_was_asked_for_stays_and_is_said_where_it_cannot_work(capsys) -> None:
    asked = {"batch_size": 20, "epochs": 2, "steps": 40, "warmup": 50, "held_out": 0.1}
    config, lines, said = told(capsys, resolve("fsc-clip", asked), set(asked), 200)
    assert {name: getattr(config, name) for name in asked} == asked
    assert not lines
    assert any("end after 18 steps, before the 40" in line for line in said)
    assert any("warm-up of 50 steps" in line for line in said)


def test_a_distillation_weight_follows_the_fitted_batch(capsys) -> None:
    before = resolve("degla", {})
    config, _, _ = told(capsys, before, set(), 200)
    assert config.weights["distillation"] == pytest.approx(before.weights["distillation"] * before.batch_size / 32)


def test_a_number_of_images_is_held_out_exactly_and_grows_with_the_set() -> None:
    source = WorldSource(0, 50)
    rest, kept = split(source, 10)
    assert kept is not None
    names = {kept[i].image_id for i in range(len(kept))}
    assert len(names) == 10
    assert len(rest) == 40
    assert not names & {rest[i].image_id for i in range(len(rest))}
    more = split(source, 12)[1]
    assert more is not None
    assert names < {more[i].image_id for i in range(len(more))}


@pytest.fixture(scope="module")
def sixty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty photos taken through negatives and training as the README says."""
    folder = photos(tmp_path_factory.mktemp("sixty"), 60)
    program("negatives", "build", folder / "captions.tsv", "--out", folder / "negatives", "--kinds", "fsc-clip")
    program("train", "negclip", *flags(folder), "--steps", "7", "--output-dir", folder / "run")
    return folder


def flags(folder: Path) -> list:
    data = ["--data", folder / "captions.tsv", "--image-root", folder / "images", "--negatives", folder / "negatives"]
    return [*data, "--model", "tiny", "--device", "cpu"]


def program(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(a) for a in arguments])
    assert ended.value.code == 0


def test_seven_steps_are_seven_and_something_is_held_out(sixty: Path) -> None:
    lines = (sixty / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 7
    entry = json.loads((sixty / "run" / "results.json").read_text())["tasks"]["heldout"]
    kinds = {name: subset["n"] for name, subset in entry["subsets"].items()}
    assert kinds["retrieval/i2t"] == 12
    assert {"swap-adjectives", "replace-adjectives"} <= set(kinds)  # also kinds that negclip does not train on


def test_training_ends_with_what_was_gained_and_the_next_command(sixty: Path, capsys) -> None:
    program("train", "--resume", "--output-dir", sixty / "run")  # nothing is left to do: it says the same again
    out = capsys.readouterr().out
    assert "question" in out
    assert "all pairs" in out
    assert "image → text R@1" in out
    lines = out.replace("\\\n", " ").splitlines()  # a long command goes on in the next line, as a shell takes it
    command = next(line for line in lines if line.startswith("Next: compoclip report"))
    program(*command.removeprefix("Next: compoclip ").split())
    page = (sixty / "run" / "report" / "report.html").read_text()
    assert ">base<" in page
    assert ">negclip<" in page
    assert max(map(len, out.split("The model:")[0].splitlines())) <= 100


def test_the_held_out_photos_are_a_task_that_is_measured_again(sixty: Path, tmp_path: Path, capsys) -> None:
    run = sixty / "run"
    program("eval", run, "--tasks", "heldout", "--run", run, "--output-path", tmp_path / "again.json")
    assert "all pairs" in capsys.readouterr().out
    again, stored = (json.loads(p.read_text()) for p in (tmp_path / "again.json", run / "results.json"))
    assert again["tasks"]["heldout"]["subsets"] == stored["tasks"]["heldout"]["subsets"]
    with pytest.raises(SystemExit):
        main(["eval", "tiny", "--tasks", "heldout"])
    assert "--run DIR" in capsys.readouterr().err


def test_blends_are_swept_on_the_held_out_rows(sixty: Path, tmp_path: Path) -> None:
    from compoclip.blending import sweep_to

    run = sixty / "run"
    facts = sweep_to("tiny", str(run), "heldout", None, tmp_path / "out", alphas=(0.0, 1.0), run=run)
    stored = [json.loads((run / name).read_text())["summary"] for name in ("results-base.json", "results.json")]
    for row, summary in zip(facts["blends"], stored):
        assert row["summary"]["comp"] == pytest.approx(summary["comp"], abs=1e-6)
    assert facts["rule"] == "best mean of composition and retrieval"
    assert (tmp_path / "out" / "sweep.png").is_file()


def test_plain_contrast_is_measured_on_the_same_rows(sixty: Path, tmp_path: Path) -> None:
    program("train", "clip", *flags(sixty), "--steps", "1", "--output-dir", tmp_path / "plain")
    rows = [
        {name: subset["rows"] for name, subset in json.loads(path.read_text())["tasks"]["heldout"]["subsets"].items()}
        for path in (sixty / "run" / "results.json", tmp_path / "plain" / "results.json")
    ]
    assert rows[0] == rows[1]
    assert heldout_of_run(tmp_path / "plain").size == "12 images"


def test_control_c_saves_says_how_to_go_on_and_the_run_goes_on(tmp_path: Path, monkeypatch) -> None:
    from compoclip.training.optim import learning_rate

    def schedule(step: int, *rest: float) -> float:
        if step == 2 and not (tmp_path / "asked").exists():
            (tmp_path / "asked").touch()
            signal.raise_signal(signal.SIGINT)
        return learning_rate(step, *rest)

    settings = {"model": "tiny", "pretrained": None, "data": "world", "world_scenes": 40, "held_out": 0.0,
                "batch_size": 8, "epochs": 9, "steps": 5, "warmup": 1, "device": "cpu"}  # fmt: skip
    config = resolve("clip", {**settings, "output_dir": str(tmp_path / "run")})
    whole = train(resolve("clip", {**settings, "output_dir": str(tmp_path / "whole")}))
    monkeypatch.setattr("compoclip.training.loop.learning_rate", schedule)
    before = signal.getsignal(signal.SIGINT)  # ignored where a script runs the tests in the background
    with pytest.raises(Interrupted, match=r"step 3 by Ctrl-C, .* compoclip train --resume --output-dir") as stopped:
        train(config)
    assert stopped.value.status == 130
    assert [path.name for path in checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000003"]
    train(config, resume=True)
    weights = [(run / "export" / "open_clip_model.safetensors").read_bytes() for run in (whole, tmp_path / "run")]
    assert weights[0] == weights[1]
    assert signal.getsignal(signal.SIGINT) is before


def test_checkpoints_by_the_clock(monkeypatch) -> None:
    assert TrainConfig(checkpoint_every="10m").checkpoint_seconds == 600
    assert resolve("clip", {"checkpoint_every": "1.5h"}).checkpoint_seconds == 5400
    with pytest.raises(ValueError, match="checkpoint_every"):
        resolve("clip", {"checkpoint_every": "soon"})
    now = iter([0.0, 5.0, 11.0, 12.0, 21.5])
    monkeypatch.setattr("compoclip.training.checkpoint.time.monotonic", lambda: next(now))
    clock = Clock("10s", 10.0)
    assert [clock.due(step) for step in range(1, 5)] == [False, True, False, True]
    monkeypatch.undo()
    assert [Clock(3, None).due(step) for step in (2, 3, 4, 6)] == [False, True, False, True]
    assert not Clock(0, None).due(500)
