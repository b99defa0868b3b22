"""Options made from a settings model: what the command receives, and what its help says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
import typer
from pydantic import BaseModel, Field
from typer.testing import CliRunner

from compoclip.cli import training
from compoclip.cli.fields import options_of
from compoclip.config import TrainConfig


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
    for text in (
        "What it does.",
        "--how-many <str> Things at once (7, or the recipe's).",
        "--rate <float> Share of them.",
        "--way left|right Where to go (left, or the recipe's).",
        "--quiet Say nothing.",
    ):
        assert text in said


def test_every_flag_of_train_is_a_field_that_says_what_it_is() -> None:
    assert set(training.FLAGS) <= set(TrainConfig.model_fields)
    assert [name for name, info in TrainConfig.model_fields.items() if not info.description] == []
