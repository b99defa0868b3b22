"""Linear probe: how well a linear classifier on a model's frozen image features tells classes apart.

Logistic regression by scikit-learn (L-BFGS, at most 1,000 steps), its strength C chosen on a validation split by the
sweep of Radford et al. 2021, appendix A.3: seven values two decades apart from 1e-6 to 1e6, then the steps around the
best one are halved until there are eight a decade. The classifier is fitted again on both splits with the chosen C.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation.scoring import classification

Array64 = NDArray[np.float64]

STEPS, LAST = 8, 96  # steps a decade, and the last of them: C runs from 1e-6 (step 0) to 1e6 (step 96)
COARSE = 16
MAX_ITERATIONS = 1000
HELD_OUT = 0.2  # share of each class's training images that stands in for a validation split


def strength(step: int) -> float:
    """C of a step of the sweep."""
    return float(10.0 ** (step / STEPS - 6.0))


@dataclass(frozen=True)
class Probe:
    """`weights` (C, D) and `bias` (C,) of a linear classifier; `converged` is False where the steps ran out."""

    weights: Array64
    bias: Array64
    converged: bool

    def scores(self, features: NDArray[Any]) -> Array64:
        """(N, C): the log-odds of each class up to a constant a row; -inf for classes never seen in training."""
        return np.asarray(np.asarray(features, dtype=np.float64) @ self.weights.T + self.bias)


def _regression(features: Array64, labels: NDArray[Any], c: float, tolerance: float) -> tuple[Any, bool]:
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        raise InputError(
            "the linear probe needs scikit-learn; install it with pip install 'compoclip[probe]'"
        ) from None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model = LogisticRegression(C=c, max_iter=MAX_ITERATIONS, tol=tolerance).fit(features, labels)
    return model, not any(issubclass(w.category, ConvergenceWarning) for w in caught)


def fit(features: NDArray[Any], labels: NDArray[Any], classes: int, c: float, tolerance: float = 1e-4) -> Probe:
    """Logistic regression on `features` (N, D) with `labels` (N,), or (N, C) bool where an image may have several.

    Minimises C times the summed cross-entropy plus half the squared weights; the bias is free. Several labels make one
    classifier a class. Raises InputError where there are not two classes.
    """
    x = np.asarray(features, dtype=np.float64)
    weights, bias = np.zeros((classes, x.shape[1])), np.full(classes, -np.inf)
    if labels.ndim == 2:
        converged = True
        for k in range(classes):
            if labels[:, k].any() and not labels[:, k].all():
                model, fine = _regression(x, labels[:, k].astype(int), c, tolerance)
                weights[k], bias[k] = model.coef_[0], float(model.intercept_[0])
                converged &= fine
        return Probe(weights, bias, converged)
    seen = np.unique(labels)
    if len(seen) < 2:
        raise InputError("a linear probe needs training images of two classes or more")
    model, converged = _regression(x, labels, c, tolerance)
    if len(seen) == 2:  # one row of weights, for the second class against the first
        weights[seen[1]], bias[seen] = model.coef_[0], (0.0, float(model.intercept_[0]))
    else:
        weights[seen], bias[seen] = model.coef_, model.intercept_
    return Probe(weights, bias, converged)


def measure(scores: Array64, labels: NDArray[Any], metric: str) -> float:
    """A set's own metric of `scores` (N, C), in [0, 1]. Raises InputError for a metric that does not fit the labels."""
    if labels.ndim == 2:
        finite = np.where(np.isfinite(scores), scores, -1e30)
        return classification.mean_average_precision(finite, labels, voc=metric == "map11_voc")
    if metric == "roc_auc":
        if scores.shape[1] != 2:
            raise InputError(f"ROC AUC needs two classes, this set has {scores.shape[1]}")
        return classification.roc_auc(scores[:, 1] - scores[:, 0], labels == 1)
    right = (scores.argmax(axis=1) == labels).astype(np.float64)
    return classification.mean_per_class(right, labels) if metric == "mean_per_class" else float(right.mean())


def search(score: Callable[[int], float]) -> tuple[int, dict[int, float]]:
    """The best step of the sweep and every step tried; of equal ones the least (the strongest regularisation)."""
    tried = {step: score(step) for step in range(0, LAST + 1, COARSE)}

    def best() -> int:
        return max(tried, key=lambda step: (tried[step], -step))

    width = COARSE // 2
    while width:
        middle = best()
        for step in (middle - width, middle + width):
            if 0 <= step <= LAST and step not in tried:
                tried[step] = score(step)
        width //= 2
    return best(), tried


def hold_out(labels: NDArray[Any], seed: int = 0) -> NDArray[np.bool_]:
    """Which training rows stand in for a validation split: a fifth of each class, drawn by `seed`, never all of it.

    Rows with several labels are drawn without regard to them.
    """
    rng = np.random.default_rng([31, seed])
    held = np.zeros(len(labels), dtype=bool)
    groups = [np.arange(len(labels))] if labels.ndim == 2 else [np.flatnonzero(labels == k) for k in np.unique(labels)]
    for rows in groups:
        count = min(int(np.ceil(HELD_OUT * len(rows))), len(rows) - 1)
        held[rng.permutation(rows)[:count]] = True
    return held


@dataclass(frozen=True)
class Probed:
    """The probe fitted on training and validation rows; `c` and what the sweep tried (validation metric by C)."""

    probe: Probe
    c: float
    validation: float
    tried: dict[float, float]


def train(
    features: NDArray[Any],
    labels: NDArray[Any],
    validation: NDArray[np.bool_],
    classes: int,
    metric: str,
    step: Callable[[], Any] = lambda: None,
) -> Probed:
    """Sweep C on the rows where `validation` (N,) is True, then fit on all rows; `step` is called after each fit."""
    x = np.asarray(features, dtype=np.float64)
    held = validation.astype(bool)
    if not held.any() or held.all():
        raise InputError("a linear probe needs both training and validation images")

    def score(place: int) -> float:
        probe = fit(x[~held], labels[~held], classes, strength(place))
        step()
        return measure(probe.scores(x[held]), labels[held], metric)

    place, tried = search(score)
    probe = fit(x, labels, classes, strength(place))
    step()
    figures = {strength(s): value for s, value in sorted(tried.items())}
    return Probed(probe, strength(place), tried[place], figures)
