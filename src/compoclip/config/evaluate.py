"""Settings of a measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from compoclip.config.settings import Settings

__all__ = ["EvalConfig"]


class EvalConfig(Settings):
    """What `compoclip eval` is told, beside the model."""

    tasks: str = Field("world", description="names of tasks, comma-separated, or all; heldout with --run")
    run: Path | None = Field(None, description="run directory whose held-out images the task `heldout` asks about")
    data_root: Path | None = Field(None, description="folder of the tasks' data")
    output_path: Path | None = Field(None, description="where to write results.json")
    limit: int | None = Field(None, ge=1, description="at most this many rows a subset")
    log_samples: bool = Field(False, description="write every row with its scores")
    activation: Literal["gelu", "quickgelu"] | None = Field(None, description="needed for a weights file")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:N, ...")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="of numbers inside the model; scores are fp32")
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        64, description="images encoded at once, or auto: as memory allows"
    )
    cache_dir: Path | None = Field(None, description="folder that keeps features for later calls")
    save_features: Path | None = Field(None, description="write features (.npz, .safetensors, .parquet)")
    ties: str | None = Field(None, description="tie rule in place of each benchmark's own")
    controls: bool = Field(True, description="text-only controls beside composition scores")
    rotate: bool = Field(False, description="turn benchmarks' photos by their EXIF tag, which official code does not")

    @model_validator(mode="after")
    def _fits_together(self) -> EvalConfig:
        if self.log_samples and self.output_path is None:
            raise ValueError("`log_samples` needs `output_path` to write the rows beside")
        return self
