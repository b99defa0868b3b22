"""The run directory: whose it is, what it contains, and where its configuration says that things lie.

`output_dir` is the run. Nothing is read from or written to another place that its `config.yaml` names as the run, so a
copied, moved or renamed run goes on where it is now. Paths inside it are stored relative to it (`./negatives`), all
others absolute.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compoclip.config import TrainConfig, read_config
from compoclip.errors import InputError, RunError
from compoclip.io import write_json
from compoclip.locks import LOCK, exclusive
from compoclip.progress import console
from compoclip.training.checkpoint import checkpoints

CONFIG = "config.yaml"
START = (  # what a start writes
    *("config.yaml", "env.json", "metrics.jsonl", "tensorboard", "tracker-id", "wandb"),
    *("results-base.json", "results-base.samples.jsonl"),
)
PATHS = ("data", "image_root", "negatives", "model", "pretrained", "feature_cache", "eval_data_root")
NAMED = ("model", "pretrained")  # settings that may be the name of a model instead of a path
NAMES = ("world", "generate", "tiny")  # values of these settings that are never paths
GRACE = 6.0  # seconds: workers of a killed process notice within five that it is gone


class RunDirectory:
    """A run directory that this process has to itself."""

    def __init__(self, path: Path) -> None:
        self.path, self.checkpoints = path, path / "checkpoints"

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def begin(self, config: TrainConfig, environment: dict[str, Any]) -> None:
        """Write down what is run. Called when all that can be wrong with the input has been looked at."""
        stored = portable(config, self.path)
        if not (self / CONFIG).exists() or read_config(self / CONFIG) != stored:
            stored.write(self / CONFIG)
        if not (self / "env.json").exists():
            write_json(self / "env.json", environment)

    def check_there(self) -> None:
        """Raises RunError where the directory has vanished under the run; writing on would make half of one."""
        if not (self / CONFIG).is_file():
            raise RunError(f"{self.path}: the run directory is gone or was replaced; bring it back and use --resume")


@contextmanager
def open_run(path: Path, resume: bool) -> Iterator[RunDirectory]:
    """Take the directory for this process, clear away what a killed one left, and refuse what cannot be gone on with.

    A start that stored no checkpoint may be made again, with any settings.
    Raises InputError for a run that is there already, for nothing to resume, and while another process trains here.
    """
    stored = path / CONFIG
    if resume and not stored.exists():
        raise InputError(f"{path}: nothing to resume here (no {CONFIG})")
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: is a file; --output-dir names a folder")
    made = next((p for p in (path, *path.parents) if p.parent.exists()), path) if not path.exists() else None
    try:
        with exclusive(path / LOCK, f"{path}: another process is training here; let it end, or stop it", GRACE):
            run = RunDirectory(path)
            if stored.exists() and not resume:
                _clear_start(run)
            _clear_leftovers(run)
            yield run
    except BaseException:
        if made is not None and not stored.exists():
            _remove_empty(path, made)
        raise


def _clear_start(run: RunDirectory) -> None:
    if checkpoints(run.checkpoints) or (run / "export").exists():
        raise InputError(
            f"{run.path}: a run is here already; add --resume to go on with it, or choose another --output-dir"
        )
    console.print(f"{run.path}: replacing a start that stored no checkpoint", markup=False)
    for name in START:
        _remove(run / name)


def _clear_leftovers(run: RunDirectory) -> None:
    """Temporary files and folders of processes that were killed; nobody else writes here now."""
    found = [p for p in run.path.glob(".*") if p.name.endswith(".tmp") or p.name.startswith(".export")]
    for left in (*found, *run.checkpoints.glob(".*")):
        _remove(left)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(path: Path, made: Path) -> None:
    """Take away the folders that were made for a start that failed, as far as nothing is in them."""
    try:
        (path / LOCK).unlink(missing_ok=True)
        while True:
            path.rmdir()
            if path == made:
                return
            path = path.parent
    except OSError:
        return


def read_run(path: Path) -> TrainConfig:
    """The configuration of the run in directory `path`, wherever that was when it was written.

    Raises InputError where no run is there.
    """
    if not (path / CONFIG).exists():
        raise InputError(f"{path}: nothing to resume here (no {CONFIG})")
    config = read_config(path / CONFIG)
    inside = {
        key: str(path / value)
        for key in PATHS
        if isinstance(value := getattr(config, key), str) and value.startswith(("./", "../"))
    }
    return config.model_copy(update={**inside, "output_dir": str(path)})


def absolute(config: TrainConfig) -> TrainConfig:
    """The configuration with every path absolute, so that no change of folder matters."""
    return _with_paths(config, os.path.abspath)


def portable(config: TrainConfig, run: Path) -> TrainConfig:
    """The configuration as it is stored: paths in the run relative to it, others absolute."""
    root = os.path.abspath(run)

    def stored(path: str) -> str:
        full = os.path.abspath(path)
        return "." + full[len(root) :] if full.startswith(root + os.sep) else full

    return _with_paths(config, stored).model_copy(update={"output_dir": "."})


def _with_paths(config: TrainConfig, change: Callable[[str], str]) -> TrainConfig:
    changed = {}
    for key in PATHS:
        value = getattr(config, key)
        if isinstance(value, str):
            parts = value.split("::")
            changed[key] = "::".join(change(part) if _is_path(key, part) else part for part in parts)
    return config.model_copy(update=changed)


def _is_path(key: str, value: str) -> bool:
    """Whether a setting's value is a place on this machine, not a name, an address or a command."""
    if value in NAMES or not value or "://" in value or value.startswith(("pipe:", "stream:")):
        return False
    return key not in NAMED or os.path.isabs(value) or os.path.exists(value)
