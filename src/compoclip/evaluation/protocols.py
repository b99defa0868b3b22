"""Scores in, right or wrong out: pure functions on fp32 arrays, one a form of question.

Every function takes similarities that are already computed and returns one flag a row, the ties it met, and nothing
else; averaging and intervals live in `statistics`. A row is right only where the true answer scores strictly higher
than every false one, unless a benchmark's official rule is asked for by name (`TIE_RULES`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]

TIE_RULES = {
    "strict": "a tie is wrong (SugarCrepe, VALSE, Winoground, and the default everywhere)",
    "first": "a tie is right: argmax with the true answer stored first (What'sUp, NegBench, ARO's order sets)",
    "half": "a tie with k answers counts 1/(k+1): the expectation of a random pick",
}


class Graded(NamedTuple):
    """`correct` (N,) in [0, 1]; `tied` (N,) bool, True where the true answer equals the best false one exactly."""

    correct: NDArray[np.float64]
    tied: Flags


class GradedPairs(NamedTuple):
    """Two images and two captions a row: each field (N,) bool but `tied`, which marks any equality that mattered."""

    text: Flags
    image: Flags
    group: Flags
    tied: Flags


class Ranks(NamedTuple):
    """`rank` (Q,) int64 from 1: place of the best own target; `tied` (Q,): it equals some foreign target exactly."""

    rank: NDArray[np.int64]
    tied: Flags


def check_finite(scores: NDArray[np.floating], what: str = "scores") -> None:
    """Raises InputError naming the first row that holds a NaN or an infinity."""
    good = np.isfinite(scores)
    if not good.all():
        row = int(np.argwhere(~good)[0][0])
        raise InputError(f"{what}: row {row} holds a NaN or an infinity; the model or its input is broken")


def distinct(features: Array) -> tuple[NDArray[np.int64], Array]:
    """Which row of the second result each row of `features` (N, D) is, and the rows that differ (U, D).

    Copies of a photo, and texts that a tokenizer reads alike, must tie exactly; columns of a matrix product that are
    equal in the features need not be equal in the product, so each is multiplied once.
    """
    seen: dict[bytes, int] = {}
    same = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in features], dtype=np.int64)
    return same, features[np.unique(same, return_index=True)[1]]


def check_rule(rule: str) -> None:
    if rule not in TIE_RULES:
        raise InputError(f"tie rule {rule!r} is unknown; choose one of {', '.join(TIE_RULES)}")


def choice(scores: Array, rule: str = "strict", valid: Flags | None = None) -> Graded:
    """One of k: `scores` (N, k) with the true answer in column 0.

    `valid` (N, k) is False where a row has fewer than k candidates. A row whose only candidate is the true one is
    right. Raises InputError for a NaN and for an unknown rule.
    """
    check_rule(rule)
    check_finite(scores)
    others = scores[:, 1:]
    allowed = np.ones_like(others, dtype=bool) if valid is None else valid[:, 1:]
    others = np.where(allowed, others, -np.inf)
    best = others.max(axis=1, initial=-np.inf)
    true = scores[:, 0]
    tied = true == best
    correct = (true > best).astype(np.float64)
    if rule == "first":
        correct[tied] = 1.0
    elif rule == "half":
        correct[tied] = 1.0 / (1.0 + (others[tied] == true[tied, None]).sum(axis=1))
    return Graded(correct, tied)


def pair(true: Array, false: Array, rule: str = "strict") -> Graded:
    """One true and one false caption (or image): `true` and `false` (N,)."""
    return choice(np.stack([true, false], axis=1), rule)


def two_by_two(scores: NDArray[np.floating], rule: str = "strict") -> GradedPairs:
    """Two captions and two images: `scores` (N, 2, 2) indexed [row, caption, image], matches on the diagonal.

    Winoground's text, image and group scores (Thrush et al. 2022): the right caption for each image, the right image
    for each caption, and both. `rule="mmvp"` gives MMVP-VLM's image rule, where a tie means the second image; all
    other names behave as "strict" or "first".
    """
    if rule != "mmvp":
        check_rule(rule)
    if rule == "half":
        raise InputError("tie rule 'half' has no meaning for two-by-two rows; use 'strict' or 'first'")
    check_finite(scores.reshape(len(scores), 4))
    c0i0, c0i1, c1i0, c1i1 = (scores[:, a, b] for a in (0, 1) for b in (0, 1))
    beats: Callable[..., Flags] = np.greater_equal if rule == "first" else np.greater
    text = beats(c0i0, c1i0) & beats(c1i1, c0i1)
    image = beats(c0i0, c0i1) & (c1i1 >= c1i0 if rule == "mmvp" else beats(c1i1, c1i0))
    tied = (c0i0 == c1i0) | (c1i1 == c0i1) | (c0i0 == c0i1) | (c1i1 == c1i0)
    return GradedPairs(text, image, text & image, tied)


def one_sided(scores: NDArray[np.floating], rule: str = "strict") -> dict[str, NDArray[np.float64]]:
    """The four comparisons that `two_by_two` joins, each (N,) in {0, 1}: BiVLC's Ipos, Ineg (an image and two captions)
    and Tpos, Tneg (a caption and two images); Miranda et al. 2024."""
    beats: Callable[..., Flags] = np.greater_equal if rule == "first" else np.greater
    c0i0, c0i1, c1i0, c1i1 = (scores[:, a, b] for a in (0, 1) for b in (0, 1))
    pairs = {"i_pos": (c0i0, c1i0), "i_neg": (c1i1, c0i1), "t_pos": (c0i0, c0i1), "t_neg": (c1i1, c1i0)}
    return {name: beats(true, false).astype(np.float64) for name, (true, false) in pairs.items()}


def equivalence(first: Array, second: Array, false: Array) -> Graded:
    """Two true answers and a false one (SugarCrepe++): right where both true ones beat the false one; (N,) each."""
    check_finite(np.stack([first, second, false], axis=1))
    worst = np.minimum(first, second)
    return Graded((worst > false).astype(np.float64), worst == false)


RETRIEVAL_RULES = {
    "strict": "a foreign target that ties with the best own one is placed before it (the default)",
    "first": "a foreign target that ties is placed after it",
    "index": "ties keep the order of the targets, as a stable sort does",
}


def ranks(scores: Array, own: Sequence[Sequence[int]], rule: str = "strict") -> Ranks:
    """Place of each query's best own target: `scores` (Q, T), `own` the target indices of each query (any number).

    Recall@k in the CLIP convention is the share of queries with `rank <= k`: any own target within the first k.
    """
    if rule not in RETRIEVAL_RULES:
        raise InputError(f"tie rule {rule!r} is unknown; choose one of {', '.join(RETRIEVAL_RULES)}")
    check_finite(scores)
    queries, targets = scores.shape
    rows = np.repeat(np.arange(queries), [len(o) for o in own])
    columns = np.concatenate([np.asarray(o, dtype=np.int64) for o in own]) if queries else np.zeros(0, np.int64)
    mine = np.zeros((queries, targets), dtype=bool)
    mine[rows, columns] = True
    if not mine.any(axis=1).all():
        row = int(np.argmin(mine.any(axis=1)))
        raise InputError(f"query {row} has no own target; give it one or leave it out")
    best = np.where(mine, scores, -np.inf).max(axis=1, keepdims=True)
    foreign_tie = ~mine & (scores == best)
    rank = 1 + (~mine & (scores > best)).sum(axis=1)
    if rule == "strict":
        rank = rank + foreign_tie.sum(axis=1)
    elif rule == "index":
        place = np.argmax(mine & (scores == best), axis=1)
        rank = rank + (foreign_tie & (np.arange(targets) < place[:, None])).sum(axis=1)
    return Ranks(rank.astype(np.int64), foreign_tie.any(axis=1))


def chunks(total: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def retrieval(
    queries: Array,
    targets: Array,
    own: Sequence[Sequence[int]],
    target_of: NDArray[np.int64] | None = None,
    rule: str = "strict",
    chunk_bytes: int = 128 << 20,
) -> Ranks:
    """`ranks` of features without the whole score matrix: `queries` (Q, D), unique `targets` (U, D), all normalised.

    `target_of` (T,) maps each target to its unique row, so that equal captions get equal scores to the last bit
    (matrix products do not promise it for equal columns). Memory is bounded by `chunk_bytes` of scores a block.
    """
    target_of = np.arange(len(targets)) if target_of is None else target_of
    size = max(1, chunk_bytes // (4 * max(1, len(target_of))) // 4)  # scores, their masks and one copy live together
    parts = [
        ranks((queries[block] @ targets.T)[:, target_of], own[block.start : block.stop], rule)
        for block in chunks(len(queries), size)
    ]
    if not parts:
        return Ranks(np.zeros(0, np.int64), np.zeros(0, bool))
    return Ranks(np.concatenate([p.rank for p in parts]), np.concatenate([p.tied for p in parts]))
