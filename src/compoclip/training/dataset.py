"""The data of a run: what is trained on, what is held out, and the hard negatives of its captions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from compoclip.config import TrainConfig
from compoclip.data.loader import BatchStream
from compoclip.data.sources import Source, open_source
from compoclip.data.sources.builtin import WorldSource
from compoclip.errors import InputError
from compoclip.evaluation.task import Task
from compoclip.models import Model
from compoclip.models.image_tower import Pooled
from compoclip.training.frozen import FrozenImages
from compoclip.training.heldout import heldout_task, split


@dataclass
class TrainBatch:
    """One batch as the loop takes it; `number` counts batches within the epoch."""

    images: Tensor | Pooled
    captions: list[str]
    negatives: list[list[str]]
    image_id: Tensor
    number: int


class TrainData:
    """Batches of a run, in an order that depends on (seed, epoch) alone."""

    def __init__(self, config: TrainConfig, stream: BatchStream, heldout: Task | None) -> None:
        self.config, self.stream, self.heldout = config, stream, heldout
        self._frozen: FrozenImages | None = None
        self._device = torch.device("cpu")

    @classmethod
    def open(cls, config: TrainConfig, model: Model, needs: frozenset[str]) -> TrainData:
        """Open the source, hold some of it back, and find the negatives of its captions.

        Raises InputError where an objective needs negatives and none are given.
        """
        if not config.data:
            raise InputError("no training data: give --data (a table, webdataset tars, a folder, or `world`)")
        whole: Source
        if config.data == "world":
            whole = WorldSource(config.seed, config.world_scenes)
        else:
            whole = open_source(config.data, config.image_root, config.image_key, config.caption_key, config.split)
        source, kept = split(whole, config.held_out)
        wants = "negatives" in needs and config.negatives_per_caption > 0
        negatives = negatives_of(config, whole) if wants else {}
        if wants and not negatives and source[0].negatives is None:
            raise InputError(
                "this objective needs hard negatives: build them (compoclip negatives build) and give --negatives DIR, "
                "or give --negatives generate"
            )
        stream = BatchStream(
            source,
            batch_size=config.batch_size,
            seed=config.seed,
            preprocess=model.preprocess,
            negatives_per_caption=config.negatives_per_caption if wants else 0,
            negatives=negatives or None,
            workers=config.workers,
            caption=config.captions,
            cache_gib=0.0 if config.lock_image else config.cache_gib,
            load_images=not config.lock_image,
        )
        return cls(config, stream, heldout_task(kept, negatives) if kept is not None else None)

    def prepare(self, model: Model, dense: bool) -> None:
        """Compute what a frozen image tower gives, once; or find it in `feature_cache`."""
        if not self.config.lock_image:
            return
        self._device = model.device  # kept features go where the projection and the losses are
        project = not self.config.unlock_image_head
        files = self._kept_features(model, project)
        for with_patches in (True, False):
            if files and files[with_patches].exists() and (with_patches or not dense):
                self._frozen = FrozenImages.read(files[with_patches], project, dense)
                return
        count = len(self.stream.source)
        self._frozen = FrozenImages.build(model, self.stream.all_images(), count, dense, project)
        if files and not self.stream.broken:
            self._frozen.write(files[dense])

    def _kept_features(self, model: Model, project: bool) -> dict[bool, Path]:
        """Where features of these images by these weights are kept, with patches (True) and without."""
        if self.config.feature_cache is None:
            return {}
        weights = hashlib.sha256()
        for name, value in sorted(model.clip.visual.state_dict().items()):
            weights.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        key = f"{weights.hexdigest()}{model.config['preprocess_cfg']}{self.stream.source.fingerprint}{project}"
        stem = hashlib.sha256(key.encode()).hexdigest()[:24]
        folder = Path(self.config.feature_cache)
        return {True: folder / f"{stem}-patches.safetensors", False: folder / f"{stem}.safetensors"}

    def batches(self, epoch: int, start: int) -> Iterator[TrainBatch]:
        """Batches `start` and on of an epoch."""
        frozen = self._frozen
        for number, batch in enumerate(self.stream.epoch(epoch, start), start):
            images = batch.images if frozen is None else frozen.take(batch.indices, self._device)
            place = {name: i for i, name in enumerate(dict.fromkeys(batch.image_ids))}
            image_id = torch.tensor([place[name] for name in batch.image_ids])
            yield TrainBatch(images, batch.captions, batch.negatives, image_id, number)


def negatives_of(config: TrainConfig, source: Source) -> Mapping[str, Sequence[str]]:
    """Negatives by caption: from a folder of `negatives build`, or made now from the captions."""
    from compoclip.negatives import generate, read_negatives

    if config.negatives is None:
        return {}
    if config.negatives != "generate":
        kinds = set(config.negative_kinds)
        if not Path(config.negatives).is_dir():
            raise InputError(
                f"{config.negatives}: no such folder; give one that `negatives build` wrote, or `generate`"
            )
        found: dict[str, list[str]] = {}
        for caption, rows in read_negatives(config.negatives).values():
            own = [row.text for row in rows if not kinds or row.kind in kinds] or [row.text for row in rows]
            if own:
                found[caption] = own
        return found
    if not config.negative_kinds:
        raise InputError("--negatives generate needs kinds: --set 'negative_kinds=[swap-nouns, replace-nouns]'")
    captions: list[str] = []
    others: list[list[str]] = []
    for index in range(len(source)):
        of_image = source.captions(index)
        captions += of_image
        others += [[c for c in of_image if c != caption] for caption in of_image]
    made = generate(captions, list(config.negative_kinds), 2 * config.negatives_per_caption, config.seed, others=others)
    return {caption: [row.text for row in rows] for caption, rows in zip(captions, made) if rows}
