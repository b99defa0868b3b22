"""Matrix products for the parser: summed in float64 by numpy's BLAS and rounded once.

spaCy's own BLAS comes in its plainest build (`blis`, generic kernels), which takes two thirds of a parse. numpy's is
several times faster, but sums in another order for another number of rows, so that a caption's parse could depend on
the captions beside it. In float64 that stays far below what float32 can hold, and it is still faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from thinc.api import NumpyOps
from threadpoolctl import ThreadpoolController

MOST_WEIGHTS = 64  # matrices kept in float64; a pipeline of tagger and parser has seven


class Float64Sums(NumpyOps):  # type: ignore[misc]  # thinc brings no types
    """thinc's operations on a CPU, with products of activations (n, k) and weights (m, k) as said above.

    Weights are converted once and must not change. One thread: processes share the work, not a caption's product.
    """

    def __init__(self) -> None:
        super().__init__()
        self._weights: dict[tuple[int, tuple[int, ...]], tuple[Any, Any]] = {}
        self._threads = ThreadpoolController()

    def gemm(self, x: Any, y: Any, out: Any = None, trans1: bool = False, trans2: bool = False) -> Any:
        """The product as float32, in `out` where given; what a parse does not ask for is left to thinc."""
        if trans1 or not trans2 or x.dtype != np.float32:
            return super().gemm(x, y, out=out, trans1=trans1, trans2=trans2)
        with self._threads.limit(limits=1, user_api="blas"):
            product = x.astype(np.float64) @ self._in_float64(y)
        if out is None:
            return product.astype(np.float32)
        out[:] = product
        return out

    def _in_float64(self, weights: Any) -> Any:
        key = weights.ctypes.data, weights.shape
        if key not in self._weights:
            if len(self._weights) == MOST_WEIGHTS:
                self._weights.clear()
            self._weights[key] = weights, weights.astype(np.float64).T  # kept alive, so that its address stays its own
        return self._weights[key][1]
