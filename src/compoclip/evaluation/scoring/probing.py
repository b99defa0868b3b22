"""A linear probe as a form: training images to fit on, test images to score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.evaluation import probe, statistics
from compoclip.evaluation.images import ImageRef
from compoclip.evaluation.scoring.base import Encoded, Outcome, basic, identity, image_name
from compoclip.progress import bar

FITS = 16  # at most: seven coarse values, two at each of four halvings, the last on all rows


@dataclass
class LinearProbe:
    """`train` and `test` images with labels (N,), or (N, C) bool; `validation` (N,) marks training rows that choose C.

    Features are those of the feature bank: of unit length, in fp32, encoded once and cached like all others.
    """

    name: str
    train: Sequence[ImageRef]
    train_labels: NDArray[Any]
    validation: NDArray[np.bool_]
    test: Sequence[ImageRef]
    test_labels: NDArray[Any]
    class_names: Sequence[str]
    metric: str = "accuracy"
    missing: int = 0
    part: str = "probe"

    def image_refs(self) -> Sequence[ImageRef]:
        return [*self.train, *self.test]

    def captions(self) -> Sequence[str]:
        return []

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        with bar(f"linear probe {self.name}", FITS) as progress:
            found = probe.train(
                encoded.image(self.train),
                self.train_labels,
                self.validation,
                len(self.class_names),
                self.metric,
                lambda: progress.advance(1),
            )
        scores = found.probe.scores(encoded.image(self.test))
        best = scores.argmax(axis=1)
        several = self.test_labels.ndim == 2
        right = self.test_labels[np.arange(len(best)), best] if several else best == self.test_labels
        hits = right.astype(np.float64)
        metrics = basic(hits, np.zeros(len(hits), dtype=bool), self.missing, self.chance(), seed)
        metrics["top1"] = metrics["accuracy"]
        metrics["accuracy"] = 100.0 * probe.measure(scores, self.test_labels, self.metric)
        if several or self.metric not in ("accuracy", "mean_per_class"):  # the ranking metrics have no interval
            metrics["ci95"] = None
        elif self.metric == "mean_per_class":
            strata = [hits[self.test_labels == k] for k in np.unique(self.test_labels)]
            metrics["ci95"] = statistics.strata_interval(strata, seed)
        metrics |= {
            "metric": self.metric,
            "classes": len(self.class_names),
            "train": int((~self.validation).sum()),
            "validation": int(self.validation.sum()),
            "C": found.c,
            "validation_score": 100.0 * found.validation,
            "tried": {f"{c:.3g}": 100.0 * value for c, value in found.tried.items()},
            "converged": found.probe.converged,
        }
        rows = [
            {"image": p.where, "predicted": self.class_names[int(best[i])], "correct": float(hits[i])}
            for i, p in enumerate(self.test)
        ]
        who = identity([f"{image_name(p)}\t{np.asarray(k).tolist()}" for p, k in zip(self.test, self.test_labels)])
        return [(self.name, Outcome(metrics, hits, rows, who, {"top1": hits}))]

    def chance(self) -> float | None:
        if self.metric == "roc_auc":
            return 50.0
        return None if self.test_labels.ndim == 2 else 100.0 / len(self.class_names)
