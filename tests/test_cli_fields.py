"""Options made from a settings model: what the command receives, and what its help says."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import BaseModel, Field, model_validator
from typer.testing import CliRunner

from compoclip.cli import training
from compoclip.cli.fields import flags_of, options_of, settings_of
from compoclip.config import BuildConfig, EvalConfig, Settings, TrainConfig
from compoclip.errors import InputError
from compoclip.negatives.build import build


class Made(BaseModel):
    size: int = Field(7, description="things at once")
    rate: float | None = Field(None, description="share of them")
    way: Literal["left", "right"] = Field("left", description="where to go")
    quiet: bool = Field(False, description="say nothing")
    every: int | str = Field("10m", description="how often")
    hidden: str = "no flag"


@pytest.fixture
def called() -> tuple[typer.Typer, list[dict[str, Any]]]:
    app, calls = typer.Typer(rich_markup_mode=None), []
    flags = {name: f"--{name}" for name in ("size", "rate", "way", "quiet", "every")} | {"size": "--how-many"}

    @app.command()
    @options_of(Made, flags, words=("size",))
    def run(
        name: Annotated[str, typer.Argument(help="A name.")],
        more: Annotated[int, typer.Option(help="Its own option.")] = 1,
        **fields: Any,
    ) -> None:
        """What it does."""
        calls.append({"name": name, "more": more, **fields})

    return app, calls


def test_what_is_not_given_is_none_and_what_is_has_its_type(called: tuple[typer.Typer, list[dict[str, Any]]]) -> None:
    app, calls = called
    assert CliRunner().invoke(app, ["x"]).exit_code == 0
    line = ["x", "--how-many", "auto", "--rate", "0.5", "--way", "right", "--quiet", "--every", "3", "--more", "2"]
    assert CliRunner().invoke(app, line).exit_code == 0
    none = dict.fromkeys(("size", "rate", "way", "quiet", "every"))
    assert calls == [
        {"name": "x", "more": 1, **none},
        {"name": "x", "more": 2, "size": "auto", "rate": 0.5, "way": "right", "quiet": True, "every": "3"},
    ]
    assert CliRunner().invoke(app, ["x", "--rate", "much"]).exit_code == 2
    assert CliRunner().invoke(app, ["x", "--hidden", "a"]).exit_code == 2


def test_the_help_has_descriptions_defaults_and_choices(called: tuple[typer.Typer, list[dict[str, Any]]]) -> None:
    said = " ".join(CliRunner().invoke(called[0], ["--help"]).output.split())
    said = said.replace(" TEXT ", " <str> ").replace(" FLOAT ", " <float> ").replace(" [left|right] ", " left|right ")
    for text in (
        "What it does.",
        "--how-many <str> Things at once (default 7).",
        "--rate <float> Share of them.",
        "--way left|right Where to go (default left).",
        "--quiet Say nothing.",
    ):
        assert text in said


class Pair(Settings):
    low: int = Field(1, ge=1, description="the lower")
    high: int | Literal["auto"] = Field(2, description="the higher")
    on: bool = Field(True, description="at all")

    @model_validator(mode="after")
    def _fits_together(self) -> Pair:
        if self.high != "auto" and self.low > self.high:
            raise ValueError("`low` is above `high`")
        return self


@pytest.mark.parametrize(
    ("given", "library", "program"),
    [
        ({"low": 0}, "low: Input should be greater", "--low: Input should be greater .* [(]given 0[)]"),
        ({"low": 5}, "low is above high", "--low is above --high"),
        ({"high": "x"}, "high: Input should be .*[(]given 'x'[)]", "--high: Input should be"),
        ({"middle": 3}, "middle: Extra inputs", "middle: Extra inputs"),
    ],
)
def test_the_library_names_settings_and_the_program_flags(given: dict[str, Any], library: str, program: str) -> None:
    flags = flags_of(Pair)
    assert flags == {"low": "--low", "high": "--high", "on": "--on/--no-on"}
    with pytest.raises(InputError, match=f"^{library}"):
        Pair(**given)
    with pytest.raises(InputError, match=f"^{program}"):
        settings_of(Pair, flags, given)
    assert settings_of(Pair, flags, {"low": None, "on": False}) == Pair(on=False)


def test_the_defaults_of_build_are_those_of_its_settings() -> None:
    parameters = inspect.signature(build).parameters
    for name, info in BuildConfig.model_fields.items():
        assert parameters[name].default == info.default, name


@pytest.mark.parametrize("model", [TrainConfig, BuildConfig, EvalConfig])
def test_every_setting_says_what_it_is(model: type[BaseModel]) -> None:
    assert [name for name, info in model.model_fields.items() if not info.description] == []


def test_every_flag_of_train_is_a_field() -> None:
    assert set(training.FLAGS) <= set(TrainConfig.model_fields)
