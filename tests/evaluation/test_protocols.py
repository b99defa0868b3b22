"""Every protocol against a double loop written from the definitions, with ties, duplicates and ragged rows."""

from __future__ import annotations

import numpy as np
import pytest

from compoclip.errors import InputError
from compoclip.evaluation import protocols


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


@pytest.mark.parametrize("rule", list(protocols.TIE_RULES))
def test_choice_equals_a_loop(rule: str) -> None:
    rng = np.random.default_rng(0)
    scores = coarse(rng, 300, 5)
    length = rng.integers(1, 6, size=300)
    valid = np.arange(5)[None, :] < length[:, None]
    got = protocols.choice(scores, rule, valid)
    want = [slow_choice(scores[i, : length[i]].tolist(), rule) for i in range(300)]
    assert got.correct.tolist() == [w[0] for w in want]
    assert got.tied.tolist() == [w[1] for w in want]
    assert got.tied.sum() > 30


def test_pair_counts_ties_as_wrong() -> None:
    got = protocols.pair(np.float32([1, 2, 3]), np.float32([1, 1, 4]))
    assert got.correct.tolist() == [0, 1, 0]
    assert got.tied.tolist() == [True, False, False]


@pytest.mark.parametrize("rule", ["strict", "first", "mmvp"])
def test_two_by_two_equals_a_loop(rule: str) -> None:
    scores = coarse(np.random.default_rng(1), 400, 2, 2)
    got = protocols.two_by_two(scores, rule)
    for i, s in enumerate(scores.tolist()):

        def beats(a: float, b: float) -> bool:
            return a >= b if rule == "first" else a > b

        text = beats(s[0][0], s[1][0]) and beats(s[1][1], s[0][1])
        second = s[1][1] >= s[1][0] if rule == "mmvp" else beats(s[1][1], s[1][0])
        image = beats(s[0][0], s[0][1]) and second
        assert (got.text[i], got.image[i], got.group[i]) == (text, image, text and image)


def test_two_by_two_chance_on_random_scores() -> None:
    scores = np.random.default_rng(2).normal(size=(40_000, 2, 2))
    got = protocols.two_by_two(scores)
    for flags, chance in ((got.text, 1 / 4), (got.image, 1 / 4), (got.group, 1 / 6)):
        assert abs(flags.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / 40_000)


def test_equivalence_equals_a_loop() -> None:
    a, b, c = coarse(np.random.default_rng(3), 3, 200)
    got = protocols.equivalence(a, b, c)
    assert got.correct.tolist() == [float(x > z and y > z) for x, y, z in zip(a, b, c)]
    assert got.tied.tolist() == [min(x, y) == z for x, y, z in zip(a, b, c)]


def slow_rank(row: list[float], own: list[int], rule: str) -> int:
    """Sort targets by score; among equals own ones come last, first, or as they lie."""
    place = {"strict": lambda j: j in own, "first": lambda j: j not in own, "index": lambda j: j}[rule]
    order = sorted(range(len(row)), key=lambda j: (-row[j], place(j)))
    return 1 + min(order.index(j) for j in own)


@pytest.mark.parametrize("rule", list(protocols.RETRIEVAL_RULES))
def test_ranks_equal_a_sort(rule: str) -> None:
    rng = np.random.default_rng(4)
    scores = coarse(rng, 60, 25)
    own = [sorted(rng.choice(25, size=rng.integers(1, 7), replace=False).tolist()) for _ in range(60)]
    got = protocols.ranks(scores, own, rule)
    assert got.rank.tolist() == [slow_rank(scores[i].tolist(), own[i], rule) for i in range(60)]


def test_retrieval_in_blocks_with_duplicates_equals_one_matrix() -> None:
    rng = np.random.default_rng(5)
    images = rng.normal(size=(40, 16)).astype(np.float32)
    unique = rng.normal(size=(30, 16)).astype(np.float32)
    target_of = rng.integers(0, 30, size=240)  # six captions an image, most of them shared with other images
    own = [range(6 * i, 6 * i + 6) for i in range(40)]
    whole = protocols.ranks((images @ unique.T)[:, target_of], own)
    blocks = protocols.retrieval(images, unique, own, target_of, chunk_bytes=4 * 240 * 4 * 3)
    assert blocks.rank.tolist() == whole.rank.tolist()
    assert blocks.tied.sum() > 0


def test_a_query_without_target_is_named() -> None:
    with pytest.raises(InputError, match="query 1 has no own target"):
        protocols.ranks(np.zeros((2, 3), np.float32), [[0], []])


def test_nan_is_named_by_row() -> None:
    scores = np.zeros((3, 2), np.float32)
    scores[2, 1] = np.nan
    with pytest.raises(InputError, match="row 2 holds a NaN"):
        protocols.choice(scores)


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(InputError, match="unknown"):
        protocols.choice(np.zeros((1, 2), np.float32), "lucky")
    with pytest.raises(InputError, match="unknown"):
        protocols.ranks(np.zeros((1, 2), np.float32), [[0]], "lucky")
    with pytest.raises(InputError, match="no meaning"):
        protocols.two_by_two(np.zeros((1, 2, 2), np.float32), "half")
