"""Settings of a build of negatives."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from compoclip.config.settings import Settings

__all__ = ["BuildConfig"]


class BuildConfig(Settings):
    """What `compoclip.negatives.build.build` is told, beside its input, its folder and the language model."""

    kinds: tuple[str, ...] = Field(("degla",), description="kinds or bundles, comma-separated (compoclip ls negatives)")
    per_caption: int = Field(4, ge=1, description="negatives a caption, at most")
    workers: int = Field(1, ge=1, description="processes")
    seed: int = Field(0, description="seed")
    epoch: int = Field(0, description="another epoch gives other negatives")
    epochs: int | None = Field(
        None, ge=1, description="as many builds, in OUT/epoch-0, ...; training takes them in turn"
    )
    caption_key: str | None = Field(None, description="column of captions")
    image_key: str | None = Field(None, description="column of images, by which captions of one are known")
    split: str | None = Field(None, description="rows of this split only")
    vocabulary: Literal["auto", "captions", "everyday"] = Field(
        "auto",
        description="words for replacements: the captions' own, everyday ones, or their own from 300 captions on",
    )
    parser: str | None = Field(None, description="model of spaCy, by name or path")
    balance: bool = Field(False, description="keep a subset that a text-only model cannot tell from true captions")
    text_only: bool = Field(False, description="score each negative by how surely text alone tells it from captions")
    units: bool = Field(False, description="also the captions' units (noun phrases, relations) with foils")
    into_tars: Path | None = Field(
        None, description="folder for copies of the input tars with KEY.negatives.json members"
    )
    engine: Literal["local", "ray"] = Field("local", description="processes of this machine, or a Ray cluster")
    ray_address: str | None = Field(None, description="Ray cluster; else RAY_ADDRESS, else one started for the build")
    shard_size: int = Field(4096, ge=1, description="captions a file, and what is lost at most when a worker is killed")
    resume: bool = Field(False, description="go on with a build that was stopped")

    @model_validator(mode="after")
    def _fits_together(self) -> BuildConfig:
        if self.epochs is not None and self.into_tars is not None:
            raise ValueError("tars hold the negatives of one epoch; leave out `epochs` or `into_tars`")
        if self.units and (self.balance or self.into_tars is not None):
            raise ValueError("units go with a plain build: leave out `balance` and `into_tars`")
        if self.text_only and self.balance:
            raise ValueError(
                "a balanced build contains what text alone does not tell: leave out `balance` or `text_only`"
            )
        return self
