"""Every protocol against a double loop written from the definitions, with ties, duplicates and ragged rows."""

from __future__ import annotations

import numpy as np
import pytest

from compoclip.errors import InputError
from compoclip.evaluation.scoring import HALF_TRUTH, HARD_POSITIVE, TWO_BY_TWO, TWO_TRUE, Shape, comparisons, ranking
from compoclip.evaluation.scoring.grid import Scores


def coarse(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Scores on a grid of five values, so that ties are common."""
    return rng.integers(0, 5, size=shape).astype(np.float32) / 4


def slow_choice(row: list[float], rule: str) -> tuple[float, bool]:
    above = sum(1 for s in row[1:] if s > row[0])
    equal = sum(1 for s in row[1:] if s == row[0])
    if above:
        return 0.0, False
    if not equal:
        return 1.0, False
    return {"strict": 0.0, "first": 1.0, "half": 1 / (equal + 1)}[rule], True


@pytest.mark.parametrize("rule", list(comparisons.TIE_RULES))
def test_choice_equals_a_loop(rule: str) -> None:
    rng = np.random.default_rng(0)
    scores = coarse(rng, 300, 5)
    length = rng.integers(1, 6, size=300)
    valid = np.arange(5)[None, :] < length[:, None]
    got = comparisons.choice(scores, rule, valid)
    want = [slow_choice(scores[i, : length[i]].tolist(), rule) for i in range(300)]
    assert got.correct.tolist() == [w[0] for w in want]
    assert got.tied.tolist() == [w[1] for w in want]
    assert got.tied.sum() > 30


def filled(shape: Shape, captions: int, images: int, n: int, seed: int) -> Scores:
    """Coarse scores in every cell that a shape compares."""
    rng = np.random.default_rng(seed)
    scores = Scores([captions] * n, [images] * n)
    for question in [*shape.asks.values(), *shape.outcomes.values()]:
        for cell in comparisons.cells(comparisons.parse(question, captions, images)):
            scores.cell(cell)[:] = coarse(rng, n)
    return scores


@pytest.mark.parametrize("rule", ["strict", "first"])
def test_two_by_two_equals_a_loop(rule: str) -> None:
    scores = filled(TWO_BY_TWO, 2, 2, 400, 1)
    got = {name: scores.judged(question, rule) for name, question in TWO_BY_TWO.asks.items()}
    equal = scores.equal(TWO_BY_TWO.asks["group"])
    for i in range(400):
        a, b, c, d = (float(scores.cell(f"c{k}i{j}")[i]) for k in (0, 1) for j in (0, 1))

        def beats(x: float, y: float) -> bool:
            return x >= y if rule == "first" else x > y

        text, image = beats(a, c) and beats(d, b), beats(a, b) and beats(d, c)
        assert [got[name].correct[i] for name in ("text", "image", "group")] == [text, image, text and image]
        assert equal[i] == any(x == y for x, y in ((a, c), (d, b), (a, b), (d, c)))


def test_two_true_captions_equal_a_loop() -> None:
    scores = filled(TWO_TRUE, 3, 1, 300, 3)
    itt, tot = (scores.judged(TWO_TRUE.asks[name], "strict") for name in ("accuracy", "tot"))
    for i in range(300):
        a, b, no = (float(scores.cell(f"c{k}i0")[i]) for k in range(3))
        both, one, two = (float(scores.cell(name)[i]) for name in ("c0c1", "c0c2", "c1c2"))
        assert itt.correct[i] == (a > no and b > no)
        assert itt.tied[i] == (min(a, b) == no)
        assert tot.correct[i] == (both > max(one, two))


def test_hard_positives_equal_a_loop_and_their_outcomes_divide_the_rows() -> None:
    scores = filled(HARD_POSITIVE, 4, 1, 400, 4)
    asked = {name: scores.judged(q, "strict").correct for name, q in HARD_POSITIVE.asks.items()}
    outcomes = [scores.judged(q, "strict").correct for q in HARD_POSITIVE.outcomes.values()]
    tied = scores.equal(HARD_POSITIVE.asks["accuracy"])
    for i in range(400):
        c, p, n, first = (float(scores.cell(f"c{k}i0")[i]) for k in range(4))
        want = {"accuracy": c > n and p > n, "original": c > first, "positive": p > n}
        want["brittleness"] = min(c, p) < n < max(c, p)
        assert {name: bool(hits[i]) for name, hits in asked.items()} == want
    assert (np.sum(outcomes, axis=0) + tied == 1).all()


@pytest.mark.parametrize(
    ("question", "captions", "images", "want"),
    [
        ("c0i0 > c*i0", 2, 1, 1 / 2),
        ("c0i0 > c0i*", 1, 10, 1 / 10),
        (TWO_BY_TWO.asks["text"], 2, 2, 1 / 4),
        (TWO_BY_TWO.asks["image"], 2, 2, 1 / 4),
        (TWO_BY_TWO.asks["group"], 2, 2, 1 / 6),
        (TWO_TRUE.asks["accuracy"], 3, 1, 1 / 3),
        (TWO_TRUE.asks["tot"], 3, 1, 1 / 3),
        (HARD_POSITIVE.asks["brittleness"], 4, 1, 1 / 3),
        (HALF_TRUTH.asks["cor"], 3, 1, 1 / 6),
    ],
)
def test_chance_is_worked_out_from_the_question(question: str, captions: int, images: int, want: float) -> None:
    assert comparisons.chance(question, captions, images) == pytest.approx(want)
    n = 20_000
    scores = Scores([captions] * n, [images] * n)
    rng = np.random.default_rng(2)
    for cell in comparisons.cells(comparisons.parse(question, captions, images)):
        scores.cell(cell)[:] = rng.normal(size=n)
    assert abs(scores.judged(question, "strict").correct.mean() - want) < 4 * np.sqrt(want * (1 - want) / n)


def test_a_broken_question_is_named() -> None:
    with pytest.raises(InputError, match="'c0 > c1' is no comparison"):
        comparisons.parse("c0i0 > c1i0, c0 > c1", 2, 1)


def slow_rank(row: list[float], own: list[int], rule: str) -> int:
    """Sort targets by score; among equals own ones come last or first."""
    place = {"strict": lambda j: j in own, "first": lambda j: j not in own}[rule]
    order = sorted(range(len(row)), key=lambda j: (-row[j], place(j)))
    return 1 + min(order.index(j) for j in own)


@pytest.mark.parametrize("rule", ["strict", "first"])
def test_ranks_equal_a_sort(rule: str) -> None:
    rng = np.random.default_rng(4)
    scores = coarse(rng, 60, 25)
    own = [sorted(rng.choice(25, size=rng.integers(1, 7), replace=False).tolist()) for _ in range(60)]
    got = ranking.ranks(scores, own, rule)
    assert got.rank.tolist() == [slow_rank(scores[i].tolist(), own[i], rule) for i in range(60)]


def test_retrieval_in_blocks_with_duplicates_equals_one_matrix() -> None:
    rng = np.random.default_rng(5)
    images = rng.normal(size=(40, 16)).astype(np.float32)
    unique = rng.normal(size=(30, 16)).astype(np.float32)
    target_of = rng.integers(0, 30, size=240)  # six captions an image, most of them shared with other images
    own = [range(6 * i, 6 * i + 6) for i in range(40)]
    whole = ranking.ranks((images @ unique.T)[:, target_of], own)
    blocks = ranking.retrieval(images, unique, own, target_of, chunk_bytes=4 * 240 * 4 * 3)
    assert blocks.rank.tolist() == whole.rank.tolist()
    assert blocks.tied.sum() > 0


def test_a_query_without_target_is_named() -> None:
    with pytest.raises(InputError, match="query 1 has no own target"):
        ranking.ranks(np.zeros((2, 3), np.float32), [[0], []])


def test_nan_is_named_by_row() -> None:
    scores = np.zeros((3, 2), np.float32)
    scores[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2 contains a NaN"):
        comparisons.choice(scores)


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(InputError, match="unknown"):
        comparisons.choice(np.zeros((1, 2), np.float32), "lucky")
    with pytest.raises(InputError, match="unknown"):
        ranking.ranks(np.zeros((1, 2), np.float32), [[0]], "lucky")
