"""Matrix products for the parser: by numpy's BLAS in float32, always as many rows at a time.

spaCy's own BLAS comes in its plainest build (`blis`, generic kernels). numpy's is faster, but sums in another order for
another number of rows, so that a caption's parse could depend on the captions beside it. Where every product has the
same shape, a row's sums are the same wherever it stands. This is tried for each matrix of weights; where a BLAS does
otherwise, sums are in float64 and rounded once: far below what float32 can hold, and 2.4 times as long.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from thinc.api import NumpyOps
from threadpoolctl import ThreadpoolController

MOST_WEIGHTS = 64  # matrices kept; a pipeline of tagger and parser has seven
ROWS = 96  # of a product: a multiple of what any BLAS takes at once, and little for a caption that comes alone


class _Weights(NamedTuple):
    given: Any  # kept alive, so that its address stays its own
    turned: Any  # (k, m), float32, or float64 where a row's sums depend on its place


class SteadySums(NumpyOps):  # type: ignore[misc]  # thinc brings no types
    """thinc's operations on a CPU, with products of activations (n, k) and weights (m, k) as said above.

    Weights are turned once and must not change. One thread: processes share the work, not a caption's product.
    """

    def __init__(self) -> None:
        super().__init__()
        self._weights: dict[tuple[int, tuple[int, ...]], _Weights] = {}
        self._threads = ThreadpoolController()

    def gemm(self, x: Any, y: Any, out: Any = None, trans1: bool = False, trans2: bool = False) -> Any:
        """The product as float32, in `out` where given; what a parse does not ask for is left to thinc."""
        if trans1 or not trans2 or x.dtype != np.float32:
            return super().gemm(x, y, out=out, trans1=trans1, trans2=trans2)
        if out is None:
            out = np.empty((len(x), len(y)), dtype=np.float32)
        with self._threads.limit(limits=1, user_api="blas"):
            turned = self._turned(y)
            if turned.dtype == np.float64:
                out[:] = x.astype(np.float64) @ turned
                return out
            whole = len(x) - len(x) % ROWS
            for start in range(0, whole, ROWS):
                np.matmul(x[start : start + ROWS], turned, out=out[start : start + ROWS])
            if whole < len(x):
                rest = np.zeros((ROWS, x.shape[1]), dtype=np.float32)
                rest[: len(x) - whole] = x[whole:]
                out[whole:] = (rest @ turned)[: len(x) - whole]
        return out

    def _turned(self, weights: Any) -> Any:
        key = weights.ctypes.data, weights.shape
        if key not in self._weights:
            if len(self._weights) == MOST_WEIGHTS:
                self._weights.clear()
            turned = np.ascontiguousarray(weights.T)
            same = np.tile(np.random.default_rng(0).random(len(turned), dtype=np.float32), (ROWS, 1)) @ turned
            self._weights[key] = _Weights(weights, turned if (same == same[0]).all() else turned.astype(np.float64))
        return self._weights[key].turned
