"""A run's data as a whole, and what it holds out as a task that can be measured again, by any model."""

from __future__ import annotations

from pathlib import Path

from compoclip.config import TrainConfig
from compoclip.data.remote import is_stream
from compoclip.data.sources import Source, open_source
from compoclip.data.sources.builtin import WorldSource
from compoclip.errors import InputError
from compoclip.evaluation.task import Task
from compoclip.progress import say
from compoclip.training.heldout import heldout_task, split
from compoclip.training.negatives import RunNegatives, negatives_to_measure
from compoclip.training.run_directory import read_run


def open_whole(config: TrainConfig) -> Source | None:
    """All of a run's data; None for a stream, which has no end. Raises InputError where no data is named."""
    if not config.data:
        raise InputError("no training data: give --data (a table, webdataset tars, a folder, or `world`)")
    if is_stream(config.data):
        return None
    whole: Source
    if config.data == "world":
        whole = WorldSource(config.seed, config.world_scenes, config.world_broad, config.world_fours)
    else:
        whole = open_source(config.data, config.image_root, config.image_key, config.caption_key, config.split)
    say(f"data: {whole.name}: {whole.report}")
    return whole


def task_of(config: TrainConfig, whole: Source, kept: Source | None, found: RunNegatives | None) -> Task | None:
    """The task of what a run keeps back (`kept`), with the negatives that its captions are set against."""
    if kept is None:
        return None
    negatives = negatives_to_measure(config, whole, found)
    return heldout_task(kept, {} if negatives is None else negatives.of_part(kept))


def heldout_of_run(path: Path) -> Task:
    """The held-out images of the run in directory `path` as a task, to measure any model on the rows that the run was
    measured on. Raises InputError where no run is there, its data is not, or it held nothing out.

    >>> evaluate("ViT-B-32:openai", (), extra=[heldout_of_run(Path("runs/fsc"))])  # doctest: +SKIP
    """
    config = read_run(path)
    whole = open_whole(config)
    kept = None if whole is None else split(whole, config.held_out)[1]
    if whole is None or kept is None:
        raise InputError(
            f"{path}: this run held no images out (held_out {config.held_out:g}), so there is no such task"
        )
    task = task_of(config, whole, kept, None)
    assert task is not None
    return task


def with_heldout(tasks: str, run: Path | None) -> tuple[list[str], list[Task]]:
    """Names of benchmarks, and the held-out task of `run` where `heldout` is among the comma-separated names.

    Raises InputError where one of both is asked for without the other.
    """
    names = [name.strip() for name in tasks.split(",")]
    if ("heldout" in names) != (run is not None):
        raise InputError("the task heldout and --run DIR, the run whose held-out images it asks about, go together")
    return [name for name in names if name != "heldout"], [heldout_of_run(run)] if run is not None else []
