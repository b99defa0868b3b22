"""From a batch of images and captions to Features: one pass of each tower, frozen towers from a cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.data.extras import Extras
from compoclip.losses import Features
from compoclip.models import Model
from compoclip.models.device import numbers
from compoclip.models.image_tower import Pooled, image_backbone, image_projection
from compoclip.models.text_tower import TextOutput, encode_ids
from compoclip.training.batch_texts import Texts, batch_texts, matching
from compoclip.training.extra_texts import extra_features
from compoclip.training.frozen import FrozenTexts
from compoclip.training.margins import Margins


class Rows(Protocol):
    """Rows of a batch as the towers take them; see `batch_features`."""

    images: Tensor | Pooled
    captions: list[str]
    negatives: list[list[str]]
    image_id: Tensor
    extras: list[Extras]
    prepared: list[Texts]

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Towers:
    """What turns rows of a batch into features, as a run has it."""

    model: Model
    per_caption: int
    teacher: Any | None = None
    frozen_texts: FrozenTexts | None = None
    precision: str = "fp32"
    margins: Margins | None = None

    def features(self, rows: Rows, needs: frozenset[str]) -> Features:
        with numbers(self.model.device, self.precision):
            found = batch_features(
                self.model,
                rows.images,
                rows.captions,
                rows.negatives,
                self.per_caption,
                needs,
                self.teacher,
                rows.image_id,
                self.frozen_texts,
                rows.extras,
                matching(rows.prepared, needs),
            )
        return found if self.margins is None else replace(found, margins=self.margins.value)

    def with_negatives(self, rows: Rows, needs: frozenset[str]) -> int:
        """How many rows have a negative that counts."""
        found = matching(rows.prepared, needs)
        if found is None:
            found = batch_texts(self.model.tokenize, rows.captions, rows.negatives, self.per_caption, needs)
        mask = found.negative_mask
        return 0 if mask is None else int(mask.any(dim=1).sum())


def batch_features(
    model: Model,
    images: Tensor | Pooled,
    captions: Sequence[str],
    negatives: Sequence[Sequence[str]],
    per_caption: int,
    needs: frozenset[str],
    teacher: Any | None = None,
    image_id: Tensor | None = None,
    frozen_texts: FrozenTexts | None = None,
    extras: Sequence[Extras] = (),
    prepared: Texts | None = None,
) -> Features:
    """Features of one batch.

    images: preprocessed pixels (B, 3, H, W), or backbone features kept by `FrozenImages`. negatives: up to
    `per_caption` (K) strings a caption; a missing one, and one that equals its caption after tokenising, is masked.
    extras: units, phrases and paraphrases of each caption, for terms that need them. prepared: the texts of the batch,
    where they are made already.
    Every distinct image and text is encoded once, and in a causal tower every distinct beginning of a text.
    """
    dense, patches = "tokens" in needs, bool(needs & {"tokens", "image_tokens"})
    device = model.device
    if prepared is None:
        clip = model.clip if frozen_texts is None else None
        prepared = batch_texts(model.tokenize, captions, negatives, per_caption, needs, extras, clip)
    found = prepared.to(device)
    ids, of_caption, of_negative = found.ids, found.of_caption, found.of_negative
    if frozen_texts is not None:
        encoded = frozen_texts.encode(list(found.place), ids)
    else:
        encoded = encode_ids(model.clip, ids, dense, packed=found.packed)

    of_image: slice | list[int] = slice(None)
    if isinstance(images, Tensor):
        if image_id is not None:
            images, of_image = distinct_images(images, image_id)
        images = images.to(device, non_blocking=True)
    backbone = images if isinstance(images, Pooled) else image_backbone(model.clip.visual, images, patches)
    visual = image_projection(model.clip.visual, backbone)

    pooled = F.normalize(encoded.pooled, dim=-1)
    values: dict[str, Tensor | None] = {
        "image": F.normalize(visual.pooled, dim=-1)[of_image],
        "text": pooled[of_caption],
        "image_id": None if image_id is None else image_id.to(device),
    }
    if extras:
        values |= extra_features(extras, found.place, ids, of_caption, pooled, needs)
    if patches:
        values["image_tokens"] = None if visual.tokens is None else visual.tokens[of_image]
    if of_negative is not None:
        values |= {"negatives": pooled[of_negative], "negative_mask": found.negative_mask}
    if dense and encoded.tokens is not None and encoded.mask is not None:
        values |= {
            "text_tokens": encoded.tokens[of_caption],
            "text_mask": encoded.mask[of_caption],
        }
        if of_negative is not None:
            values |= {
                "negative_tokens": encoded.tokens[of_negative],
                "negative_token_mask": encoded.mask[of_negative],
            }
    if teacher is not None and "teacher" in needs:
        same_text = encoded if frozen_texts is not None else None
        taught = _teacher_features(teacher, images, found, same_text)
        values |= taught | {"teacher_image": taught["teacher_image"][of_image]}
    bias = getattr(model.clip, "logit_bias", None)  # SigLIP's, for sigmoid forms
    values["logit_bias"] = None if bias is None else bias.squeeze()
    return Features(logit_scale=model.clip.logit_scale.exp().squeeze(), **values)  # type: ignore[arg-type]


def distinct_images(images: Tensor, image_id: Tensor) -> tuple[Tensor, slice | list[int]]:
    """Images without repetitions (U, 3, H, W), and which of them each row has (B of them).

    Rows of one id share an image where their pixels are equal; a batch without such rows is given back as it is.
    """
    kept: list[int] = []
    at: dict[int, int] = {}
    of_image = []
    for row, one in enumerate(image_id.tolist()):
        if one not in at or not torch.equal(images[kept[at[one]]], images[row]):
            at.setdefault(one, len(kept))
            of_image.append(len(kept))
            kept.append(row)
        else:
            of_image.append(at[one])
    return (images, slice(None)) if len(kept) == len(images) else (images[kept], of_image)


def _teacher_features(
    teacher: Any,
    images: Tensor | Pooled,
    texts: Texts,
    frozen: TextOutput | None,
) -> dict[str, Tensor]:
    """The teacher's pooled features of the same batch. What is frozen is the same in student and teacher."""
    with torch.inference_mode():
        backbone = images if isinstance(images, Pooled) else image_backbone(teacher.visual, images)
        image = image_projection(teacher.visual, backbone._replace(tokens=None)).pooled
        words = (frozen or encode_ids(teacher, texts.ids, packed=texts.packed)).pooled
    # copied, because the losses keep them for their gradients, which tensors of inference mode are not allowed
    image, text = (F.normalize(_full(pooled), dim=-1) for pooled in (image, words))
    out = {"teacher_image": image, "teacher_text": text[texts.of_caption]}
    if texts.of_negative is not None:
        out["teacher_negatives"] = text[texts.of_negative]
    return out


def _full(values: Tensor) -> Tensor:
    """A copy without graph, in float32 where it is of half precision."""
    return values.detach().clone().to(torch.promote_types(values.dtype, torch.float32))
