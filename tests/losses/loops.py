"""FSC-CLIP's and DeGLA's terms as nested loops over samples, captions, tokens and patches, one float64 number a time.

Written from the printed equations (FSC-CLIP, arXiv 2410.05210, section 3; DeGLA, arXiv 2504.16801, equations 4 to 10)
and the contract. A missing negative is a class that does not exist. Nothing here is vectorised over samples.
The terms of other papers, and new ones, are in extended.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .cases import Case


def dot(a: np.ndarray, b: np.ndarray) -> float:
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def log_sum_exp(values: list[float]) -> float:
    top = max(values)
    return top + math.log(math.fsum(math.exp(v - top) for v in values))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def contrastive(case: Case, contrastive_negatives: str = "none", missing_negatives: str = "masked") -> float:
    """Half of image-to-text plus half of text-to-image; hard negatives only ever compete for the image."""
    image, text, scale = case["image"], case["text"], float(case["logit_scale"])
    ids = case.get("image_id")
    size = len(image)
    to_text, to_image = [], []
    for i in range(size):
        captions, pictures = [], []
        for j in range(size):
            if i != j and ids is not None and ids[i] == ids[j]:
                continue  # another caption of the very same picture is true, not a negative
            captions.append(scale * dot(image[i], text[j]))
            pictures.append(scale * dot(text[i], image[j]))
        if contrastive_negatives != "none":
            for j in range(size):
                if contrastive_negatives == "own" and j != i:
                    continue
                for k in range(case["negatives"].shape[1]):
                    if case["negative_mask"][j, k]:
                        captions.append(scale * dot(image[i], case["negatives"][j, k]))
                    elif missing_negatives == "released":
                        captions.append(0.0)  # the release fills the gap with a zero vector
        own = scale * dot(image[i], text[i])
        to_text.append(log_sum_exp(captions) - own)
        to_image.append(log_sum_exp(pictures) - own)
    return 0.5 * (mean(to_text) + mean(to_image))


def focal_smoothed(logits: list[float], missing: int, gamma: float, smoothing: float) -> float:
    """Class 0 is true. `missing` classes of logit 0 share the denominator, but no target and no smoothing."""
    norm = log_sum_exp(logits + [0.0] * missing)
    loss = 0.0
    for index, logit in enumerate(logits):
        target = smoothing / len(logits) + (1.0 - smoothing if index == 0 else 0.0)
        log_p = logit - norm
        loss += target * (1.0 - math.exp(log_p)) ** gamma * -log_p
    return loss


def against_own_negatives(
    case: Case, positive: list[float], negative: list[list[float]], gamma: float, smoothing: float, released: bool
) -> float:
    """Mean over the captions that have a negative; `negative[i]` holds the scores of the valid ones."""
    count = case["negative_mask"].shape[1]
    rows = []
    for own, others in zip(positive, negative, strict=True):
        if others:
            missing = count - len(others) if released else 0
            rows.append(focal_smoothed([own, *others], missing, gamma, smoothing))
    return mean(rows)


def global_negative(
    case: Case, focal_gamma: float = 2.0, label_smoothing: float = 0.02, missing_negatives: str = "masked"
) -> float:
    image, scale = case["image"], float(case["logit_scale"])
    positive, negative = [], []
    for i in range(len(image)):
        positive.append(scale * dot(image[i], case["text"][i]))
        negative.append(
            [
                scale * dot(image[i], case["negatives"][i, k])
                for k in range(case["negatives"].shape[1])
                if case["negative_mask"][i, k]
            ]
        )
    return against_own_negatives(
        case, positive, negative, focal_gamma, label_smoothing, missing_negatives == "released"
    )


def patch_weights(patches: np.ndarray, token: np.ndarray, alignment: str) -> list[float]:
    """How much of each patch belongs to the token; equal shares where no patch stands out."""
    raw = [dot(token, patch) for patch in patches]
    low, high = min(raw), max(raw)
    if alignment == "softmax":
        norm = log_sum_exp(raw)
        return [math.exp(r - norm) for r in raw]
    if high == low:
        return [1.0 / len(raw)] * len(raw)
    shares = [(r - low) / (high - low) for r in raw]
    if alignment == "sparse":
        shares = [s if s >= 1.0 / len(raw) else 0.0 for s in shares]
    return [s / math.fsum(shares) for s in shares]


def local_score(
    patches: np.ndarray, tokens: np.ndarray, mask: np.ndarray, scale: float, weights: dict[int, list[float]]
) -> float:
    """Log-sum-exp over the valid tokens of the scaled cosine of each with its own mixture of patches."""
    scores = []
    for t in range(len(tokens)):
        if mask[t]:
            mixture = np.zeros(patches.shape[1])
            for share, patch in zip(weights[t], patches, strict=True):
                mixture = mixture + share * patch
            scores.append(scale * cosine(mixture, tokens[t]))
    return log_sum_exp(scores)


def captions_of(case: Case) -> list[tuple[tuple[int, ...], np.ndarray, np.ndarray]]:
    """(index, tokens, mask) of every caption that exists: (i,) for the true one, (i, k) for a valid negative."""
    found: list[tuple[tuple[int, ...], np.ndarray, np.ndarray]] = []
    for i in range(len(case["text_tokens"])):
        found.append(((i,), case["text_tokens"][i], case["text_mask"][i]))
        for k in range(case["negative_tokens"].shape[1]):
            if case["negative_mask"][i, k]:
                found.append(((i, k), case["negative_tokens"][i, k], case["negative_token_mask"][i, k]))
    return found


def alignments(case: Case, local_alignment: str = "minmax") -> dict[tuple[int, ...], dict[int, list[float]]]:
    """The patch shares of every valid token: constants to the gradient."""
    return {
        index: {
            t: patch_weights(case["image_tokens"][index[0]], tokens[t], local_alignment)
            for t in range(len(tokens))
            if mask[t]
        }
        for index, tokens, mask in captions_of(case)
    }


def local_negative(
    case: Case,
    focal_gamma: float = 2.0,
    label_smoothing: float = 0.02,
    missing_negatives: str = "masked",
    local_alignment: str = "minmax",
    frozen: dict[tuple[int, ...], dict[int, list[float]]] | None = None,
) -> float:
    """`frozen` are patch shares taken elsewhere, for numerical gradients that must not move them."""
    shares = alignments(case, local_alignment) if frozen is None else frozen
    size = len(case["image_tokens"])
    positive: list[float] = [0.0] * size
    negative: list[list[float]] = [[] for _ in range(size)]
    for index, tokens, mask in captions_of(case):
        score = local_score(case["image_tokens"][index[0]], tokens, mask, float(case["logit_scale"]), shares[index])
        if len(index) == 1:
            positive[index[0]] = score
        else:
            negative[index[0]].append(score)
    return against_own_negatives(
        case, positive, negative, focal_gamma, label_smoothing, missing_negatives == "released"
    )


def image_grounded(case: Case) -> float:
    """Cross-entropy of the image over its caption and that caption's valid negatives (DeGLA equation 8)."""
    rows = []
    for i in range(len(case["image"])):
        scale, image = float(case["logit_scale"]), case["image"][i]
        logits = [scale * dot(image, case["text"][i])]
        for k in range(case["negatives"].shape[1]):
            if case["negative_mask"][i, k]:
                logits.append(scale * dot(image, case["negatives"][i, k]))
        rows.append(log_sum_exp(logits) - logits[0])
    return mean(rows)


