"""Zero-shot metrics against their definitions written out."""

from __future__ import annotations

import numpy as np
import pytest

from compoclip.errors import InputError
from compoclip.evaluation.scoring import classification as c


def test_classifier_averages_normalised_templates() -> None:
    rng = np.random.default_rng(0)
    text = rng.normal(size=(3, 4, 8)).astype(np.float32)
    got = c.classifier(text)
    for k in range(3):
        total = np.zeros(8)
        for t in range(4):
            v = text[k, t].astype(np.float64)
            total += v / np.sqrt((v**2).sum())
        np.testing.assert_allclose(got[k], total / np.sqrt((total**2).sum()), atol=1e-6)


def test_classify_counts_ties_against_the_model() -> None:
    weights = np.float32([[1, 0], [0, 1], [1, 0]])
    images = np.float32([[1, 0], [0, 1], [0.6, 0.8]])
    got = c.classify(images, weights, np.array([0, 1, 0]))
    assert got.graded.correct.tolist() == [0, 1, 0]
    assert got.graded.tied.tolist() == [True, False, False]
    assert got.predicted.tolist() == [0, 1, 1]
    assert c.classify(images, weights, np.array([0, 1, 0]), "first").graded.correct.tolist() == [1, 1, 0]


def test_labels_outside_the_classes_are_named() -> None:
    with pytest.raises(InputError, match="row 1: label 2 is outside the 2 classes"):
        c.classify(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), np.array([0, 2]))


def test_mean_per_class_weighs_classes_equally() -> None:
    assert c.mean_per_class(np.array([1, 1, 1, 0.0]), np.array([0, 0, 0, 4])) == 0.5


def test_roc_auc_equals_counted_pairs() -> None:
    rng = np.random.default_rng(1)
    score, positive = rng.integers(0, 6, 80).astype(float), rng.random(80) < 0.4
    pairs = [(p > n) + 0.5 * (p == n) for p in score[positive] for n in score[~positive]]
    assert c.roc_auc(score, positive) == pytest.approx(np.mean(pairs), abs=1e-12)
    with pytest.raises(InputError, match="both classes"):
        c.roc_auc(score, np.ones(80, bool))


def test_average_precision_11_by_hand() -> None:
    # ranked: hit, miss, hit, miss -> precision 1, 1/2, 2/3, 1/2 at recall 1/2, 1/2, 1, 1
    got = c.average_precision_11(np.array([4.0, 3, 2, 1]), np.array([True, False, True, False]))
    assert got == pytest.approx((6 * 1.0 + 5 * 2 / 3) / 11)


def test_elevaters_and_vocs_average_precision() -> None:
    """ELEVATER's evaluator takes scikit-learn's curve, which ends in precision 1 at recall 0."""
    score, positive = np.array([0.9, 0.8, 0.7]), np.array([False, True, True])
    assert c.average_precision_11(score, positive) == pytest.approx(0.697, abs=5e-4)
    assert c.average_precision_11(score, positive, voc=True) == pytest.approx(2 / 3)
    tied = np.array([0.5, 0.5])
    for labels in ([True, False], [False, True]):
        assert c.average_precision_11(tied, np.array(labels)) == pytest.approx(6 / 11)
        assert c.average_precision_11(tied, np.array(labels), voc=True) == pytest.approx(0.5)


@pytest.mark.parametrize("voc", [False, True])
def test_average_precision_equals_a_curve_point_by_point(voc: bool) -> None:
    """Every threshold of the scores gives one point of the curve, whatever the order of the rows."""
    rng = np.random.default_rng(8)
    for _ in range(30):
        score, positive = rng.integers(0, 9, 40) / 8, rng.random(40) < 0.3
        positive[0] = True
        curve = [] if voc else [(0.0, 1.0)]
        for threshold in set(score.tolist()):
            found = score >= threshold
            curve.append(((found & positive).sum() / positive.sum(), (found & positive).sum() / found.sum()))
        points = [max((p for r, p in curve if r >= t / 10 - 1e-9), default=0.0) for t in range(11)]
        turn = rng.permutation(40)
        assert c.average_precision_11(score[turn], positive[turn], voc) == pytest.approx(sum(points) / 11)


def test_average_precision_equals_scikit_learns_curve() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(9)
    score, positive = rng.integers(0, 30, 300) / 30, rng.random(300) < 0.2
    precision, recall, _ = metrics.precision_recall_curve(positive, score)
    points = [precision[recall >= t - 1e-12].max() for t in np.linspace(0, 1, 11)]
    assert c.average_precision_11(score, positive) == pytest.approx(np.mean(points))


def test_the_rank_of_the_true_class_equals_a_sort() -> None:
    rng = np.random.default_rng(10)
    images, weights = (c.normalise(rng.integers(-1, 2, (n, 6)) + 0.5) for n in (80, 12))
    labels = rng.integers(0, 12, 80)
    for rule in ("strict", "first"):
        found = c.classify(images, weights, labels, rule)
        for i, label in enumerate(labels):
            others = [s for k, s in enumerate(found.scores[i]) if k != label]
            before = sum(
                s > found.scores[i, label] or (s == found.scores[i, label] and rule == "strict") for s in others
            )
            assert found.rank[i] == 1 + before


def test_softmax_rows_sum_to_one() -> None:
    got = c.softmax(np.float32([[0.1, 0.3], [0.9, -0.9]]))
    np.testing.assert_allclose(got.sum(1), 1)
    assert got[0, 1] == pytest.approx(1 / (1 + np.exp(-20)), rel=1e-5)


def test_zero_features_are_refused() -> None:
    with pytest.raises(InputError, match="length zero"):
        c.normalise(np.zeros((1, 3)))


def test_classes_that_a_model_reads_alike_tie_to_the_last_bit() -> None:
    """130 classes of which each third one has the vector of another, and pictures of an odd number and width."""
    rng = np.random.default_rng(7)
    weights = c.normalise(rng.normal(size=(130, 37)))
    twins = np.arange(0, 130, 3)
    weights[twins[::-1][: len(twins) // 2]] = weights[twins[: len(twins) // 2]]
    images = c.normalise(rng.normal(size=(333, 37)))
    labels = rng.choice(twins[: len(twins) // 2], 333)
    scores = c.classify(images, weights, labels).scores
    for place in twins[: len(twins) // 2]:
        equal = np.flatnonzero((weights == weights[place]).all(axis=1))
        assert len(equal) == 2
        assert (scores[:, equal] == scores[:, [place]]).all()
    strict = c.classify(images, weights, labels).graded
    first = c.classify(images, weights, labels, "first").graded
    assert strict.correct.sum() == 0
    assert first.correct.sum() == strict.tied.sum() > 0
