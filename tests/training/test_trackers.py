"""Experiment trackers: asked for by name, told the run's figures, and never the end of a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from compoclip.config import resolve
from compoclip.errors import InputError, RunError
from compoclip.training.runlog import RunLog
from compoclip.training.trackers import require

VALUES = {"loss": 2.0, "contrastive": 2.0, "samples_per_second": 9.0}


class FakeRun:
    def __init__(self) -> None:
        self.told: list[tuple[int, dict[str, float]]] = []
        self.ended: dict[str, Any] | None = None

    def log(self, values: dict[str, float], step: int) -> None:
        if step == 13:
            raise ConnectionError("no route\nto host")
        self.told.append((step, values))

    def finish(self, **how: Any) -> None:
        self.ended = how


@pytest.fixture(params=["wandb", "trackio"])
def fake(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the service's name with its `init`; `begun` holds what each call was given and the run it made."""
    module: Any = ModuleType(request.param)
    module.begun = []

    def init(**given: Any) -> FakeRun:
        run = FakeRun()
        module.begun.append((given, run))
        return run

    module.init = init
    monkeypatch.setitem(sys.modules, request.param, module)
    monkeypatch.delenv(f"{request.param.upper()}_PROJECT", raising=False)
    return module


def test_a_service_gets_the_figures_of_the_log_under_one_name_over_a_resume(fake: Any, tmp_path: Path) -> None:
    for start, steps in ((0, (1, 2)), (2, (3,)), (0, (1,))):
        with RunLog(tmp_path, 3, start, [fake.__name__], {"lr": 0.5}) as log:
            for step in steps:
                log.step(step, VALUES, True)
            log.figures(steps[-1], {"world": 50.0})
    (first, run), (second, gone_on), (third, _) = fake.begun
    assert first == second  # the same project, run and directory: the service goes on
    assert first != third  # a fresh start in the same directory is another run
    assert first["project"] == "compoclip"
    assert first["config"] == {"lr": 0.5}
    assert tmp_path.name in first["name"]
    wanted = {f"train/{name}": value for name, value in VALUES.items()}
    assert run.told == [(1, wanted), (2, wanted), (2, {"eval/world": 50.0})]
    assert gone_on.told == [(3, wanted), (3, {"eval/world": 50.0})]
    assert run.ended == ({"exit_code": 0} if fake.__name__ == "wandb" else {})


def test_a_service_that_fails_is_told_once_and_the_run_goes_on(
    fake: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunLog(tmp_path, 20, 0, [fake.__name__]) as log:
        for step in (12, 13, 14):
            log.step(step, VALUES, True)
    told = [line for line in capsys.readouterr().err.splitlines() if "no more curves" in line]
    assert told == [f"warning: no more curves for {fake.__name__} (no route to host)"]
    assert [step for step, _ in fake.begun[0][1].told] == [12]
    assert [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [12, 13, 14]


def test_a_service_that_cannot_be_started_ends_the_run_in_one_line(fake: Any, tmp_path: Path) -> None:
    def init(**given: Any) -> FakeRun:
        raise OSError("no API key\nconfigured")

    fake.init = init
    with pytest.raises(RunError, match=f"{fake.__name__} cannot be started: no API key configured") as caught:
        RunLog(tmp_path, 20, 0, [fake.__name__])
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["wandb", "trackio", "tensorboard"])
def test_one_that_is_missing_is_named_with_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard" if name == "tensorboard" else name, None)
    with pytest.raises(InputError, match=rf"pip install 'compoclip\[{name}\]'"):
        require([name])


def test_nothing_is_tracked_unasked_and_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with RunLog(tmp_path, 1, 0) as log:
        log.step(1, VALUES, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.jsonl"]
    with pytest.raises(InputError, match="track"):
        resolve("clip", {"track": ["mlflow"], "data": "world"})


def test_tensorboard_and_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard")
    from compoclip.cli import main

    given: dict[str, Any] = {}
    monkeypatch.setattr("compoclip.training.train", lambda config, **_: given.update(config.model_dump()) or tmp_path)
    monkeypatch.setattr("compoclip.report.ending.after_training", lambda run: [])
    with pytest.raises(SystemExit) as ended:
        main(["train", "clip", "--data", "world", "--model", "tiny", "--track", "tensorboard,wandb"])
    assert ended.value.code == 0
    assert given["track"] == ("tensorboard", "wandb")
    with RunLog(tmp_path, 1, 0, ["tensorboard"]) as log:
        log.step(1, VALUES, True)
    assert any(path.stat().st_size for path in (tmp_path / "tensorboard").iterdir())
