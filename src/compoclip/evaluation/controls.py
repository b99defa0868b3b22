"""What would be scored without looking: a figure that these reach as well says nothing about the model's eyes.

Text-only tricks solve many composition benchmarks (Hsieh et al. 2023; Udandarao et al. 2025), so every score on
captions stands beside four controls, in percent, ties counting half. All ask the headline's own question:

- `shorter`: choose the caption with fewer characters;
- `language_model`: choose the one that a trigram model of the other images' true captions finds likelier;
- `no_image`: the model itself, with the mean of all images in place of each;
- `shuffled`: the model itself, with another row's image.

Where two captions are true (SugarCrepe++, hard positives), both must be chosen before the false one. Where a caption
asks for one of several images, what the model would say without reading: `no_caption`, the mean of all captions in
place of each, and `other_caption`, that of another row. Rows of two images and two captions have `shuffled` alone:
whoever does not look prefers one caption for both images, and gets 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from compoclip.evaluation.scoring import Encoded, Grid
from compoclip.evaluation.scoring.base import image_name
from compoclip.evaluation.scoring.classification import normalise
from compoclip.evaluation.scoring.grid import Scores

FOLDS = 5
_known: dict[str, dict[str, float]] = {}  # text-only figures by what the rows ask: the same for every model


def _percent(grid: Grid, scores: Scores, rule: str = "half") -> float:
    return 100.0 * float(scores.judged(grid.shape.asks[grid.shape.headline], rule).correct.mean())


def _by_text(grid: Grid, values: Sequence[Sequence[float]]) -> Scores:
    """Scores that depend on the caption alone: `values` gives one a caption of every row."""
    scores = grid.widths()
    for place in range(scores.width[0]):
        cell = scores.cell(f"c{place}i0")
        for row, own in enumerate(values):
            if place < len(own):
                cell[row] = own[place]
    return scores


def _by_likelihood(grid: Grid) -> list[list[float]]:
    """Likelihood of every caption under the first captions of the rows of other photos, a fold at a time.

    Folds go by the photos' names, so that the figure does not depend on where they lie.
    """
    from compoclip.negatives.blind import TrigramModel

    fold = [crc32(image_name(row[0]).encode()) % FOLDS for row in grid.images]
    out: list[list[float]] = [[] for _ in grid.texts]
    for part in range(FOLDS):
        model = TrigramModel([row[0] for row, f in zip(grid.texts, fold) if f != part])
        known: dict[str, float] = {}
        for i in (i for i, f in enumerate(fold) if f == part):
            for text in grid.texts[i]:
                if text not in known:
                    known[text] = model.score(text)
                out[i].append(known[text])
    return out


def text_only(grid: Grid, identity: str) -> dict[str, float]:
    """`shorter` and `language_model` of a grid of one image a row; kept in memory by `identity`, since no model
    changes them."""
    if identity not in _known:
        shorter = _by_text(grid, [[-float(len(t)) for t in row] for row in grid.texts])
        likely = _by_text(grid, _by_likelihood(grid))
        _known[identity] = {"shorter": _percent(grid, shorter), "language_model": _percent(grid, likely)}
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


def controls(grid: Grid, bank: Encoded, identity: str, seed: int = 0) -> dict[str, float]:
    """The controls of a grid; {} where it has fewer than two rows."""
    if len(grid.images) < 2:
        return {}
    captions, images = grid.widths().width
    if captions == 1:
        mean = normalise(bank.text([row[0] for row in grid.texts]).mean(axis=0, keepdims=True))[0]
        other = _other([row[0] for row in grid.texts], seed)
        told = replace(grid, texts=[grid.texts[i] for i in other])
        return {
            "no_caption": _percent(grid, grid.scores(bank, text=mean)),
            "other_caption": _percent(told, told.scores(bank)),
        }
    other = _other(["\0".join(p.key for p in row) for row in grid.images], seed)
    shown = replace(grid, images=[grid.images[i] for i in other])
    if images > 1:  # whoever does not look prefers one caption for both images: there is no half to count
        return {"shuffled": _percent(shown, shown.scores(bank), grid.rule)}
    mean = normalise(bank.image([row[0] for row in grid.images]).mean(axis=0, keepdims=True))[0]
    return {
        **text_only(grid, identity),
        "no_image": _percent(grid, grid.scores(bank, image=mean)),
        "shuffled": _percent(shown, shown.scores(bank)),
    }
