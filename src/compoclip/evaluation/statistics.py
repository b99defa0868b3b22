"""Uncertainty: bootstrap intervals, paired differences, McNemar's exact test. Percent in, percent out.

Most results are rows of right and wrong. Resampling n rows with replacement and averaging is then a draw from a
multinomial over the few distinct values, so the bootstrap is exact and costs the same for 200 rows and 200,000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError

RESAMPLES = 10_000
_BLOCK = 1 << 22  # elements of one block of resampled indices

Values = NDArray[np.floating]
Means = NDArray[np.float64]


class Interval(NamedTuple):
    mean: float
    low: float
    high: float


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([20_241, seed])


def bootstrap_means(
    values: Values, resamples: int = RESAMPLES, seed: int = 0, groups: NDArray[np.int64] | None = None
) -> Means:
    """Means of `resamples` bootstrap samples of `values` (N,): (resamples,).

    `groups` (N,) resamples whole groups (all captions of an image, say), for rows that are not independent.
    Raises InputError for no rows.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.size == 0:
        raise InputError("no rows to resample")
    rng = _rng(seed)
    if groups is not None:
        index = np.unique(groups, return_inverse=True)[1].reshape(-1)
        total, size = np.bincount(index, weights=values).astype(np.float64), np.bincount(index).astype(np.float64)
        return _by_rows(total, size, resamples, rng)
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) <= 64:
        draws = rng.multinomial(len(values), counts / len(values), size=resamples)
        return np.asarray(draws @ levels / len(values))
    return _by_rows(values, np.ones(len(values)), resamples, rng)


def _by_rows(total: Values, size: Values, resamples: int, rng: np.random.Generator) -> Means:
    n, out = len(total), np.empty(resamples)
    step = max(1, _BLOCK // n)
    for start in range(0, resamples, step):
        pick = rng.integers(0, n, size=(min(step, resamples - start), n))
        out[start : start + len(pick)] = total[pick].sum(axis=1) / size[pick].sum(axis=1)
    return out


def interval(means: Values, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap means, scaled to percent."""
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(100.0 * means, [tail, 100.0 - tail])
    return float(low), float(high)


def mean_interval(values: Values, seed: int = 0, groups: NDArray[np.int64] | None = None) -> Interval:
    """Mean of `values` (N,) in [0, 1] with its 95 % bootstrap interval, all in percent."""
    low, high = interval(bootstrap_means(values, seed=seed, groups=groups))
    return Interval(100.0 * float(np.mean(values)), low, high)


Groups = Sequence[NDArray[np.int64] | None]


def clusters(groups: NDArray[np.int64]) -> list[list[int]]:
    """Rows that belong together, such as the captions of one image, as [rows, times] runs: [[5, 4990], [6, 10]]."""
    sizes = np.unique(groups, return_counts=True)[1]
    starts = np.flatnonzero(np.concatenate([[True], sizes[1:] != sizes[:-1]])) if len(sizes) else np.zeros(0, int)
    ends = np.append(starts[1:], len(sizes))
    return [[int(sizes[a]), int(b - a)] for a, b in zip(starts, ends)]


def cluster_index(runs: Sequence[Sequence[int]] | None) -> NDArray[np.int64] | None:
    """The group (N,) of each row from the runs that `clusters` gave; None where rows stand alone."""
    if not runs:
        return None
    sizes = np.repeat([size for size, _ in runs], [times for _, times in runs])
    return np.repeat(np.arange(len(sizes)), sizes)


def stratified_means(
    strata: Sequence[Values],
    weights: Sequence[float] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    groups: Groups | None = None,
) -> Means:
    """Bootstrap of a weighted mean of strata means (a benchmark's average over its subsets): (resamples,).

    Rows are resampled within each stratum, or whole groups of them where a stratum has `groups`; `weights` are
    normalised, equal where not given.
    """
    if not strata:
        raise InputError("no subsets to average")
    share = np.full(len(strata), 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    share = share / share.sum()
    whole = [None] * len(strata) if groups is None else groups
    means = [
        w * bootstrap_means(s, resamples, seed + 7 * i, g) for i, (w, s, g) in enumerate(zip(share, strata, whole))
    ]
    return np.asarray(np.sum(means, axis=0))


def strata_interval(strata: Sequence[Values], seed: int = 0) -> list[float]:
    """The 95 % interval, in percent, of a plain mean of strata means: a mean over classes or groups."""
    return list(interval(stratified_means(strata, resamples=2000, seed=seed)))


def paired_difference(
    first: Sequence[Values],
    second: Sequence[Values],
    weights: Sequence[float] | None = None,
    seed: int = 0,
    groups: Groups | None = None,
) -> Interval:
    """`second` minus `first` on the same rows, in percentage points, with its 95 % interval.

    Both are lists of strata (N_s,); a row keeps its pair in every resample, so what two models find hard together
    cancels. `groups` as for `stratified_means`. Raises InputError where the rows do not match.
    """
    if [len(a) for a in first] != [len(b) for b in second]:
        raise InputError("the two results were not measured on the same rows; evaluate both with the same data")
    differences = [np.asarray(b, np.float64) - np.asarray(a, np.float64) for a, b in zip(first, second)]
    low, high = interval(stratified_means(differences, weights, seed=seed, groups=groups))
    share = np.full(len(first), 1.0) if weights is None else np.asarray(weights, dtype=np.float64)
    mean = sum(w * d.mean() for w, d in zip(share / share.sum(), differences))
    return Interval(100.0 * float(mean), low, high)


class McNemar(NamedTuple):
    """`only_first` and `only_second` count rows that one model alone has right; `p` is two-sided and exact."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Values, second: Values) -> McNemar:
    """Exact McNemar test (a binomial test on the rows where two models differ; McNemar 1947) of (N,) flags."""
    if len(first) != len(second):
        raise InputError("the two results were not measured on the same rows; evaluate both with the same data")
    a = int(((first > 0.5) & (second <= 0.5)).sum())
    b = int(((first <= 0.5) & (second > 0.5)).sum())
    n, k = a + b, min(a, b)
    if a == b:
        return McNemar(a, b, 1.0)
    term = tail = 1
    for i in range(1, k + 1):
        term = term * (n - i + 1) // i  # n over i
        tail += term
    return McNemar(a, b, min(1.0, 2 * tail / 2**n))
