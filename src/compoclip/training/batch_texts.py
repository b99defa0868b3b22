"""The distinct texts of a batch as token ids, packed by their common beginnings: made where the batch is made."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from compoclip.config import TrainConfig
from compoclip.data.extras import Extras
from compoclip.losses.objective import Objective
from compoclip.models import Model
from compoclip.models.packing import Packed, bucketed
from compoclip.models.text_tower import packing
from compoclip.training.extra_texts import texts_in


@dataclass(frozen=True)
class Texts:
    """The distinct texts of a batch as token ids (N, L), and where its captions and negatives are among them.

    place: where each text is; of_caption (B,); of_negative (B, K) and negative_mask (B, K), None where no term needs
    negatives. packed: the ids with common beginnings once; None where the tower takes them as they are.
    """

    place: dict[str, int]
    ids: Tensor
    of_caption: Tensor
    of_negative: Tensor | None
    negative_mask: Tensor | None
    packed: Packed | None = None

    def to(self, device: torch.device) -> Texts:
        def moved(value: Tensor) -> Tensor:
            return value.to(device, non_blocking=True)

        return replace(
            self,
            ids=moved(self.ids),
            of_caption=moved(self.of_caption),
            of_negative=None if self.of_negative is None else moved(self.of_negative),
            negative_mask=None if self.negative_mask is None else moved(self.negative_mask),
            packed=None if self.packed is None else Packed(*map(moved, self.packed)),
        )


def batch_texts(
    tokenize: Callable[[Sequence[str]], Tensor],
    captions: Sequence[str],
    negatives: Sequence[Sequence[str]],
    per_caption: int,
    needs: frozenset[str],
    extras: Sequence[Extras] = (),
    clip: Any = None,
) -> Texts:
    """Tokenise a batch, on the CPU. A missing negative, and one that equals its caption after tokenising, is masked.

    tokenize: texts -> ids (N, L). clip: pack the texts for this model's text tower, where it takes them so.
    """
    chosen = [list(row)[:per_caption] for row in negatives] if "negatives" in needs else [[] for _ in captions]
    texts = list(dict.fromkeys([*captions, *(text for row in chosen for text in row), *texts_in(extras)]))
    place = {text: i for i, text in enumerate(texts)}
    ids = tokenize(texts)
    packed = None if clip is None else packing(clip, ids)
    of_caption = torch.tensor([place[c] for c in captions], dtype=torch.long)
    if "negatives" not in needs:
        return Texts(place, ids, of_caption, None, None, packed)
    return Texts(place, ids, of_caption, *_negative_index(chosen, per_caption, place, ids, of_caption), packed)


def _negative_index(
    chosen: list[list[str]], per_caption: int, place: dict[str, int], ids: Tensor, of_caption: Tensor
) -> tuple[Tensor, Tensor]:
    """Where each negative's text is (B, K), and which are there. Empty places point at text 0 and are masked."""
    index = torch.zeros(len(chosen), per_caption, dtype=torch.long)
    mask = torch.zeros(len(chosen), per_caption, dtype=torch.bool)
    for row, texts in enumerate(chosen):
        for column, text in enumerate(texts):
            index[row, column] = place[text]
            mask[row, column] = True
    same = (ids[index] == ids[of_caption][:, None]).all(dim=-1)
    return index, mask & ~same


@dataclass(frozen=True)
class TextPlan:
    """Makes the texts of a batch for the parts that it is taken in: a list of variants for each part.

    variants: what the passes over a part need, each once; `matching` picks between them. part: rows of a part, None
    for all. packs: whether the text tower takes them packed; buckets: in few different shapes.
    """

    model: Model
    per_caption: int
    variants: tuple[frozenset[str], ...]
    part: int | None
    packs: bool
    buckets: bool = False

    @classmethod
    def of(cls, goal: Objective, config: TrainConfig, model: Model) -> TextPlan:
        """What a run's `backward` asks for: with micro-batches, terms over the batch have a first pass of their own."""
        part, passes = config.micro_batch, [goal]
        if part is not None and part < config.rows:
            passes += [wide for wide in goal.split()[:1] if wide.weights]
        needs = {"negatives" in one.needs: one.needs for one in passes}
        return cls(
            model, config.negatives_per_caption, tuple(needs.values()), part, not config.lock_text, config.compile
        )

    @property
    def travels(self) -> bool:
        """Whether loader processes can be given it: they are forked, so that it need not be pickled."""
        return multiprocessing.get_start_method() == "fork"

    def __call__(
        self, captions: Sequence[str], negatives: Sequence[Sequence[str]], extras: Sequence[Extras]
    ) -> list[list[Texts]]:
        keep = get_worker_info() is None  # a worker ends with its epoch, and what it remembers with it
        tokenize = self.model.tokenize if keep else self.model.token_ids
        clip = self.model.clip if self.packs else None
        size = self.part or len(captions)
        out = []
        for start in range(0, len(captions), size):
            span = slice(start, start + size)
            rows = captions[span], negatives[span], self.per_caption
            out.append([batch_texts(tokenize, *rows, needs, extras[span], clip) for needs in self.variants])
        return [[self._shaped(texts) for texts in part] for part in out]

    def _shaped(self, texts: Texts) -> Texts:
        return replace(texts, packed=bucketed(texts.packed)) if self.buckets and texts.packed is not None else texts


def matching(prepared: Sequence[Texts], needs: frozenset[str]) -> Texts | None:
    """That of the variants that a pass with these needs reads; None where there is none."""
    return next((one for one in prepared if (one.of_negative is not None) == ("negatives" in needs)), None)
