"""Zero-shot classification."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation import classification, statistics
from compoclip.evaluation.forms.base import Encoded, Outcome, basic, identity, picture_name
from compoclip.evaluation.forms.prompted import Prompted
from compoclip.evaluation.pictures import Picture


@dataclass
class ZeroShot(Prompted):
    """Images with a label each, class names and templates with "{}"; `metric` makes the headline.

    `namesakes` allows two classes of one name (ImageNet's missiles and sunglasses): the first of them is the answer,
    as it is for an argmax over all classes.
    """

    name: str
    images: Sequence[Picture]
    labels: NDArray[np.int64]
    class_names: Sequence[str]
    templates: Sequence[str]
    metric: str = "accuracy"
    missing: int = 0
    rule: str = "strict"
    part: str = "zeroshot"
    namesakes: bool = False

    def __post_init__(self) -> None:
        if self.metric not in ("accuracy", "mean_per_class", "roc_auc"):
            raise InputError(f"{self.name}: metric {self.metric!r} is unknown; use accuracy, mean_per_class or roc_auc")
        twice = sorted(c for c, n in Counter(self.class_names).items() if n > 1)
        if twice and not self.namesakes:
            raise InputError(f"{self.name}: class name {twice[0]!r} occurs twice; give every class its own name")
        for template in self.templates:
            if template.count("{}") != 1:
                raise InputError(f"{self.name}: template {template!r} must hold {{}} once, where the class name goes")
        if not self.templates:
            raise InputError(f"{self.name}: no template; give at least one, such as 'a photo of a {{}}.'")
        classification.check_labels(self.labels, len(self.class_names), self.name)

    def grade(self, encoded: Encoded, seed: int = 0) -> list[tuple[str, Outcome]]:
        weights = self.class_vectors(encoded)
        first = {name: i for i, name in reversed(list(enumerate(self.class_names)))}
        alike = np.array([first[name] for name in self.class_names], dtype=np.int64)
        found = classification.classify(encoded.image(self.images), weights, self.labels, self.rule, alike)
        hits = found.graded.correct
        metrics = basic(hits, found.graded.tied, self.missing, 100.0 / len(self.class_names), seed)
        metrics["top1"] = metrics["accuracy"]
        if len(hits):
            metrics["mean_per_class"] = 100 * classification.mean_per_class(hits, self.labels)
        if len(hits) and self.metric == "mean_per_class":
            strata = [hits[self.labels == c] for c in np.unique(self.labels)]
            metrics["ci95"] = list(statistics.interval(statistics.stratified_means(strata, resamples=2000, seed=seed)))
            metrics["accuracy"] = metrics["mean_per_class"]
        if len(hits) and self.metric == "roc_auc":
            if len(self.class_names) != 2:
                raise InputError(f"{self.name}: ROC AUC needs two classes, this set has {len(self.class_names)}")
            # The order of the softmax's second probability, by which ELEVATER ranks, without its saturation.
            score = found.scores[:, 1].astype(np.float64) - found.scores[:, 0]
            metrics |= {"accuracy": 100 * classification.roc_auc(score, self.labels == 1), "ci95": None, "chance": 50.0}
        metrics |= {"metric": self.metric, "classes": len(self.class_names), "templates": len(self.templates)}
        rows = [
            {
                "image": p.where,
                "label": self.class_names[self.labels[i]],
                "predicted": self.class_names[found.predicted[i]],
                "correct": float(hits[i]),
                "tied": bool(found.graded.tied[i]),
            }
            for i, p in enumerate(self.images)
        ]
        who = identity([f"{picture_name(p)}\t{self.class_names[k]}" for p, k in zip(self.images, self.labels)])
        return [(self.name, Outcome(metrics, hits, rows, who))]
