"""What makes a run the run it is: its settings, its data and its machine, kept in every checkpoint.

A resumed run is the run that was stopped only if these are the same. Settings and data that differ are refused, each
by name; another machine is said, because sums there may differ in their last bits.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from compoclip import __version__
from compoclip.config import MAY_CHANGE, TrainConfig
from compoclip.data.sources import Source
from compoclip.errors import InputError
from compoclip.progress import console, show
from compoclip.training.checkpoint import read_state
from compoclip.training.run_directory import PATHS

PHOTOS = 256  # photos whose bytes are looked at, evenly spaced; all of them in a set that has no more
WHAT = {
    "captions": "the captions or images of the data (ids, texts, their order, or negatives that come with them)",
    "photos": "photos (other bytes under the same names)",
    "negatives": "the folder of hard negatives",
}


def identity(config: TrainConfig, data: Source, negatives: str | None, device: torch.device) -> dict[str, Any]:
    """Settings, fingerprints and machine of a run, as JSON values. negatives: fingerprint of the hard negatives."""
    settings = config.model_dump(mode="json", exclude=set(PATHS) | set(MAY_CHANGE) | {"output_dir"})
    return {
        "settings": settings,
        "data": {"captions": data.fingerprint, "photos": photo_sample(data), "negatives": negatives},
        "machine": {
            "threads": torch.get_num_threads(),
            "device": device.type,
            "torch": torch.__version__,
            "compoclip": __version__,
        },
    }


def photo_sample(source: Source, most: int = PHOTOS) -> str:
    """Hash of the bytes of up to `most` photos, evenly spaced; an unreadable one counts as such."""
    digest = hashlib.sha256()
    count = len(source)
    for number in range(min(count, most)):
        sample = source[number * count // min(count, most)]
        try:
            digest.update(sample.image.content_hash().encode())
        except InputError:
            digest.update(b"unreadable")
    return digest.hexdigest()


def refuse_other(where: Path, now: dict[str, Any]) -> None:
    """Compare the identity in the checkpoint at `where` with the run's.

    Raises InputError naming every setting and every part of the data that differs; says what differs of the machine.
    """
    stored = read_state(where).get("identity") or {}
    then, here = stored.get("settings", {}), now["settings"]
    changed = [f"{key} ({then[key]} then, {here[key]} now)" for key in then if key in here and then[key] != here[key]]
    if changed:
        raise InputError(
            f"{where}: belongs to a run with other settings: {', '.join(changed)}; set them back, or start a new run"
        )
    parts = [WHAT[key] for key, value in stored.get("data", {}).items() if now["data"].get(key) != value]
    if parts:
        raise InputError(
            f"{where}: the data has changed since the run was started: {'; '.join(parts)}; bring back what the run was "
            "started with, or start a new run"
        )
    other = [
        f"{key} {value} then, {now['machine'].get(key)} now"
        for key, value in stored.get("machine", {}).items()
        if now["machine"].get(key) != value
    ]
    if other:
        hint = "; set OMP_NUM_THREADS to what it was" if any(text.startswith("threads") for text in other) else ""
        show(
            console,
            f"warning: resumed on another machine or version ({', '.join(other)}): the result may differ in its last "
            f"bits from that of a run that was never stopped{hint}",
        )
