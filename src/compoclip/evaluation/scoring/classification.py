"""Zero-shot classification: a classifier made of text, and the four metrics that published tables use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation.scoring.comparisons import Array, Graded, check_finite, choice
from compoclip.evaluation.scoring.ranking import distinct

SINGLE, SEVERAL = ("accuracy", "mean_per_class", "roc_auc"), ("map11", "map11_voc")  # metrics by labels of an image


def normalise(features: NDArray[np.floating]) -> Array:
    """Rows to unit length, fp32. Raises InputError for a row of zeros."""
    length = np.linalg.norm(features, axis=-1, keepdims=True)
    if (length == 0).any():
        raise InputError("a feature of length zero cannot be normalised; the model is broken or its template is empty")
    return np.asarray(features / length, dtype=np.float32)


def classifier(text: Array) -> Array:
    """Template-averaged class vectors (Radford et al. 2021): `text` (C, T, D) normalised -> (C, D) normalised."""
    check_finite(text.reshape(-1, text.shape[-1]), "class prompts")
    return normalise(normalise(text).mean(axis=1, dtype=np.float32))


class Classified(NamedTuple):
    """`graded` by the tie rule, `predicted` (N,) the first best class, `scores` (N, C) cosines, `rank` (N,) the place
    of the true class from 1 (after those that tie, unless the rule is "first")."""

    graded: Graded
    predicted: NDArray[np.int64]
    scores: Array
    rank: NDArray[np.int64]


BLOCK = 4096  # images scored at once


def classify(
    images: Array,
    weights: Array,
    labels: NDArray[np.int64],
    rule: str = "strict",
    alike: NDArray[np.int64] | None = None,
) -> Classified:
    """`images` (N, D) and `weights` (C, D) normalised, `labels` (N,) in 0..C-1.

    `alike` (C,) gives each class the first class of the same name, whose scores it takes to the last bit: of two such
    classes the first is the answer, and no tie is counted between them (ImageNet has two pairs).
    Raises InputError for a label outside the classes and for NaN features.
    """
    check_labels(labels, len(weights))
    same = np.arange(len(weights)) if alike is None else alike
    column, unique = distinct(weights[same])
    scores = np.empty((len(images), len(weights)), dtype=np.float32)
    correct, tied = np.zeros(len(images)), np.zeros(len(images), dtype=bool)
    rank = np.ones(len(images), dtype=np.int64)
    for start in range(0, len(images), BLOCK):
        block = slice(start, min(start + BLOCK, len(images)))
        scores[block] = (images[block] @ unique.T)[:, column]
        check_finite(scores[block], "zero-shot scores")
        ordered, valid = _true_first(scores[block], labels[block], same)
        graded = choice(ordered, rule, valid)
        correct[block], tied[block] = graded
        before = ordered > ordered[:, :1] if rule == "first" else ordered >= ordered[:, :1]
        rank[block] += (before & valid)[:, 1:].sum(axis=1)
    rank[same[labels] != labels] += 1
    correct[same[labels] != labels] = 0.0  # the second of two classes of one name is never the answer
    return Classified(Graded(correct, tied), scores.argmax(axis=1), scores, rank)


def _true_first(scores: Array, labels: NDArray[np.int64], same: NDArray[np.int64]) -> tuple[Array, NDArray[np.bool_]]:
    """Scores with the true class in column 0, and which of them stand for a class of another name."""
    rows = np.arange(len(scores))
    ordered, valid = scores.copy(), same[None, :] != same[labels][:, None]
    ordered[:, 0], ordered[rows, labels] = scores[rows, labels], scores[:, 0]
    valid[rows, labels] = valid[:, 0]
    return ordered, valid


def check_labels(labels: NDArray[np.int64], classes: int, name: str = "") -> None:
    """Raises InputError for a label outside 0..classes-1, naming the set and its row."""
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        row = int(np.argmax(wrong))
        where = f"{name}: row {row}" if name else f"row {row}"
        raise InputError(f"{where}: label {int(labels[row])} is outside the {classes} classes 0..{classes - 1}")


def mean_per_class(correct: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """Mean over the classes that occur of the share of their rows that is right; in [0, 1]."""
    return float(np.mean([correct[labels == c].mean() for c in np.unique(labels)]))


def softmax(scores: Array, scale: float = 100.0) -> NDArray[np.float64]:
    """Probabilities (N, C) of cosines at CLIP's scale; ELEVATER's ranking metrics are computed on them."""
    logits = scale * scores.astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    exponent = np.exp(logits)
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))


def roc_auc(score: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Area under the ROC curve, ties counted half: the share of (positive, negative) pairs in the right order."""
    if positive.all() or not positive.any():
        raise InputError("ROC AUC needs both classes among the labels")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2.0  # mean rank of each group of equal scores
    rank = middle[inverse.reshape(-1)]
    n = int(positive.sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def average_precision_11(score: NDArray[np.floating], positive: NDArray[np.bool_], voc: bool = False) -> float:
    """11-point interpolated average precision of one class: `score` and `positive` (N,).

    As ELEVATER's evaluator computes it, the precision at recall 0 is 1, whatever stands first; with `voc`, as VOC 2007
    defines it, it is that of the ranking itself (Everingham et al. 2010, section 4.2). Equal scores are one place of
    the ranking, so that the order of the rows does not matter.

    >>> average_precision_11(np.array([0.9, 0.8, 0.7]), np.array([False, True, True]), voc=True)
    0.6666666666666666
    """
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], np.cumsum(positive[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each run of equal scores
    recall, precision = hits[last] / max(1, positive.sum()), hits[last] / (last + 1)
    if not voc:
        recall, precision = np.append(recall, 0.0), np.append(precision, 1.0)
    points = [precision[recall >= t - 1e-12] for t in np.linspace(0, 1, 11)]
    return float(np.mean([p.max() if len(p) else 0.0 for p in points]))


def mean_average_precision(scores: NDArray[np.floating], labels: NDArray[np.bool_], voc: bool = False) -> float:
    """Mean of `average_precision_11` over the classes (columns) that occur; both (N, C)."""
    present = np.flatnonzero(labels.any(axis=0)).tolist()
    return float(np.mean([average_precision_11(scores[:, c], labels[:, c], voc) for c in present]))
