"""Retrieval over a whole set, both ways: places of the best own target, and the form that reports recall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation import statistics
from compoclip.evaluation.images import ImageRef
from compoclip.evaluation.scoring.base import Encoded, Outcome, basic, identity, image_name, percent
from compoclip.evaluation.scoring.comparisons import Array, Flags, check_finite


class Ranking(NamedTuple):
    """`rank` (Q,) int64 from 1: place of the best own target; `tied` (Q,): it equals some foreign target exactly."""

    rank: NDArray[np.int64]
    tied: Flags


def distinct(features: Array) -> tuple[NDArray[np.int64], Array]:
    """Which row of the second result each row of `features` (N, D) is, and the rows that differ (U, D).

    Copies of a photo, and texts that a tokenizer reads alike, must tie exactly; columns of a matrix product that are
    equal in the features need not be equal in the product, so each is multiplied once.
    """
    seen: dict[bytes, int] = {}
    same = np.array([seen.setdefault(row.tobytes(), len(seen)) for row in features], dtype=np.int64)
    return same, features[np.unique(same, return_index=True)[1]]


def ranks(scores: Array, own: Sequence[Sequence[int]], rule: str = "strict") -> Ranking:
    """Place of each query's best own target: `scores` (Q, T), `own` the target indices of each query (any number).

    Recall@k in the CLIP convention is the share of queries with `rank <= k`: any own target within the first k. A
    foreign target that ties with the best own one is placed before it ("strict") or after it ("first").
    """
    if rule not in ("strict", "first"):
        raise InputError(f"tie rule {rule!r} is unknown here; choose one of strict, first")
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
    return Ranking(rank.astype(np.int64), foreign_tie.any(axis=1))


def chunks(total: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def retrieval(
    queries: Array,
    targets: Array,
    own: Sequence[Sequence[int]],
    target_of: NDArray[np.int64] | None = None,
    rule: str = "strict",
    chunk_bytes: int = 128 << 20,
) -> Ranking:
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
        return Ranking(np.zeros(0, np.int64), np.zeros(0, bool))
    return Ranking(np.concatenate([p.rank for p in parts]), np.concatenate([p.tied for p in parts]))


@dataclass
class Retrieval:
    """Images with any number of captions each; graded both ways as `NAME/i2t` and `NAME/t2i`.

    A rank has no half, so the tie rule "half" leaves it strict.
    """

    name: str
    images: Sequence[ImageRef]
    texts: Sequence[Sequence[str]]
    missing: int = 0
    rule: str = "strict"
    part: str = "retrieval"
    ks: tuple[int, ...] = (1, 5, 10)

    def __post_init__(self) -> None:
        self.rule = "strict" if self.rule == "half" else self.rule
        for image_ref, own in zip(self.images, self.texts):
            if not own:
                raise InputError(f"{image_ref.where}: no caption; give it one or leave the image out")

    def image_refs(self) -> Sequence[ImageRef]:
        return self.images

    def captions(self) -> Sequence[str]:
        return [t for row in self.texts for t in row]

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        texts = list(self.captions())
        sizes = np.array([len(t) for t in self.texts], dtype=np.int64)
        owner = np.repeat(np.arange(len(self.images)), sizes)
        own_texts = [range(end - size, end) for size, end in zip(sizes.tolist(), np.cumsum(sizes).tolist())]
        text_of, unique_texts = _compact(encoded.text_index(texts), encoded.texts)
        image_of, unique_images = _compact(encoded.image_index(self.images), encoded.images)
        i2t = retrieval(unique_images[image_of], unique_texts, own_texts, text_of, self.rule)
        t2i = retrieval(unique_texts[text_of], unique_images, [[int(o)] for o in owner], image_of, self.rule)
        i2t_chance = {k: 100 * _any_chance(sizes, len(texts), k) for k in self.ks}
        t2i_chance = {k: 100.0 * min(1.0, k / max(1, len(self.images))) for k in self.ks}
        names = [p.where for p in self.images]
        i2t_rows = [
            {"image": names[i], "rank": int(r), "correct": float(r == 1), "tied": bool(i2t.tied[i])}
            for i, r in enumerate(i2t.rank)
        ]
        t2i_rows = [
            {"caption": texts[j], "image": names[owner[j]], "rank": int(r), "correct": float(r == 1)}
            for j, r in enumerate(t2i.rank)
        ]
        who = identity([image_name(p) + "\t" + "\t".join(t) for p, t in zip(self.images, self.texts)])
        return [
            (f"{self.name}/i2t", self._outcome(i2t, i2t_chance, seed, None, i2t_rows, who)),
            (f"{self.name}/t2i", self._outcome(t2i, t2i_chance, seed, owner, t2i_rows, who)),
        ]

    def _outcome(
        self, ranks: Ranking, chance: dict[int, float], seed: int, groups: Any, rows: Any, who: str
    ) -> Outcome:
        hits = (ranks.rank <= self.ks[0]).astype(np.float64)
        metrics = basic(hits, ranks.tied, self.missing, chance[self.ks[0]], seed, groups)
        for k in self.ks:
            metrics[f"R@{k}"] = percent(ranks.rank <= k)
        if groups is not None:
            metrics["clusters"] = statistics.clusters(groups)
        metrics["median_rank"] = float(np.median(ranks.rank)) if len(hits) else None
        return Outcome(metrics, hits, rows, who)


def _compact(index: NDArray[np.int64], features: Array) -> tuple[NDArray[np.int64], Array]:
    """Which of the features that differ each item has, and those (see `distinct`)."""
    used, place = np.unique(index, return_inverse=True)
    same, features = distinct(features[used])
    return same[place.reshape(-1)], features


def _any_chance(sizes: NDArray[np.int64], total: int, k: int) -> float:
    """Mean chance that a random order puts any of an image's own captions in the first k of `total`."""
    if not len(sizes):
        return 0.0
    miss = np.ones(len(sizes))
    for j in range(min(k, total)):
        miss *= np.clip((total - sizes - j) / (total - j), 0, None)
    return float(np.mean(1 - miss))
