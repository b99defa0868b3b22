"""Stages that several long commands go through (`reproduce`, `compare`), each skipped where its product is there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from compoclip.config import TrainConfig
from compoclip.errors import InputError
from compoclip.io import read_json, write_json, write_text
from compoclip.progress import console, show


def announce(text: str) -> None:
    """The name of a stage, on standard error."""
    show(console, text, "bold")


def claim(folder: Path, note: str, mine: dict[str, Any], what: str) -> None:
    """Write down in `folder/note` what the folder is for, or see that it is for the same.

    Raises InputError where it contains something else; `what` says what that is.
    """
    path = folder / note
    if not path.exists():
        write_json(path, mine)
    elif read_json(path) != mine:
        raise InputError(f"{folder}: contains {what.format(**read_json(path))}; name another --out")


def build_negatives(
    config: TrainConfig,
    out: Path,
    kinds: Sequence[str],
    per_caption: int,
    epochs: int | None = None,
    units: bool = False,
) -> None:
    """Build negatives of the captions that `config` trains on into `out`; an unfinished build goes on."""
    from compoclip.data.sources.builtin import WorldSource
    from compoclip.negatives.build import build

    source = config.data
    if source == "world":
        scenes = WorldSource(config.seed, config.world_scenes, config.world_broad, config.world_fours)
        captions = [f"{scene.image_id}\t{text}" for scene in scenes for text in scene.captions]
        source = str(out.parent / "captions.tsv")
        write_text(source, "image\tcaption\n" + "\n".join(captions) + "\n")
    announce("negatives")
    build(
        source,
        out,
        list(kinds),
        per_caption,
        seed=config.seed,
        resume=out.is_dir() and any(out.iterdir()),
        caption_key=config.caption_key,
        image_key=config.image_key,
        split=config.split,
        epochs=epochs,
        units=units,
    )


def trained(config: TrainConfig, given: Collection[str] | None = None) -> Path:
    """The run directory of `config`, trained; one that was stopped goes on, with the settings it stored."""
    from compoclip.training import train
    from compoclip.training.resume import resumed_config

    run = Path(config.output_dir)
    announce(f"train: {config.recipe}, seed {config.seed}")
    if (run / "config.yaml").exists():  # the folder's note says whose it is; the run knows its settings
        return Path(train(resumed_config(run, "", {}), resume=True))
    return Path(train(config, given=given))
