"""Intervals against resampling written as a loop, tests against textbook figures."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from compoclip.errors import InputError
from compoclip.evaluation import statistics as st


def test_fast_bootstrap_has_the_distribution_of_resampled_rows() -> None:
    values = (np.random.default_rng(0).random(150) < 0.3).astype(float)
    fast = st.bootstrap_means(values, 20_000)
    rng = np.random.default_rng(1)
    slow = np.array([np.mean([values[j] for j in rng.integers(0, 150, 150)]) for _ in range(4000)])
    assert fast.mean() == pytest.approx(values.mean(), abs=0.002)
    assert fast.std() == pytest.approx(slow.std(), rel=0.05)
    assert fast.std() == pytest.approx(values.std() / np.sqrt(150), rel=0.03)


def test_fractions_with_many_levels_are_resampled_by_row() -> None:
    values = np.random.default_rng(2).random(500)
    assert len(np.unique(values)) > 64
    assert st.bootstrap_means(values, 5000).std() == pytest.approx(values.std() / np.sqrt(500), rel=0.05)


def test_groups_widen_the_interval_of_dependent_rows() -> None:
    flags = (np.random.default_rng(3).random(100) < 0.5).astype(float)
    values, groups = np.repeat(flags, 5), np.repeat(np.arange(100), 5)
    alone = st.bootstrap_means(values, 5000).std()
    grouped = st.bootstrap_means(values, 5000, groups=groups).std()
    assert grouped / alone == pytest.approx(np.sqrt(5), rel=0.1)


def test_interval_is_percent_and_seeded() -> None:
    values = np.array([1.0] * 60 + [0.0] * 40)
    first = st.mean_interval(values, seed=4)
    assert first == st.mean_interval(values, seed=4)
    assert first.mean == 60.0
    half = 1.96 * 100 * np.sqrt(0.24 / 100)
    assert first.low == pytest.approx(60 - half, abs=1.1)
    assert first.high == pytest.approx(60 + half, abs=1.1)


def test_coverage_is_near_95_percent() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for i in range(400):
        got = st.mean_interval((rng.random(200) < 0.7).astype(float), seed=i)
        hits += got.low <= 70 <= got.high
    assert 0.91 <= hits / 400 <= 0.98


def test_stratified_mean_weighs_subsets() -> None:
    strata = [np.array([1.0] * 50 + [0.0] * 50), np.ones(10)]
    means = st.stratified_means(strata, [3, 1], 20_000)
    assert means.mean() == pytest.approx(0.75 * 0.5 + 0.25, abs=0.003)
    assert means.std() == pytest.approx(0.75 * 0.5 / 10, rel=0.05)


def test_paired_difference_cancels_what_is_hard_for_both() -> None:
    rng = np.random.default_rng(6)
    base = (rng.random(400) < 0.6).astype(float)
    better = base.copy()
    better[np.flatnonzero(base == 0)[:20]] = 1
    got = st.paired_difference([base], [better])
    assert got.mean == pytest.approx(5.0)
    assert 2.5 < got.low < got.mean < got.high < 7.5
    alone = st.mean_interval(better)
    assert got.high - got.low < 0.6 * (alone.high - alone.low)


def test_paired_difference_refuses_other_rows() -> None:
    with pytest.raises(InputError, match="same rows"):
        st.paired_difference([np.zeros(3)], [np.zeros(4)])
    with pytest.raises(InputError, match="no rows"):
        st.bootstrap_means(np.zeros(0))
    with pytest.raises(InputError, match="no subsets"):
        st.stratified_means([])


@pytest.mark.parametrize(("a", "b"), [(0, 0), (5, 1), (3, 3), (2, 30), (0, 8)])
def test_mcnemar_equals_the_binomial_sum(a: int, b: int) -> None:
    first = np.array([1] * a + [0] * b + [1] * 7 + [0] * 4, float)
    second = np.array([0] * a + [1] * b + [1] * 7 + [0] * 4, float)
    n = a + b
    want = min(1.0, 2 * sum(comb(n, i) for i in range(min(a, b) + 1)) / 2**n) if a != b else 1.0
    got = st.mcnemar(first, second)
    assert (got.only_first, got.only_second) == (a, b)
    assert got.p == pytest.approx(want)


def test_mcnemar_of_many_rows_agrees_with_exact_arithmetic() -> None:
    n, k = 1401, 640
    first = np.array([1.0] * k + [0.0] * (n - k))
    exact = 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n
    assert st.mcnemar(first, 1 - first).p == pytest.approx(exact, rel=1e-9)


def test_runs_of_groups_come_back() -> None:
    groups = np.repeat([3, 4, 7, 8, 9], [5, 5, 6, 5, 5])
    runs = st.clusters(groups)
    assert runs == [[5, 2], [6, 1], [5, 2]]
    index = st.cluster_index(runs)
    assert index is not None
    assert index.tolist() == np.repeat(np.arange(5), [5, 5, 6, 5, 5]).tolist()
    assert st.cluster_index(None) is None
    assert st.clusters(np.zeros(0, int)) == []


def inside(interval: tuple[float, float], truth: float) -> bool:
    return interval[0] <= 100 * truth <= interval[1]


def test_intervals_of_averages_cover_what_they_should() -> None:
    """300 made benchmarks of three unequal subsets: the interval of the weighted mean holds the truth in about 95 %."""
    rng = np.random.default_rng(21)
    rates, sizes, weights = (0.9, 0.55, 0.7), (60, 200, 40), (1.0, 2.0, 1.0)
    truth = sum(w * r for w, r in zip(weights, rates)) / sum(weights)
    hits = 0
    for i in range(300):
        strata = [(rng.random(n) < r).astype(float) for n, r in zip(sizes, rates)]
        hits += inside(st.interval(st.stratified_means(strata, weights, 2000, i)), truth)
    assert 0.91 <= hits / 300 <= 0.98


def test_intervals_of_dependent_rows_cover_only_where_their_groups_are_known() -> None:
    """Five captions a photo that share its luck: rows taken for independent give an interval that is far too narrow."""
    rng = np.random.default_rng(22)
    groups = np.repeat(np.arange(80), 5)
    covered = {"groups": 0, "rows": 0}
    for i in range(200):
        luck = np.repeat(rng.beta(0.5, 0.5, 80), 5)  # mean 0.5
        values = (rng.random(400) < luck).astype(float)
        covered["groups"] += inside(st.interval(st.bootstrap_means(values, 1000, i, groups)), 0.5)
        covered["rows"] += inside(st.interval(st.bootstrap_means(values, 1000, i)), 0.5)
    assert 0.90 <= covered["groups"] / 200 <= 0.99
    assert covered["rows"] / 200 < 0.85


def test_intervals_of_paired_differences_cover_what_they_should() -> None:
    """Two models that share what is hard; the second is right with probability 0.05 more on every row."""
    rng = np.random.default_rng(23)
    hits, excluded = 0, 0
    for i in range(300):
        ease = rng.random(300) * 0.9
        draw = rng.random(300)  # one draw for both: what is hard for one is hard for the other
        first, second = (draw < ease).astype(float), (draw < ease + 0.05).astype(float)
        got = st.paired_difference([first], [second], seed=i)
        hits += got.low <= 5 <= got.high
        excluded += got.low > 0
    assert 0.91 <= hits / 300 <= 0.98
    assert excluded / 300 > 0.95  # a difference that two unpaired intervals could not tell from zero


def test_mcnemar_equals_counting_every_way_to_split() -> None:
    """All 2^n ways in which n rows that differ could fall, if either model were as likely to be right."""
    from itertools import product

    for a, b in [(0, 1), (1, 3), (2, 7), (4, 5), (0, 10), (6, 6)]:
        n = a + b
        as_uneven = sum(abs(2 * sum(way) - n) >= abs(a - b) for way in product((0, 1), repeat=n))
        first = np.array([1.0] * a + [0.0] * b)
        assert st.mcnemar(first, 1 - first).p == pytest.approx(as_uneven / 2**n)


def test_mcnemar_under_equal_models_is_seldom_small() -> None:
    rng = np.random.default_rng(24)
    small = 0
    for _ in range(500):
        first, second = (rng.random(2 * 150).reshape(2, 150) < 0.6).astype(float)
        small += st.mcnemar(first, second).p < 0.05
    assert small / 500 <= 0.07
