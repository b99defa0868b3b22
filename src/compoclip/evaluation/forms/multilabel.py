"""Zero-shot recognition of several things in one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation import classification
from compoclip.evaluation.forms.base import Encoded, Outcome, basic, identity, picture_name
from compoclip.evaluation.forms.prompted import Prompted
from compoclip.evaluation.pictures import Picture


@dataclass
class MultiLabel(Prompted):
    """Images with any number of labels (N, C) bool; the headline is VOC 2007's mean average precision at 11 points.

    As ELEVATER has it, classes rank images by the softmax over all classes, not by their own cosine. The rows behind
    the interval are whether an image's best class is one of its own (`any_hit`). `chance` is the share of positives,
    the precision of a random order.
    """

    name: str
    images: Sequence[Picture]
    labels: NDArray[np.bool_]
    class_names: Sequence[str]
    templates: Sequence[str]
    missing: int = 0
    part: str = "zeroshot"

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.images), len(self.class_names)):
            raise InputError(
                f"{self.name}: labels of shape {self.labels.shape} for {len(self.images)} images and "
                f"{len(self.class_names)} classes"
            )

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        weights = self.class_vectors(encoded)
        images = encoded.image(self.images)
        probabilities = classification.softmax(np.asarray(images @ weights.T, dtype=np.float32))
        best = probabilities.argmax(axis=1) if len(images) else np.zeros(0, dtype=np.int64)
        hits = self.labels[np.arange(len(best)), best].astype(np.float64)
        metrics = basic(hits, np.zeros(len(hits), dtype=bool), self.missing, None, seed)
        metrics |= {"any_hit": metrics["accuracy"], "any_hit_ci95": metrics["ci95"]}
        if len(hits):
            present = np.flatnonzero(self.labels.any(axis=0))
            precision = [
                classification.average_precision_11(probabilities[:, c], self.labels[:, c]) for c in present.tolist()
            ]
            metrics |= {"accuracy": 100.0 * float(np.mean(precision)), "ci95": None}
            metrics["chance"] = 100.0 * float(self.labels[:, present].mean())
        metrics |= {"metric": "map11", "classes": len(self.class_names), "templates": len(self.templates)}
        rows = [
            {
                "image": p.where,
                "labels": [self.class_names[c] for c in np.flatnonzero(self.labels[i]).tolist()],
                "predicted": self.class_names[int(best[i])],
                "correct": float(hits[i]),
            }
            for i, p in enumerate(self.images)
        ]
        who = identity([f"{picture_name(p)}\t{row.tolist()}" for p, row in zip(self.images, self.labels)])
        return [(self.name, Outcome(metrics, hits, rows, who))]
