"""What would be scored without looking: a figure that these reach as well says nothing about the model's eyes.

Text-only tricks solve many composition benchmarks (Hsieh et al. 2023; Udandarao et al. 2025), so every score on
captions stands beside four controls, in percent, ties counting half:

- `shorter`: choose the caption with fewer characters;
- `language_model`: choose the one that a trigram model of the other images' true captions finds likelier;
- `no_picture`: the model itself, with the mean of all images in place of each;
- `shuffled`: the model itself, with another row's image.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from compoclip.evaluation import protocols
from compoclip.evaluation.classification import normalise
from compoclip.evaluation.encode import FeatureBank
from compoclip.evaluation.forms import Choice

FOLDS = 5
_known: dict[str, dict[str, float]] = {}  # text-only figures by what the rows ask: the same for every model


def _padded(rows: Sequence[Sequence[float]], width: int) -> protocols.Array:
    out = np.zeros((len(rows), width), dtype=np.float32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def _percent(scores: protocols.Array, valid: NDArray[np.bool_]) -> float:
    return 100.0 * float(protocols.choice(scores, "half", valid).correct.mean())


def _by_likelihood(subset: Choice) -> list[list[float]]:
    from compoclip.negatives.blind import TrigramModel

    fold = [crc32(p.key.encode()) % FOLDS for p in subset.images]
    out: list[list[float]] = [[] for _ in subset.candidates]
    for part in range(FOLDS):
        model = TrigramModel([row[0] for row, f in zip(subset.candidates, fold) if f != part])
        known: dict[str, float] = {}
        for i in (i for i, f in enumerate(fold) if f == part):
            for text in subset.candidates[i]:
                if text not in known:
                    known[text] = model.score(text)
                out[i].append(known[text])
    return out


def text_only(subset: Choice, identity: str) -> dict[str, float]:
    """`shorter` and `language_model` of a subset; kept in memory by `identity`, since no model changes them."""
    if identity not in _known:
        width = max(len(row) for row in subset.candidates)
        valid = np.array([[j < len(row) for j in range(width)] for row in subset.candidates])
        lengths = _padded([[-float(len(t)) for t in row] for row in subset.candidates], width)
        likely = _padded(_by_likelihood(subset), width)
        _known[identity] = {"shorter": _percent(lengths, valid), "language_model": _percent(likely, valid)}
    return dict(_known[identity])


def controls(subset: Choice, bank: FeatureBank, identity: str, seed: int = 0) -> dict[str, float]:
    """The four controls of a subset of captions; {} where it has fewer than two rows."""
    n = len(subset.images)
    if n < 2:
        return {}
    images = bank.image(subset.images)
    mean = normalise(images.mean(axis=0, keepdims=True))
    keys = np.array([p.key for p in subset.images])
    turn = np.random.default_rng([11, seed]).permutation(n)
    other = np.empty(n, dtype=np.int64)
    other[turn] = np.roll(turn, 1)  # one cycle: no row keeps its own place
    same = np.flatnonzero(keys[other] == keys)  # rows whose new image is their own after all, as it occurs twice
    for i in same:
        foreign = np.flatnonzero(keys != keys[i])
        other[i] = foreign[int(i) % len(foreign)] if len(foreign) else i
    found = text_only(subset, identity)
    for name, stand_in in (("no_picture", np.repeat(mean, n, axis=0)), ("shuffled", images[other])):
        scores, valid = subset.scores(bank, stand_in)
        found[name] = _percent(scores, valid)
    return found
