"""A caption, a rewording that keeps its meaning and one that breaks it: does a model tell meaning from mere change?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compoclip.evaluation import protocols, statistics
from compoclip.evaluation.forms.base import Encoded, Outcome, Values, basic, identity, percent, picture_name
from compoclip.evaluation.pictures import Picture


@dataclass
class Sensitivity:
    """One image and four captions a row: the true one c, a hard positive p, the hard negative n that both are judged
    against, and the negative n0 that stands beside c in the original test (mostly n itself).

    Metrics in percent: `original` s(c) > s(n0); `positive` s(p) > s(n); `accuracy`, the augmented test accuracy,
    s(c) > s(n) and s(p) > s(n); `brittleness`, n strictly between c and p; and the five outcomes the rows fall into
    (`both`, `caption_only`, `positive_only`, `neither`, `tied`). Chance of `accuracy` and of `brittleness` is 1/3.
    """

    name: str
    images: Sequence[Picture]
    truths: Sequence[str]
    positives: Sequence[str]
    negatives: Sequence[str]
    first_negatives: Sequence[str]
    missing: int = 0
    part: str = "composition"

    def pictures(self) -> Sequence[Picture]:
        return self.images

    def captions(self) -> Sequence[str]:
        return [*self.truths, *self.positives, *self.negatives, *self.first_negatives]

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        columns = (self.truths, self.positives, self.negatives, self.first_negatives)
        scores = np.zeros((len(self.images), 4), dtype=np.float32)
        if len(self.images):
            image = encoded.image(self.images)
            for j, texts in enumerate(columns):
                scores[:, j] = np.einsum("nd,nd->n", image, encoded.text(texts))
        protocols.check_finite(scores)
        c, p, n, n0 = scores.T
        tied = (c == n) | (p == n)
        outcome = {
            "both": (c > n) & (p > n),
            "caption_only": (c > n) & (n > p),
            "positive_only": (p > n) & (n > c),
            "neither": (n > c) & (n > p),
            "tied": tied,
        }
        parts: dict[str, Values] = {
            "original": (c > n0).astype(np.float64),
            "positive": (p > n).astype(np.float64),
            "brittleness": (outcome["caption_only"] | outcome["positive_only"]).astype(np.float64),
        }
        hits = outcome["both"].astype(np.float64)
        metrics = basic(hits, tied, self.missing, 100.0 / 3.0, seed)
        for key, rows in parts.items():
            metrics[key] = percent(rows)
            metrics[f"{key}_ci95"] = list(statistics.mean_interval(rows, seed)[1:]) if len(rows) else None
        metrics["drop"] = None if not len(hits) else metrics["original"] - metrics["accuracy"]
        metrics["outcomes"] = {key: percent(rows) for key, rows in outcome.items()}
        log = [
            {
                "image": picture.where,
                "captions": [texts[i] for texts in columns],
                "scores": scores[i].tolist(),
                "outcome": next(key for key, rows in outcome.items() if rows[i]),
                "correct": float(hits[i]),
                "tied": bool(tied[i]),
            }
            for i, picture in enumerate(self.images)
        ]
        who = identity(
            "\t".join([picture_name(picture), *(texts[i] for texts in columns)])
            for i, picture in enumerate(self.images)
        )
        return [(self.name, Outcome(metrics, hits, log, who, parts))]
