"""What would be scored without looking: a figure that these reach as well says nothing about the model's eyes.

Text-only tricks solve many composition benchmarks (Hsieh et al. 2023; Udandarao et al. 2025), so every score on
captions stands beside four controls, in percent, ties counting half:

- `shorter`: choose the caption with fewer characters;
- `language_model`: choose the one that a trigram model of the other images' true captions finds likelier;
- `no_picture`: the model itself, with the mean of all images in place of each;
- `shuffled`: the model itself, with another row's image.

Where two captions are true (SugarCrepe++, hard positives), both must be chosen before the false one. Where a caption
asks for one of several images, what the model would say without reading: `no_caption`, the mean of all captions in
place of each, and `other_caption`, that of another row. Rows of two images and two captions have `shuffled` alone:
whoever does not look prefers one caption for both images, and gets 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from compoclip.evaluation import protocols
from compoclip.evaluation.classification import normalise
from compoclip.evaluation.encode import FeatureBank
from compoclip.evaluation.forms import Choice, Equivalence, ImageChoice, Sensitivity, Subset, TwoByTwo

FOLDS = 5
_known: dict[str, dict[str, float]] = {}  # text-only figures by what the rows ask: the same for every model


def _padded(rows: Sequence[Sequence[float]], width: int) -> protocols.Array:
    out = np.zeros((len(rows), width), dtype=np.float32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def _percent(scores: protocols.Array, valid: NDArray[np.bool_], true: int = 1) -> float:
    """Rows right where each of the first `true` columns is above the others; a tie counts as a random pick would."""
    if true == 2:
        trues, false = scores[:, :2], scores[:, 2:]
        alike = (trues == false).sum(axis=1)
        return 100.0 * float(np.where((trues < false).any(axis=1), 0.0, 1.0 / (1 + alike)).mean())
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


def text_only(subset: Choice, identity: str, true: int = 1) -> dict[str, float]:
    """`shorter` and `language_model` of a subset; kept in memory by `identity`, since no model changes them."""
    if identity not in _known:
        width = max(len(row) for row in subset.candidates)
        valid = np.array([[j < len(row) for j in range(width)] for row in subset.candidates])
        lengths = _padded([[-float(len(t)) for t in row] for row in subset.candidates], width)
        likely = _padded(_by_likelihood(subset), width)
        _known[identity] = {"shorter": _percent(lengths, valid, true), "language_model": _percent(likely, valid, true)}
    return dict(_known[identity])


def _other(keys: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Another row for each row, of another key where there is any: no row keeps its own."""
    n, named = len(keys), np.array(keys)
    turn = np.random.default_rng([11, seed]).permutation(n)
    other = np.empty(n, dtype=np.int64)
    other[turn] = np.roll(turn, 1)  # one cycle: no row keeps its own place
    same = np.flatnonzero(named[other] == named)  # rows that got their own after all, as it occurs twice
    for i in same:
        foreign = np.flatnonzero(named != named[i])
        other[i] = foreign[int(i) % len(foreign)] if len(foreign) else i
    return other


def _captions(subset: Choice, bank: FeatureBank, identity: str, seed: int, true: int) -> dict[str, float]:
    images = bank.image(subset.images)
    mean = normalise(images.mean(axis=0, keepdims=True))
    other = _other([p.key for p in subset.images], seed)
    found = text_only(subset, identity, true)
    for name, stand_in in (("no_picture", np.repeat(mean, len(images), axis=0)), ("shuffled", images[other])):
        scores, valid = subset.scores(bank, stand_in)
        found[name] = _percent(scores, valid, true)
    return found


def _images(subset: ImageChoice, bank: FeatureBank, seed: int) -> dict[str, float]:
    texts = bank.text(subset.texts)
    mean = normalise(texts.mean(axis=0, keepdims=True))
    width = max(len(row) for row in subset.images)
    valid = np.array([[j < len(row) for j in range(width)] for row in subset.images])
    found = {}
    stand_ins = (
        ("no_caption", np.repeat(mean, len(texts), axis=0)),
        ("other_caption", texts[_other(subset.texts, seed)]),
    )
    for name, stand_in in stand_ins:
        rows = [(bank.image(row) @ text).tolist() for row, text in zip(subset.images, stand_in)]
        found[name] = _percent(_padded(rows, width), valid)
    return found


def _squares(subset: TwoByTwo, bank: FeatureBank, seed: int) -> dict[str, float]:
    other = _other(["\0".join(p.key for p in row) for row in subset.images], seed)
    moved = TwoByTwo(
        subset.name, [subset.images[i] for i in other], subset.texts, rule=subset.rule, headline=subset.headline
    )
    accuracy = moved.grade(bank, seed)[0][1].metrics["accuracy"]
    return {"shuffled": float(accuracy)}


def controls(subset: Subset, bank: FeatureBank, identity: str, seed: int = 0) -> dict[str, float]:
    """The controls of a composition subset; {} where it has fewer than two rows, or is of another sort."""
    if isinstance(subset, Choice):
        return _captions(subset, bank, identity, seed, 1) if len(subset.images) > 1 else {}
    if isinstance(subset, Equivalence):
        asked = Choice(subset.name, subset.images, subset.triples)
        return _captions(asked, bank, identity, seed, 2) if len(subset.images) > 1 else {}
    if isinstance(subset, Sensitivity):
        triples = list(zip(subset.truths, subset.positives, subset.negatives))
        asked = Choice(subset.name, subset.images, triples)
        return _captions(asked, bank, identity, seed, 2) if len(triples) > 1 else {}
    if isinstance(subset, ImageChoice):
        return _images(subset, bank, seed) if len(subset.texts) > 1 else {}
    if isinstance(subset, TwoByTwo):
        return _squares(subset, bank, seed) if len(subset.texts) > 1 else {}
    return {}
