"""From a batch of images and captions to Features: one pass of each tower, frozen towers from a cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from compoclip.losses import Features
from compoclip.models import Model
from compoclip.models.image_tower import Pooled, image_backbone, image_projection
from compoclip.models.text_tower import TextOutput, encode_ids
from compoclip.training.frozen import FrozenTexts


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
) -> Features:
    """Features of one batch.

    images: preprocessed pixels (B, 3, H, W), or backbone features kept by `FrozenImages`. negatives: up to
    `per_caption` (K) strings a caption; a missing one, and one that equals its caption after tokenising, is masked.
    Every distinct text is encoded once, and in a causal tower every distinct beginning.
    """
    dense = "tokens" in needs
    device = model.device
    chosen = [list(row)[:per_caption] for row in negatives] if "negatives" in needs else [[] for _ in captions]
    texts = list(dict.fromkeys([*captions, *(text for row in chosen for text in row)]))
    place = {text: i for i, text in enumerate(texts)}
    ids = model.tokenize(texts).to(device)
    encoded = (
        frozen_texts.encode(texts, ids) if frozen_texts is not None else encode_ids(model.clip, ids, dense, share=True)
    )
    of_caption = torch.tensor([place[c] for c in captions], dtype=torch.long, device=device)

    if isinstance(images, Tensor):
        images = images.to(device)
    backbone = images if isinstance(images, Pooled) else image_backbone(model.clip.visual, images, dense)
    visual = image_projection(model.clip.visual, backbone)

    pooled = F.normalize(encoded.pooled, dim=-1)
    values: dict[str, Tensor | None] = {
        "image": F.normalize(visual.pooled, dim=-1),
        "text": pooled[of_caption],
        "image_id": None if image_id is None else image_id.to(device),
    }
    of_negative = None
    if "negatives" in needs:
        of_negative, mask = _negative_index(chosen, per_caption, place, ids, of_caption)
        values |= {"negatives": pooled[of_negative], "negative_mask": mask}
    if encoded.tokens is not None and encoded.mask is not None:
        values |= {
            "image_tokens": visual.tokens,
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
        values |= _teacher_features(teacher, images, ids, same_text, of_caption, of_negative)
    return Features(logit_scale=model.clip.logit_scale.exp().squeeze(), **values)  # type: ignore[arg-type]


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
    index, mask = index.to(ids.device), mask.to(ids.device)
    same = (ids[index] == ids[of_caption][:, None]).all(dim=-1)
    return index, mask & ~same


@torch.no_grad()
def _teacher_features(
    teacher: Any,
    images: Tensor | Pooled,
    ids: Tensor,
    frozen: TextOutput | None,
    of_caption: Tensor,
    of_negative: Tensor | None,
) -> dict[str, Tensor]:
    """The teacher's pooled features of the same batch. What is frozen is the same in student and teacher."""
    backbone = images if isinstance(images, Pooled) else image_backbone(teacher.visual, images)
    image = image_projection(teacher.visual, backbone._replace(tokens=None)).pooled
    text = F.normalize((frozen or encode_ids(teacher, ids, share=True)).pooled.float(), dim=-1)
    out = {"teacher_image": F.normalize(image.float(), dim=-1), "teacher_text": text[of_caption]}
    if of_negative is not None:
        out["teacher_negatives"] = text[of_negative]
    return out