def text_grounded(case: Case, text_grounded_scale: float = 10.0, text_grounded_mask: str = "paper") -> float:
    """DeGLA equation 9. "released": row i sees every B-th column of the flattened negatives, from the i-th."""
    size, count = case["negatives"].shape[:2]
    rows = []
    for i in range(size):
        text = case["text"][i]
        logits = [text_grounded_scale * dot(text, case["teacher_text"][i])]
        for j in range(size):
            for k in range(count):
                seen = (j * count + k) % size == i if text_grounded_mask == "released" else j == i
                if seen and case["negative_mask"][j, k]:
                    logits.append(text_grounded_scale * dot(text, case["negatives"][j, k]))
        rows.append(log_sum_exp(logits) - logits[0])
    return mean(rows)


def distillation(case: Case) -> float:
    """DeGLA equation 7: squared distances to the teacher, summed over images, captions and valid negatives."""
    terms = []
    for i in range(len(case["image"])):
        terms.append(dot(*[case["image"][i] - case["teacher_image"][i]] * 2))
        terms.append(dot(*[case["text"][i] - case["teacher_text"][i]] * 2))
        for k in range(case["negatives"].shape[1]):
            if case["negative_mask"][i, k]:
                terms.append(dot(*[case["negatives"][i, k] - case["teacher_negatives"][i, k]] * 2))
    return math.fsum(terms)


LOOPS: dict[str, Callable[..., float]] = {
    "contrastive": contrastive,
    "global_negative": global_negative,
    "local_negative": local_negative,
    "image_grounded": image_grounded,
    "text_grounded": text_grounded,
    "distillation": distillation,
}
