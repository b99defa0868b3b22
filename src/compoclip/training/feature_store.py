"""`feature_cache`: a locked image tower's features on disk, for other runs on the same photos by the same weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from compoclip.data.loader import BatchStream
from compoclip.data.sources import Source
from compoclip.errors import InputError
from compoclip.io import remove_leftovers
from compoclip.locks import exclusive
from compoclip.models import Model
from compoclip.training.identity import photo_sample

PATIENCE = 7 * 24 * 3600.0  # seconds to wait for a process that is computing the very features wanted here


class FeatureStore:
    """The file of some photos' features, with patches or without; the process that writes has it to itself."""

    def __init__(self, stem: Path) -> None:
        self.stem = stem

    @classmethod
    @contextmanager
    def opened(
        cls, folder: str | None, model: Model, stream: BatchStream, indices: Sequence[int], project: bool, writes: bool
    ) -> Iterator[FeatureStore | None]:
        """The store of the photos `indices` of `stream.source`, as it reads them, by `model`; None without a folder.

        Its name is a hash of weights, preprocessing, photos and of what is kept, so a photo that has changed under its
        name is another photo. Photos are known by place, size and time of change of their files, and some by bytes.
        """
        if folder is None:
            yield None
            return
        source, key = stream.source, hashlib.sha256()
        for name, value in sorted(model.clip.visual.state_dict().items()):
            key.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        key.update(f"{model.config['preprocess_cfg']}{source.fingerprint}{project}".encode())
        key.update(_photos(source, indices).encode() + f"{stream.collator.least or ''}".encode())
        stem = Path(folder) / key.hexdigest()[:24]
        if not writes:
            yield cls(stem)
            return
        with exclusive(stem.with_suffix(".lock"), f"{stem}: another process is computing these features", PATIENCE):
            remove_leftovers(stem.parent, f"{stem.name}*")
            yield cls(stem)

    def path(self, dense: bool) -> Path:
        return self.stem.with_name(f"{self.stem.name}{'-patches' if dense else ''}.safetensors")

    def find(self, dense: bool) -> Path | None:
        """The file that is there; one with patches does where none are needed."""
        return next((path for path in (self.path(dense), self.path(True)) if path.exists()), None)


def _photos(source: Source, indices: Sequence[int]) -> str:
    digest = hashlib.sha256(photo_sample(source).encode())
    for index in indices:
        sample = source[index]
        try:
            state = sample.image.stamp or sample.image.content_hash()
        except InputError:
            state = "unreadable"
        digest.update(f"{sample.image_id}\0{sample.image.key}\0{state}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
