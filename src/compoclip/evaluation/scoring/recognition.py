"""Zero-shot recognition: an image against every class's name in every template, of one class or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation import statistics
from compoclip.evaluation.images import ImageRef
from compoclip.evaluation.scoring import classification
from compoclip.evaluation.scoring.base import Encoded, Outcome, Values, basic, identity, image_name, percent
from compoclip.evaluation.scoring.comparisons import Array


@dataclass
class ZeroShot:
    """Images with a label each (N,), or any number of labels (N, C) bool; class names, and templates with "{}".

    `metric` makes the headline. `namesakes` allows two classes of one name (ImageNet's missiles and sunglasses): the
    first of them is the answer, as it is for an argmax over all classes.

    Of several labels it is mean average precision at 11 points: `map11` as ELEVATER's evaluator computes it, or
    `map11_voc` by VOC 2007's definition; both are reported. As ELEVATER has it, classes rank images by the softmax over
    all classes, not by their own cosine. The rows behind the interval are whether an image's best class is one of its
    own (`any_hit`). `chance` is the share of positives, the precision of a random order.
    """

    name: str
    images: Sequence[ImageRef]
    labels: NDArray[Any]
    class_names: Sequence[str]
    templates: Sequence[str]
    metric: str = "accuracy"
    missing: int = 0
    rule: str = "strict"
    part: str = "zeroshot"
    namesakes: bool = False

    def __post_init__(self) -> None:
        known = classification.SEVERAL if self.several else classification.SINGLE
        if self.metric not in known:
            kind = "several labels" if self.several else "one label"
            raise InputError(f"{self.name}: metric {self.metric!r} is unknown for {kind}; use {', '.join(known)}")
        twice = sorted(c for c, n in Counter(self.class_names).items() if n > 1)
        if twice and not self.namesakes and not self.several:
            raise InputError(f"{self.name}: class name {twice[0]!r} occurs twice; give every class its own name")
        for template in self.templates:
            if template.count("{}") != 1:
                raise InputError(
                    f"{self.name}: template {template!r} must contain {{}} once, where the class name goes"
                )
        if not self.templates:
            raise InputError(f"{self.name}: no template; give at least one, such as 'a photo of a {{}}.'")
        if not self.several:
            classification.check_labels(self.labels, len(self.class_names), self.name)
        elif self.labels.shape != (len(self.images), len(self.class_names)):
            raise InputError(
                f"{self.name}: labels of shape {self.labels.shape} for {len(self.images)} images and "
                f"{len(self.class_names)} classes"
            )

    @property
    def several(self) -> bool:
        return self.labels.ndim == 2

    @cached_property
    def prompts(self) -> list[str]:
        """Class by class, template by template."""
        return [t.replace("{}", c) for c in self.class_names for t in self.templates]

    def image_refs(self) -> Sequence[ImageRef]:
        return self.images

    def captions(self) -> Sequence[str]:
        return self.prompts

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        text = encoded.text(self.prompts).reshape(len(self.class_names), len(self.templates), -1)
        weights, images = classification.classifier(text), encoded.image(self.images)
        metrics, hits, best, tied = (self._several if self.several else self._single)(images, weights, seed)
        metrics |= {"metric": self.metric, "classes": len(self.class_names), "templates": len(self.templates)}
        names, rows, asked = self.class_names, [], []
        for i, image_ref in enumerate(self.images):
            if self.several:
                told: dict[str, Any] = {"labels": [names[c] for c in np.flatnonzero(self.labels[i]).tolist()]}
                asked.append(f"{image_name(image_ref)}\t{self.labels[i].tolist()}")
            else:
                told = {"label": names[self.labels[i]], "tied": bool(tied[i])}
                asked.append(f"{image_name(image_ref)}\t{told['label']}")
            rows.append({"image": image_ref.where, "predicted": names[int(best[i])], "correct": float(hits[i]), **told})
        return [(self.name, Outcome(metrics, hits, rows, identity(asked)))]

    def _single(
        self, images: Array, weights: Array, seed: int
    ) -> tuple[dict[str, Any], Values, NDArray[np.int64], NDArray[np.bool_]]:
        """(metrics, hits, best class, tied) of images with a label each."""
        first = {name: i for i, name in reversed(list(enumerate(self.class_names)))}
        alike = np.array([first[name] for name in self.class_names], dtype=np.int64)
        found = classification.classify(images, weights, self.labels, self.rule, alike)
        hits = found.graded.correct
        metrics = basic(hits, found.graded.tied, self.missing, 100.0 / len(self.class_names), seed)
        metrics["top1"] = metrics["accuracy"]
        if len(self.class_names) > 5:
            metrics["top5"] = percent(found.rank <= 5)
        if len(hits):
            metrics["mean_per_class"] = 100 * classification.mean_per_class(hits, self.labels)
        if len(hits) and self.metric == "mean_per_class":
            metrics["ci95"] = statistics.strata_interval([hits[self.labels == c] for c in np.unique(self.labels)], seed)
            metrics["accuracy"] = metrics["mean_per_class"]
        if len(hits) and self.metric == "roc_auc":
            if len(self.class_names) != 2:
                raise InputError(f"{self.name}: ROC AUC needs two classes, this set has {len(self.class_names)}")
            # The order of the softmax's second probability, by which ELEVATER ranks, without its saturation.
            score = found.scores[:, 1].astype(np.float64) - found.scores[:, 0]
            metrics |= {"accuracy": 100 * classification.roc_auc(score, self.labels == 1), "ci95": None, "chance": 50.0}
        return metrics, hits, found.predicted, found.graded.tied

    def _several(
        self, images: Array, weights: Array, seed: int
    ) -> tuple[dict[str, Any], Values, NDArray[np.int64], NDArray[np.bool_]]:
        """The same of images with any number of labels; no tie is counted."""
        probabilities = classification.softmax(np.asarray(images @ weights.T, dtype=np.float32))
        best = probabilities.argmax(axis=1) if len(images) else np.zeros(0, dtype=np.int64)
        hits = self.labels[np.arange(len(best)), best].astype(np.float64)
        tied = np.zeros(len(hits), dtype=bool)
        metrics = basic(hits, tied, self.missing, None, seed)
        metrics |= {"any_hit": metrics["accuracy"], "any_hit_ci95": metrics["ci95"]}
        if len(hits):
            for name in classification.SEVERAL:
                precision = classification.mean_average_precision(probabilities, self.labels, voc=name == "map11_voc")
                metrics[name] = 100.0 * precision
            chance = 100.0 * float(self.labels[:, self.labels.any(axis=0)].mean())
            metrics |= {"accuracy": metrics[self.metric], "ci95": None, "chance": chance}
        return metrics, hits, best, tied
