"""Retrieval over a whole set, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation import protocols, statistics
from compoclip.evaluation.forms.base import Encoded, Outcome, basic, identity, percent, picture_name
from compoclip.evaluation.pictures import Picture


@dataclass
class Retrieval:
    """Images with any number of captions each; graded both ways as `NAME/i2t` and `NAME/t2i`.

    A rank has no half, so the tie rule "half" leaves it strict.
    """

    name: str
    images: Sequence[Picture]
    texts: Sequence[Sequence[str]]
    missing: int = 0
    rule: str = "strict"
    part: str = "retrieval"
    ks: tuple[int, ...] = (1, 5, 10)

    def __post_init__(self) -> None:
        self.rule = "strict" if self.rule == "half" else self.rule
        for picture, own in zip(self.images, self.texts):
            if not own:
                raise InputError(f"{picture.where}: no caption; give it one or leave the image out")

    def pictures(self) -> Sequence[Picture]:
        return self.images

    def captions(self) -> Sequence[str]:
        return [t for row in self.texts for t in row]

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        texts = list(self.captions())
        owner = np.repeat(np.arange(len(self.images)), [len(t) for t in self.texts])
        starts = np.concatenate([[0], np.cumsum([len(t) for t in self.texts])]).astype(int)
        own_texts = [range(starts[i], starts[i + 1]) for i in range(len(self.images))]
        text_of, unique_texts = _compact(encoded.text_index(texts), encoded.texts)
        image_of, unique_images = _compact(encoded.image_index(self.images), encoded.images)
        i2t = protocols.retrieval(unique_images[image_of], unique_texts, own_texts, text_of, self.rule)
        t2i = protocols.retrieval(unique_texts[text_of], unique_images, [[int(o)] for o in owner], image_of, self.rule)
        sizes = np.array([len(t) for t in self.texts])
        i2t_chance = {k: 100 * _any_chance(sizes, len(texts), k) for k in self.ks}
        t2i_chance = {k: 100.0 * min(1.0, k / max(1, len(self.images))) for k in self.ks}
        names = [p.where for p in self.images]
        i2t_rows = [
            {"image": names[i], "rank": int(r), "correct": float(r == 1), "tied": bool(i2t.tied[i])}
            for i, r in enumerate(i2t.rank)
        ]
        t2i_rows = [
            {"caption": texts[j], "image": names[owner[j]], "rank": int(r), "correct": float(r == 1)}
            for j, r in enumerate(t2i.rank)
        ]
        who = identity([picture_name(p) + "\t" + "\t".join(t) for p, t in zip(self.images, self.texts)])
        return [
            (f"{self.name}/i2t", self._outcome(i2t, i2t_chance, seed, None, i2t_rows, who)),
            (f"{self.name}/t2i", self._outcome(t2i, t2i_chance, seed, owner, t2i_rows, who)),
        ]

    def _outcome(
        self, ranks: protocols.Ranks, chance: dict[int, float], seed: int, groups: Any, rows: Any, who: str
    ) -> Outcome:
        hits = (ranks.rank <= self.ks[0]).astype(np.float64)
        metrics = basic(hits, ranks.tied, self.missing, chance[self.ks[0]], seed, groups)
        for k in self.ks:
            metrics[f"R@{k}"] = percent(ranks.rank <= k)
        if groups is not None:
            metrics["clusters"] = statistics.clusters(groups)
        metrics["median_rank"] = float(np.median(ranks.rank)) if len(hits) else None
        return Outcome(metrics, hits, rows, who)


def _compact(index: NDArray[np.int64], features: protocols.Array) -> tuple[NDArray[np.int64], protocols.Array]:
    """Which of the features that differ each item has, and those (see `protocols.distinct`)."""
    used, place = np.unique(index, return_inverse=True)
    same, features = protocols.distinct(features[used])
    return same[place.reshape(-1)], features


def _any_chance(sizes: NDArray[np.int64], total: int, k: int) -> float:
    """Mean chance that a random order puts any of an image's own captions in the first k of `total`."""
    if not len(sizes):
        return 0.0
    miss = np.ones(len(sizes))
    for j in range(min(k, total)):
        miss *= np.clip((total - sizes - j) / (total - j), 0, None)
    return float(np.mean(1 - miss))
