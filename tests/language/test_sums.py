"""The parser's matrix products: right to the last bit of float32, whatever else is in the batch, and spaCy's parses."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from thinc.api import NumpyOps, get_current_ops

from compoclip.language.parser import NEEDED, Parser
from compoclip.language.sums import MOST_WEIGHTS, Float64Sums

SUBJECTS = [
    "a brown dog",
    "two people",
    "the man in a red hat",
    "A train",
    "some kids' bikes",
    "an old-fashioned clock",
]
DEEDS = ["sits on", "standing next to", "is being held by", "flies over", "parked in front of", "eats"]
OBJECTS = ["a wooden table.", "the big blue bus", "his surf board", "a plate of fruit and bread", "many sheep ."]
CAPTIONS = [f"{one} {deed} {other}" for one in SUBJECTS for deed in DEEDS for other in OBJECTS]


def matrices(rows: int, width: int, columns: int) -> tuple[Any, Any]:
    draw = np.random.default_rng(rows * width)
    return draw.standard_normal((rows, width)).astype("f"), draw.standard_normal((columns, width)).astype("f")


def test_products_are_exact_sums_rounded_once() -> None:
    x, weights = matrices(7, 288, 5)
    found = Float64Sums().gemm(x, weights, trans2=True)
    assert found.dtype == np.float32
    for i in range(len(x)):
        for j in range(len(weights)):
            exact = math.fsum(float(a) * float(b) for a, b in zip(x[i], weights[j]))
            assert found[i, j] == pytest.approx(exact, rel=2**-23, abs=2**-23)
    out = np.empty_like(found)
    assert Float64Sums().gemm(x, weights, out=out, trans2=True) is out
    assert np.array_equal(out, found)


@pytest.mark.parametrize("columns", [50, 288])
def test_a_row_does_not_depend_on_the_rows_beside_it(columns: int) -> None:
    ops = Float64Sums()
    x, weights = matrices(600, 288, columns)
    whole = ops.gemm(x, weights, trans2=True)
    for start, end in pairwise([0, 1, 3, 10, 23, 39, 87, 187, 600]):
        assert np.array_equal(ops.gemm(x[start:end].copy(), weights, trans2=True), whole[start:end])


def test_other_products_are_left_to_thinc() -> None:
    x, weights = matrices(4, 6, 3)
    assert np.array_equal(Float64Sums().gemm(x, weights.T.copy()), NumpyOps().gemm(x, weights.T.copy()))
    with pytest.raises(ValueError):
        Float64Sums().gemm(x.astype("d"), weights, trans2=True)


def test_weights_do_not_pile_up() -> None:
    ops = Float64Sums()
    for number in range(MOST_WEIGHTS + 5):
        x, weights = matrices(2, 8, 1 + number)
        expected = x.astype("d") @ weights.astype("d").T
        assert ops.gemm(x, weights, trans2=True) == pytest.approx(expected, rel=1e-6)
        assert len(ops._weights) <= MOST_WEIGHTS


def test_parses_are_those_of_spacy() -> None:
    import spacy

    before = get_current_ops()
    parser = Parser()
    assert get_current_ops() is before  # other pipelines of the process keep theirs
    assert any(isinstance(node.ops, Float64Sums) for node in parser.pipeline.get_pipe("tok2vec").model.walk())
    own = spacy.load(parser.name)
    for name in [name for name in own.pipe_names if name not in NEEDED]:
        own.remove_pipe(name)
    assert not any(isinstance(node.ops, Float64Sums) for node in own.get_pipe("tok2vec").model.walk())
    for ours, theirs in zip(parser.pipeline.pipe(CAPTIONS), own.pipe(CAPTIONS), strict=True):
        columns = ["TAG", "DEP", "HEAD"]
        assert ours.to_array(columns).tolist() == theirs.to_array(columns).tolist(), ours.text
