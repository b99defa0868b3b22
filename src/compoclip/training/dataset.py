"""The data of a run: what is trained on, what is held out, and the hard negatives of its captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from compoclip.config import TrainConfig
from compoclip.data.extras import NOTHING, Extras, Wanted
from compoclip.data.loader import BatchStream
from compoclip.data.order import digest
from compoclip.data.pixels import least_side
from compoclip.data.sources import Source
from compoclip.data.sources.rows import Options
from compoclip.data.tar_stream import TarStream
from compoclip.data.tokens import context_length, is_cut
from compoclip.distributed import ALONE, Ranks
from compoclip.errors import InputError
from compoclip.evaluation.task import Task
from compoclip.models import Model
from compoclip.models.image_tower import Pooled
from compoclip.progress import say
from compoclip.training.batch_texts import TextPlan, Texts
from compoclip.training.extra_texts import wanted_texts
from compoclip.training.feature_store import FeatureStore
from compoclip.training.frozen import FrozenImages
from compoclip.training.heldout import held_out_account, split
from compoclip.training.heldout_run import open_whole, task_of
from compoclip.training.joined_images import concatenation
from compoclip.training.nearest import bring_alike_together
from compoclip.training.negatives import RunNegatives, negatives_of
from compoclip.training.prefetch import sent_ahead


@dataclass
class TrainBatch:
    """One batch as the loop takes it: this process's rows. `number` counts batches within the epoch."""

    images: Tensor | Pooled
    captions: list[str]
    negatives: list[list[str]]
    image_id: Tensor
    number: int
    names: list[str]  # image ids, for messages
    extras: list[Extras] = field(default_factory=list)
    prepared: list[Texts] = field(default_factory=list)  # of a part, for those of `texts` that are given
    texts: list[list[Texts]] = field(default_factory=list)  # for each part that the batch is taken in
    single: bool = False  # single images between batches of joined ones, for the contrast alone

    def __len__(self) -> int:
        return len(self.captions)

    def parts(self, size: int | None) -> list[TrainBatch]:
        """The batch in parts of at most `size` rows; whole where that is None."""
        size = size or len(self)
        spans = [slice(start, start + size) for start in range(0, len(self), size)]
        parts = [self] if len(spans) == 1 else [self._rows(span) for span in spans]
        ready = self.texts if len(self.texts) == len(parts) else [[] for _ in parts]
        return [replace(part, prepared=texts) for part, texts in zip(parts, ready)]

    def _rows(self, span: slice) -> TrainBatch:
        images = self.images
        if isinstance(images, Pooled):
            tokens = None if images.tokens is None else images.tokens[span]
            part: Tensor | Pooled = images._replace(pooled=images.pooled[span], tokens=tokens)
        else:
            part = images[span]
        texts = self.captions[span], self.negatives[span]
        names, extras = self.names[span], self.extras[span]
        return TrainBatch(part, *texts, self.image_id[span], self.number, names, extras, single=self.single)


