"""The parser's matrix products and word vectors: right, whatever else is in the batch; and spaCy's parses."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from thinc.api import NumpyOps, get_current_ops

from compoclip.language.parser import NEEDED, Parser
from compoclip.language.remember import remember_words
from compoclip.language.sums import MOST_WEIGHTS, SteadySums

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


def in_float64(monkeypatch: pytest.MonkeyPatch) -> SteadySums:
    """As where a row's sums depend on its place."""
    monkeypatch.setattr(np, "tile", lambda row, times: np.arange(times[0] * len(row), dtype="f").reshape(times[0], -1))
    return SteadySums()


@pytest.mark.parametrize("double", [False, True])
def test_products_are_sums_in_float32_or_exact_ones_rounded_once(double: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x, weights = matrices(7, 288, 5)
    ops = in_float64(monkeypatch) if double else SteadySums()
    found = ops.gemm(x, weights, trans2=True)
    assert {kept.turned.dtype for kept in ops._weights.values()} == {np.dtype("d" if double else "f")}
    near = 2**-23 if double else 288 * 2**-23
    assert found.dtype == np.float32
    for i in range(len(x)):
        for j in range(len(weights)):
            exact = math.fsum(float(a) * float(b) for a, b in zip(x[i], weights[j]))
            assert found[i, j] == pytest.approx(exact, rel=2**-23, abs=near)
    out = np.empty_like(found)
    assert ops.gemm(x, weights, out=out, trans2=True) is out
    assert np.array_equal(out, found)


@pytest.mark.parametrize("columns", [50, 288])
def test_a_row_does_not_depend_on_the_rows_beside_it(columns: int) -> None:
    ops = SteadySums()
    x, weights = matrices(600, 288, columns)
    whole = ops.gemm(x, weights, trans2=True)
    for start, end in pairwise([0, 1, 3, 10, 23, 39, 87, 187, 600]):
        assert np.array_equal(ops.gemm(x[start:end].copy(), weights, trans2=True), whole[start:end])


def test_other_products_are_left_to_thinc() -> None:
    x, weights = matrices(4, 6, 3)
    assert np.array_equal(SteadySums().gemm(x, weights.T.copy()), NumpyOps().gemm(x, weights.T.copy()))
    with pytest.raises(ValueError):
        SteadySums().gemm(x.astype("d"), weights, trans2=True)


def test_weights_do_not_pile_up() -> None:
    ops = SteadySums()
    for number in range(MOST_WEIGHTS + 5):
        x, weights = matrices(2, 8, 1 + number)
        expected = x.astype("d") @ weights.astype("d").T
        assert ops.gemm(x, weights, trans2=True) == pytest.approx(expected, rel=1e-5, abs=1e-5)
        assert len(ops._weights) <= MOST_WEIGHTS


def test_parses_are_those_of_spacy() -> None:
    import spacy

    before = get_current_ops()
    parser = Parser()
    assert get_current_ops() is before  # other pipelines of the process keep theirs
    assert any(isinstance(node.ops, SteadySums) for node in parser.pipeline.get_pipe("tok2vec").model.walk())
    own = spacy.load(parser.name)
    for name in [name for name in own.pipe_names if name not in NEEDED]:
        own.remove_pipe(name)
    assert not any(isinstance(node.ops, SteadySums) for node in own.get_pipe("tok2vec").model.walk())
    for ours, theirs in zip(parser.pipeline.pipe(CAPTIONS), own.pipe(CAPTIONS), strict=True):
        columns = ["TAG", "DEP", "HEAD"]
        assert ours.to_array(columns).tolist() == theirs.to_array(columns).tolist(), ours.text


def test_words_are_remembered_and_forgotten_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has been read before, vectors are to the bit those of a model that remembers nothing."""
    parser, plain = Parser(), Parser()
    vectors = plain.pipeline.get_pipe("tok2vec").model
    (chain,) = [node for node in vectors.walk() if any(layer.name == "remembering" for layer in node.layers)]
    chain._layers[2:3] = chain.layers[2].layers
    assert "remembering" not in {node.name for node in vectors.walk()}
    monkeypatch.setattr("compoclip.language.remember.MOST", 20)  # of 60 words: forgotten again and again
    for part in (CAPTIONS[:7], CAPTIONS[3:50], ["", "a dog"], CAPTIONS[40:80]):
        docs = [parser.pipeline.make_doc(caption) for caption in part]
        expected = vectors.predict(docs)
        for one, other in zip(parser.pipeline.get_pipe("tok2vec").model.predict(docs), expected, strict=True):
            assert np.array_equal(one, other)


def test_a_model_of_another_make_is_left_as_it_is() -> None:
    from thinc.api import Linear, chain

    model = chain(Linear(2, 3), Linear(3, 2))
    assert not remember_words(model)
    assert [layer.name for layer in model.layers] == ["linear", "linear"]
