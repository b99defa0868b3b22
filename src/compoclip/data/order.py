"""Shuffling and drawing without a random state: every choice is a hash of (seed, epoch, what is chosen for).

So an order can be entered at any place, and a draw is the same in any process, which a generator with a state is not.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def digest(*parts: object) -> int:
    """64 bits from the parts' text; the same on every machine and under every PYTHONHASHSEED."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    """A permutation of 0..count-1 (int64): the indices sorted by splitmix64 (Steele et al. 2014) of index and seed."""
    x = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(digest("order", seed, epoch))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(x ^ (x >> np.uint64(31)), kind="stable")


def pick(count: int, *key: object) -> int:
    """One of 0..count-1."""
    return digest("pick", *key) % count


def draw(items: Sequence[T], k: int, *key: object) -> list[T]:
    """`k` of `items` without repetition, in the order drawn.

    All of them, in their own order, where there are no more.
    """
    return list(items) if len(items) <= k else shuffled(items, *key)[:k]


def draw_weighted(items: Sequence[T], weights: Sequence[float], k: int, *key: object) -> list[T]:
    """`k` of `items` without repetition, the heavier ones likelier (Efraimidis and Spirakis 2006); all if no more.

    An item's place is by -log(u) / weight with a hash u of (key, its number), so that equal weights shuffle evenly.
    """
    if len(items) <= k:
        return list(items)
    late = [-math.log((digest("draw", *key, j) + 1) / 2.0**64) / weight for j, weight in enumerate(weights)]
    return [items[j] for j in sorted(range(len(items)), key=late.__getitem__)[:k]]


def shuffled(items: Sequence[T], *key: object) -> list[T]:
    """The items in an order that `key` determines."""
    return [items[j] for j in sorted(range(len(items)), key=lambda j: digest("draw", *key, j))]