class TrainData:
    """Batches of a run, in an order that depends on (seed, epoch) alone."""

    def __init__(
        self,
        config: TrainConfig,
        stream: BatchStream | TarStream,
        heldout: Task | None,
        negatives: RunNegatives | None = None,
        ranks: Ranks = ALONE,
        wanted: Wanted = NOTHING,
    ) -> None:
        self.config, self.stream, self.heldout, self._negatives = config, stream, heldout, negatives
        self.ranks, self.stream.collator.wanted = ranks, wanted
        self._frozen: FrozenImages | None = None
        self._texts: TextPlan | None = None
        self._place: Any = None  # in a stream, behind the batch that was handed out last
        self._device = self._to = torch.device("cpu")

    @classmethod
    def open(
        cls,
        config: TrainConfig,
        model: Model,
        needs: frozenset[str],
        ranks: Ranks = ALONE,
        whole: Source | None = None,
    ) -> TrainData:
        """Hold some of the source back, and find the negatives of its captions.

        whole: what `open_whole` gave, where the data is open already. Raises InputError where an objective needs
        negatives and none are given.
        """
        if config.fit_batch and config.keeps_images:
            raise InputError("a run whose features are kept has no size to fit: give --batch-size with lock_image")
        whole = whole or open_whole(config)
        if whole is None:
            return cls._open_stream(config, model, needs, ranks)
        source, kept = split(whole, config.held_out)
        say(held_out_account(config.held_out, whole, kept))
        wants = "negatives" in needs and config.negatives_per_caption > 0
        wanted = wanted_texts(config, needs)
        joined = concatenation(config, model, needs, source)
        negatives = negatives_of(config, whole, model.tokenizer, wants, wanted)
        first = negatives.of_epoch(0) if negatives is not None else None
        if cut := sum(is_cut(model.tokenizer, caption) for sample in whole for caption in sample.captions):
            are = "caption is" if cut == 1 else "captions are"
            say(f"data: {cut} {are} longer than the text tower's {context_length(model.tokenizer)} tokens: cut")
        stream = BatchStream(
            source,
            batch_size=1 if config.fit_batch else config.batch_size,
            seed=config.seed,
            preprocess=model.preprocess,
            negatives_per_caption=config.negatives_per_caption if wants else 0,
            negatives=first,
            workers=config.workers,
            caption=config.captions,
            cache_gib=0.0 if config.keeps_images else config.cache_gib,
            load_images=not config.keeps_images,
            concatenate=joined,
            rank=ranks.rank,
            world_size=ranks.count,
        )
        stream.collator.least = draft_side(config, model)
        bring_alike_together(config, stream, whole, model, ranks)
        return cls(config, stream, task_of(config, whole, kept, negatives), negatives, ranks, wanted)

    @classmethod
    def _open_stream(cls, config: TrainConfig, model: Model, needs: frozenset[str], ranks: Ranks) -> TrainData:
        """A stream has no end and no index, so nothing of it is held back and no features are kept."""
        if config.hard_images or config.neighbours:
            raise InputError(f"{config.data}: a stream knows no similar images; train without hard_images, neighbours")
        if config.lock_image:
            raise InputError(f"{config.data}: a stream's features are not kept; train without lock_image")
        if config.concatenate:
            raise InputError(f"{config.data}: concatenate needs data that is indexed; a stream has no second image")
        if config.epoch_samples is None:
            raise InputError(
                f"{config.data}: a stream has no length; say what an epoch is: --set epoch_samples=1000000"
            )
        wants = "negatives" in needs and config.negatives_per_caption > 0
        stream = TarStream(
            config.data,
            1 if config.fit_batch else config.batch_size,
            config.seed,
            model.preprocess,
            config.negatives_per_caption if wants else 0,
            config.captions,
            epoch_samples=config.epoch_samples,
            buffer=config.shuffle_buffer,
            workers=config.workers,
            rank=ranks.rank,
            world_size=ranks.count,
            options=Options(caption_key=config.caption_key),
        )
        stream.collator.least = draft_side(config, model)
        wanted = wanted_texts(config, needs)
        negatives = negatives_of(config, stream.source, model.tokenizer, wants, wanted)
        return cls(config, stream, None, negatives, ranks, wanted)

    def place(self) -> list[Any] | None:
        """Where each rank is in its stream; None for data that is indexed, where the batch's number tells."""
        return self.ranks.share(self._place) if isinstance(self.stream, TarStream) else None

    def go_on_from(self, places: list[Any] | None) -> None:
        """Take a stream up where `place` said. Raises InputError for another number of processes."""
        if isinstance(self.stream, TarStream) and places is not None:
            if len(places) != self.ranks.count:
                raise InputError(f"this run reads its stream by {len(places)} processes; resume it with as many")
            self.stream.place = self._place = places[self.ranks.rank]

    def prepare(self, model: Model, dense: bool, steps: int) -> None:
        """Compute what a frozen image tower gives for the run's `steps`, once; or find it in `feature_cache`."""
        if not self.config.keeps_images or isinstance(self.stream, TarStream):
            return
        self._device = model.device  # kept features go where the projection and the losses are
        stream, project = self.stream, not self.config.unlock_image_head
        indices, first = stream.needed(steps), not self.ranks.rank
        with FeatureStore.opened(self.config.feature_cache, model, stream, indices, project, first) as store:
            found = self.ranks.same(None if store is None else store.find(dense))
            if found is not None:
                self._frozen = FrozenImages.read(found, project, dense)
                return
            count = len(stream.source)
            batches = self._images(stream, indices)
            self._frozen = FrozenImages.build(model, batches, count, dense, project, self.ranks, len(indices))
            if store is not None and first and not stream.broken:
                self._frozen.write(store.path(dense))

    def _images(self, stream: BatchStream, indices: list[int]) -> Iterator[tuple[list[int], Tensor]]:
        """Pixels of these images, then of those that stand in for unreadable ones among them."""
        wanted, done = indices, set(indices)
        while wanted:
            yield from stream.images(wanted)
            for found in self.ranks.share(dict(stream.broken)):
                stream.note_broken(found)
            wanted = [index for index in stream.stand_ins(indices) if index not in done]
            done.update(wanted)

    def prepare_texts(self, plan: TextPlan) -> None:
        """Tokenise and pack by this plan: in the loader's processes, where there are any and they can."""
        self._to = plan.model.device
        if self.config.concatenate:  # its batches differ in what they need
            return
        self._texts = plan
        if isinstance(self.stream, BatchStream) and plan.travels:
            self.stream.collator.prepare = plan

    def kept_images(self, indices: Sequence[int]) -> Pooled | None:
        """What `prepare` computed of these images; None where the image tower is trained."""
        return None if self._frozen is None else self._frozen.take(indices, self._device)

    @property
    def negatives_fingerprint(self) -> str | None:
        return None if self._negatives is None else self._negatives.fingerprint()

    def batches(self, epoch: int, start: int, most: int) -> Iterator[TrainBatch]:
        """At most `most` batches of an epoch, from batch `start` on."""
        for batch, place in sent_ahead(self._made(epoch, start, most), self._to):
            self._place = place
            yield batch

    def _made(self, epoch: int, start: int, most: int) -> Iterator[tuple[TrainBatch, Any]]:
        """The batches, and the place in a stream behind each."""
        if self._negatives is not None:
            found = self._negatives.of_epoch(epoch)
            self.stream.collator.negatives = self.stream.collator.units = found
        frozen = self._frozen
        for number, batch in enumerate(self.stream.epoch(epoch, start, start + most), start):
            images = batch.images if frozen is None else frozen.take(batch.indices, self._device)
            # a hash, because the same image may be among the rows of another process
            image_id = torch.tensor([digest(name) >> 1 for name in batch.image_ids])
            texts = batch.captions, batch.negatives
            single = bool(self.config.concatenate) and not batch.partners
            made = batch.prepared or (self._texts(*texts, batch.extras) if self._texts and not single else [])
            names, extras = batch.image_ids, batch.extras
            batch_of_run = TrainBatch(images, *texts, image_id, number, names, extras, texts=made, single=single)
            yield batch_of_run, self.stream.place if isinstance(self.stream, TarStream) else None


def draft_side(config: TrainConfig, model: Model) -> int:
    """Pixels of a JPEG's sides that the run decodes; 0 for all of them."""
    side = least_side(model.preprocess) if config.jpeg_draft else 0
    if config.jpeg_draft:
        told = (
            f"large JPEGs are decoded to at least {side} pixels a side" if side else "no effect, as nothing is resized"
        )
        say(f"jpeg_draft: {told}")
    return side
