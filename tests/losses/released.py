"""What the two released training losses compute, on the flat layouts their own loaders make, in float64 loops.

FSC-CLIP lays its captions out type by type (all first negatives, then all second ones; absent ones left out and flagged
in a mask), DeGLA sample by sample. Both are single-process and told in our own words; the arithmetic follows
`src/training/losses/loss.py` of fsc-clip and `src/open_clip/loss.py` of DeGLA, slips included.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .cases import Case


def _soft_log(logits: list[float]) -> list[float]:
    """Log-softmax; a logit of minus infinity is an impossible class."""
    top = max(logits)
    total = 0.0
    for logit in logits:
        total += math.exp(logit - top)
    return [logit - top - math.log(total) for logit in logits]


def fsc_layout(case: Case) -> dict[str, Any]:
    """Features as FSC-CLIP's loader and towers hand them over."""
    size, count = case["negative_mask"].shape
    text, tokens, masks = list(case["text"]), list(case["text_tokens"]), list(case["text_mask"])
    present = []
    for k in range(count):
        for b in range(size):
            present.append(bool(case["negative_mask"][b, k]))
            if present[-1]:
                text.append(case["negatives"][b, k])
                tokens.append(case["negative_tokens"][b, k])
                masks.append(case["negative_token_mask"][b, k])
    return {"text": text, "tokens": tokens, "masks": masks, "present": present, "size": size, "count": count}


def fsc_negative_loss(rows: list[list[float]], valid: list[list[bool]], gamma: float, smoothing: float) -> float:
    """Focal, smoothed cross-entropy with class 0 true, over rows that have a negative at all."""
    losses = []
    for logits, flags in zip(rows, valid, strict=True):
        if not any(flags):
            continue
        classes = 1 + sum(flags)
        targets = [1.0 - smoothing + smoothing / classes]
        targets += [smoothing / classes if flag else 0.0 for flag in flags]
        loss = 0.0
        for target, log_p in zip(targets, _soft_log(logits), strict=True):
            loss += target * (-log_p) * (1.0 - math.exp(log_p)) ** gamma
        losses.append(loss)
    return sum(losses) / len(losses)


def _fsc_token_score(
    patches: np.ndarray, tokens: np.ndarray, mask: np.ndarray, scale: float, normaliser: str, sparsify: bool
) -> float:
    exponentials = []
    for token, used in zip(tokens, mask, strict=True):
        row = np.array([float(np.dot(token, patch)) for patch in patches])
        if normaliser == "minmax":
            row = (row - row.min()) / (row.max() - row.min())
            if sparsify:
                row[row < 1.0 / len(patches)] = 0.0
            row = row / row.sum()
        else:
            row = np.exp(row - row.max())
            row = row / row.sum()
        grouped = np.zeros(len(token))
        for weight, patch in zip(row, patches, strict=True):
            grouped += weight * patch
        grouped = grouped / np.linalg.norm(grouped)
        if used:
            exponentials.append(scale * float(np.dot(grouped, token / np.linalg.norm(token))))
    top = max(exponentials)
    return top + math.log(sum(math.exp(e - top) for e in exponentials))


def fsc_clip(
    case: Case,
    global_weight: float = 0.5,
    local_weight: float = 0.2,
    gamma: float = 2.0,
    smoothing: float = 0.02,
    normaliser: str = "minmax",
    sparsify: bool = False,
) -> dict[str, float]:
    """The released FSC-CLIP loss by part, weights included; an absent negative is a zero vector or a zero score."""
    flat = fsc_layout(case)
    size, count, scale = flat["size"], flat["count"], float(case["logit_scale"])
    image, text = case["image"], flat["text"]
    clip = 0.0
    for i in range(size):
        by_image = _soft_log([scale * float(np.dot(image[i], text[j])) for j in range(size)])
        by_text = _soft_log([scale * float(np.dot(text[i], image[j])) for j in range(size)])
        clip -= (by_image[i] + by_text[i]) / (2 * size)

    global_rows = [[scale * float(np.dot(image[i], text[i]))] for i in range(size)]
    local_rows = []
    for i in range(size):
        own = _fsc_token_score(
            case["image_tokens"][i], flat["tokens"][i], flat["masks"][i], scale, normaliser, sparsify
        )
        local_rows.append([own])
    valid: list[list[bool]] = [[] for _ in range(size)]
    cursor = size
    for slot in range(size * count):
        i = slot % size  # type-major: the slot's sample
        valid[i].append(flat["present"][slot])
        if not flat["present"][slot]:
            global_rows[i].append(0.0)
            local_rows[i].append(0.0)
            continue
        global_rows[i].append(scale * float(np.dot(image[i], text[cursor])))
        score = _fsc_token_score(
            case["image_tokens"][i], flat["tokens"][cursor], flat["masks"][cursor], scale, normaliser, sparsify
        )
        local_rows[i].append(score)
        cursor += 1
    return {
        "contrastive": clip,
        "global_negative": global_weight * fsc_negative_loss(global_rows, valid, gamma, smoothing),
        "local_negative": local_weight * fsc_negative_loss(local_rows, valid, gamma, smoothing),
    }


def degla(
    case: Case,
    text_weight: float = 0.1,
    image_weight: float = 0.1,
    distill_weight: float = 0.005,
    repaired: bool = False,
) -> dict[str, float]:
    """The released DeGLA loss by part, weights included; every negative must exist.

    `repaired` gives each caption its own negatives in the text-grounded part, as the paper prints it, where the release
    repeats a mask that fits negatives laid out type by type.
    """
    size, count = case["negative_mask"].shape
    scale = float(case["logit_scale"])
    text = [*case["text"], *(case["negatives"][b, k] for b in range(size) for k in range(count))]
    teacher = [*case["teacher_text"], *(case["teacher_negatives"][b, k] for b in range(size) for k in range(count))]
    image = case["image"]
    infinite = float("-inf")

    contrastive = text_local = image_local = 0.0
    for i in range(size):
        by_image = _soft_log([scale * float(np.dot(image[i], t)) for t in text])
        by_text = _soft_log([scale * float(np.dot(text[i], v)) for v in image])
        contrastive -= (by_image[i] + by_text[i]) / (2 * size)

        text_row, image_row = [], []
        for column in range(size * (1 + count)):
            sample_major = column if column < size else (column - size) // count
            type_major = column % size
            positive = teacher[column] if column < size else text[column]
            pairing = sample_major if repaired else type_major
            text_row.append(10.0 * float(np.dot(text[i], positive)) if pairing == i else infinite)
            image_row.append(scale * float(np.dot(image[i], text[column])) if sample_major == i else infinite)
        text_local -= _soft_log(text_row)[i] / size
        image_local -= _soft_log(image_row)[i] / size

    squares = 0.0
    for ours, theirs in [*zip(image, case["teacher_image"], strict=True), *zip(text, teacher, strict=True)]:
        squares += float(np.sum((ours - theirs) ** 2))
    return {
        "contrastive": contrastive,
        "image_grounded": image_weight * image_local,
        "text_grounded": text_weight * text_local,
        "distillation": distill_weight * squares,
    }
