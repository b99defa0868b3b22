"""Objectives: weighted terms by name, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor

from compoclip.errors import InputError
from compoclip.losses.contrastive import contrastive
from compoclip.losses.distillation import distillation
from compoclip.losses.features import Features, require
from compoclip.losses.global_negative import global_negative
from compoclip.losses.image_grounded import image_grounded
from compoclip.losses.local_negative import ALIGNMENTS, local_negative
from compoclip.losses.text_grounded import text_grounded


@dataclass(frozen=True)
class Term:
    """One term: its function, the public options it takes (option name -> argument), and what it needs of a batch."""

    function: Callable[..., Tensor]
    options: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()


_FOCAL = {"focal_gamma": "gamma", "label_smoothing": "smoothing", "missing_negatives": "missing"}

TERMS: dict[str, Term] = {
    "contrastive": Term(contrastive, {"contrastive_negatives": "negatives", "missing_negatives": "missing"}),
    "global_negative": Term(global_negative, _FOCAL, frozenset({"negatives"})),
    "local_negative": Term(
        local_negative, {**_FOCAL, "local_alignment": "alignment"}, frozenset({"negatives", "tokens"})
    ),
    "image_grounded": Term(image_grounded, {}, frozenset({"negatives"})),
    "text_grounded": Term(
        text_grounded,
        {"text_grounded_scale": "scale", "text_grounded_mask": "mask"},
        frozenset({"negatives", "teacher"}),
    ),
    "distillation": Term(distillation, {"distillation_reduction": "reduction"}, frozenset({"teacher"})),
}

CHOICES: dict[str, tuple[str, ...]] = {
    "contrastive_negatives": ("none", "batch", "own"),
    "missing_negatives": ("masked", "released"),
    "local_alignment": ALIGNMENTS,
    "text_grounded_mask": ("paper", "released"),
    "distillation_reduction": ("sum", "mean"),
}
NUMBERS = ("focal_gamma", "label_smoothing", "text_grounded_scale")

OBJECTIVES: dict[str, dict[str, Any]] = {
    "clip": {"weights": {"contrastive": 1.0}},
    "negclip": {"weights": {"contrastive": 1.0}, "contrastive_negatives": "batch"},
    "fsc-clip": {"weights": {"contrastive": 1.0, "global_negative": 0.5, "local_negative": 0.2}},
    "degla": {
        "weights": {"contrastive": 1.0, "image_grounded": 0.1, "text_grounded": 0.1, "distillation": 0.005},
        "contrastive_negatives": "batch",
    },
}


@dataclass(frozen=True)
class Objective:
    """A sum of weighted terms. Call it with Features to get {term: weighted scalar}; the loss is their sum."""

    weights: Mapping[str, float]
    options: Mapping[str, Any]

    @property
    def needs(self) -> frozenset[str]:
        """What the terms want beside images and captions: of `negatives`, `tokens`, `teacher`."""
        found = frozenset().union(*(TERMS[name].needs for name in self.weights))
        if "contrastive" in self.weights and self.options.get("contrastive_negatives", "none") != "none":
            found |= {"negatives"}
        return found

    def __call__(self, features: Features) -> dict[str, Tensor]:
        for name in ("image", "text", "logit_scale"):
            require(getattr(features, name), name, next(iter(self.weights)))
        features = features.prepared()
        values = {}
        # logits of scale 100 lose whole units in half precision, so autocast ends at the towers
        with torch.autocast(features.image.device.type, enabled=False):
            for name, weight in self.weights.items():
                term = TERMS[name]
                arguments = {to: self.options[option] for option, to in term.options.items() if option in self.options}
                values[name] = weight * term.function(features, **arguments)
        return values


def objective(name: str | Mapping[str, float], **overrides: Any) -> Objective:
    """Build an objective by name (`clip`, `negclip`, `fsc-clip`, `degla`), or from {term: weight}.

    Overrides: `weights={term: weight}`, or a term's name, sets that term's weight (0 drops it). Options:
    `contrastive_negatives` none|batch|own, `focal_gamma`, `label_smoothing`, `missing_negatives` masked|released,
    `local_alignment` minmax|softmax|sparse, `text_grounded_scale`, `text_grounded_mask` paper|released,
    `distillation_reduction` sum|mean. Raises InputError for names and values it does not know.
    """
    if isinstance(name, str):
        if name not in OBJECTIVES:
            raise InputError(_unknown("objective", name, OBJECTIVES))
        preset = dict(OBJECTIVES[name])
    else:
        preset = {"weights": dict(name)}
    weights = {**preset.pop("weights"), **(overrides.pop("weights", None) or {})}
    options = dict(preset)
    for key, value in overrides.items():
        if key in TERMS:
            weights[key] = value
        elif key in CHOICES:
            if value not in CHOICES[key]:
                raise InputError(f"{key}={value!r}: choose one of {', '.join(CHOICES[key])}")
            options[key] = value
        elif key in NUMBERS:
            options[key] = float(value)
        else:
            raise InputError(_unknown("objective option", key, [*TERMS, *CHOICES, *NUMBERS]))
    for term, weight in weights.items():
        if term not in TERMS:
            raise InputError(_unknown("term", term, TERMS))
        if not isinstance(weight, (int, float)) or weight != weight or weight < 0:
            raise InputError(f"the weight of {term!r} must be a number of at least 0, not {weight!r}")
    weights = {term: float(weight) for term, weight in weights.items() if weight}
    if not weights:
        raise InputError("an objective needs at least one term with a weight above 0")
    return Objective(weights, options)


def _unknown(what: str, name: str, known: Any) -> str:
    close = get_close_matches(name, list(known), n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{hint}; known: {', '.join(known)}"
