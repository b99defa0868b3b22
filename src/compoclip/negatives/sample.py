"""A sample of fixed size from a stream: which items are in it depends on their keys, not on their order."""

from __future__ import annotations

import hashlib
from typing import Generic, TypeVar

T = TypeVar("T")


class BottomKSample(Generic[T]):
    """The `size` items whose keys have the smallest hashes; memory for twice as many."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: list[tuple[bytes, str, T]] = []
        self._limit: bytes | None = None  # hashes above it cannot come in any more

    def offer(self, key: str, item: T) -> None:
        rank = hashlib.blake2b(key.encode(), digest_size=8).digest()
        if self._limit is not None and rank > self._limit:
            return
        self._kept.append((rank, key, item))
        if len(self._kept) >= 2 * self.size + 1:
            self._cut()

    def items(self) -> list[T]:
        """At most `size` items, by hash, which is an order as good as random."""
        self._cut()
        return [item for *_, item in self._kept]

    def _cut(self) -> None:
        self._kept.sort(key=lambda kept: kept[:2])
        del self._kept[self.size :]
        if self.size and len(self._kept) == self.size:
            self._limit = self._kept[-1][0]
