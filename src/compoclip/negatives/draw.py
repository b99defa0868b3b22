"""Random choices that depend on a key only: the same on every Python, in every process, in any order of captions."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")
_MASK = (1 << 64) - 1


class Draw:
    """A stream of choices from BLAKE2b of its key, eight 64-bit numbers a block.

    loose: nothing is thinned out, so that whatever may be made is (`chance` is always true).
    held: has something been held back that a loose draw would let pass?
    """

    __slots__ = ("_block", "_digest", "_left", "held", "loose")

    def __init__(self, *key: str | int, loose: bool = False) -> None:
        self.loose, self.held = loose, False
        self._digest = "\x1f".join(map(str, key)).encode()
        self._block, self._left = 0, 0

    def _next(self) -> int:
        if not self._left:
            self._digest = hashlib.blake2b(self._digest).digest()
            self._block, self._left = int.from_bytes(self._digest, "little"), 8
        value = self._block & _MASK
        self._block >>= 64
        self._left -= 1
        return value

    def below(self, bound: int) -> int:
        """An integer in [0, bound)."""
        return (self._next() * bound) >> 64

    def choice(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in random order (Fisher and Yates)."""
        found = list(items)
        block, left = self._block, self._left
        for last in range(len(found) - 1, 0, -1):  # as `below` draws, without two calls an item
            if not left:
                self._digest = hashlib.blake2b(self._digest).digest()
                block, left = int.from_bytes(self._digest, "little"), 8
            other = ((block & _MASK) * (last + 1)) >> 64
            block >>= 64
            left -= 1
            found[last], found[other] = found[other], found[last]
        self._block, self._left = block, left
        return found

    def chance(self, part: int, whole: int) -> bool:
        """True in `part` of `whole` cases, always where part is no less than whole or the draw is a loose one."""
        if self.loose or part >= whole or self.below(whole) < part:
            return True
        self.held = True
        return False

    def weighted(self, cumulative: Sequence[int]) -> int:
        """A position drawn by integer weights, given as their running sums."""
        return bisect_right(cumulative, self.below(cumulative[-1]))

    def by_weight(self, weights: Mapping[str, int]) -> Iterator[str]:
        """The keys with a weight above 0, each once, the heavier ones likely first."""
        left = sorted(key for key, weight in weights.items() if weight > 0)
        while left:
            yield left.pop(self.weighted(list(accumulate(weights[key] for key in left))))
