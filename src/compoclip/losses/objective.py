"""Objectives: weighted terms by name, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from compoclip.errors import InputError
from compoclip.losses.contrastive import contrastive
from compoclip.losses.distillation import distillation
from compoclip.losses.features import Features, require
from compoclip.losses.global_negative import global_negative
from compoclip.losses.image_grounded import image_grounded
from compoclip.losses.local_negative import local_negative
from compoclip.losses.own_pair import own_pair
from compoclip.losses.paraphrase import paraphrase
from compoclip.losses.phrase_contrast import phrase_contrast
from compoclip.losses.phrase_pooled import phrase_pooled
from compoclip.losses.rank_margin import rank_margin
from compoclip.losses.text_contrast import text_contrast
from compoclip.losses.text_grounded import text_grounded
from compoclip.losses.text_pull import text_pull
from compoclip.losses.unit_contrast import unit_contrast

__all__ = ["OBJECTIVES", "TERMS", "Objective", "Term", "objective", "term_options"]


Over = Literal["batch", "rows", "rows_with_negatives", "sum"]


@dataclass(frozen=True)
class Term:
    """One term: its function, the public options it takes (option name -> argument), and what it needs of a batch.

    over: what its value sums over. `batch`: anything; a sample's part may depend on the other samples. The rest say
    that samples know nothing of each other, so that a part of the batch can be computed by itself: `rows` is the mean
    of one value a sample, `rows_with_negatives` the mean of those that have a negative, `sum` their sum. (A mean of
    all negatives is none of these: samples have different numbers of them.) over_by: an option's value that changes it.
    """

    function: Callable[..., Tensor]
    options: Mapping[str, str] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    over: Over = "batch"
    over_by: Mapping[tuple[str, str], Over] = field(default_factory=dict)

    def choices(self, option: str) -> tuple[str, ...]:
        """The values of an option that its function names; empty for a number."""
        hint = get_type_hints(self.function)[self.options[option]]
        return get_args(hint) if get_origin(hint) is Literal else ()


_FOCAL = {"focal_gamma": "gamma", "label_smoothing": "smoothing", "missing_negatives": "missing"}
_PHRASE = {"phrase_form": "form", "phrase_repeats": "repeats"}


def _needs(*names: str) -> frozenset[str]:
    return frozenset(names)


TERMS: dict[str, Term] = {
    "contrastive": Term(
        contrastive,
        {"contrastive_negatives": "negatives", "missing_negatives": "missing", "contrastive_form": "form"},
    ),
    "global_negative": Term(global_negative, _FOCAL, _needs("negatives"), "rows_with_negatives"),
    "local_negative": Term(
        local_negative,
        {**_FOCAL, "local_alignment": "alignment"},
        _needs("negatives", "tokens"),
        "rows_with_negatives",
    ),
    "image_grounded": Term(image_grounded, {}, _needs("negatives"), "rows"),
    "text_grounded": Term(
        text_grounded,
        {"text_grounded_scale": "scale", "text_grounded_mask": "mask"},
        _needs("negatives", "teacher"),
        "rows",
        {("text_grounded_mask", "released"): "batch"},
    ),
    "distillation": Term(
        distillation,
        {"distillation_reduction": "reduction"},
        _needs("teacher"),
        "sum",
        {("distillation_reduction", "mean"): "rows"},
    ),
    "unit_contrast": Term(
        unit_contrast,
        {"unit_foils": "foils", "unit_repeats": "repeats", "unit_empty_slot": "empty_slot"},
        _needs("units"),
    ),
    "paraphrase": Term(paraphrase, {"paraphrase_direction": "direction"}, _needs("paraphrases")),
    "phrase_contrast": Term(phrase_contrast, _PHRASE, _needs("phrases")),
    "phrase_pooled": Term(
        phrase_pooled, {**_PHRASE, "phrase_temperature": "temperature"}, _needs("phrases", "image_tokens")
    ),
    "own_pair": Term(own_pair, {}, _needs("negatives")),
    "text_pull": Term(text_pull, {}, _needs("paraphrases")),
    "rank_margin": Term(
        rank_margin, {"margin": "margin", "margin_cap": "cap", "margin_mean": "mean"}, _needs("negatives", "margins")
    ),
    "text_contrast": Term(
        text_contrast,
        {"text_contrast_negatives": "negatives", "text_contrast_positive": "positive"},
        _needs("negatives"),
    ),
}

OBJECTIVES: dict[str, dict[str, Any]] = {
    "clip": {"weights": {"contrastive": 1.0}},
    "negclip": {"weights": {"contrastive": 1.0}, "contrastive_negatives": "batch"},
    "fsc-clip": {"weights": {"contrastive": 1.0, "global_negative": 0.5, "local_negative": 0.2}},
    "degla": {
        "weights": {"contrastive": 1.0, "image_grounded": 0.1, "text_grounded": 0.1, "distillation": 0.005},
        "contrastive_negatives": "batch",
    },
    "cs-clip": {"weights": {"contrastive": 1.0, "unit_contrast": 0.5}, "contrastive_negatives": "batch"},
    "read": {"weights": {"contrastive": 1.0, "paraphrase": 0.5}, "contrastive_negatives": "batch"},
    "c2lip": {
        "weights": {"contrastive": 1.0, "phrase_contrast": 1.0, "phrase_pooled": 0.01},
        "contrastive_form": "sigmoid",
    },
    "clic": {"weights": {"contrastive": 0.5, "own_pair": 0.5, "text_pull": 1.0}},
    "ce-clip": {
        "weights": {"contrastive": 1.0, "rank_margin": 0.2, "text_contrast": 0.3},
        "contrastive_negatives": "batch",
    },
}


@dataclass(frozen=True)
class Objective:
    """A sum of weighted terms. Call it with Features to get {term: weighted scalar}; the loss is their sum."""

    weights: Mapping[str, float]
    options: Mapping[str, Any]

    @property
    def uses_bias(self) -> bool:
        """Whether a term has the sigmoid form, whose loss a `logit_bias` is part of."""
        phrases = any(name.startswith("phrase_") for name in self.weights)
        return (phrases and self.options.get("phrase_form", "sigmoid") == "sigmoid") or (
            "contrastive" in self.weights and self.options.get("contrastive_form", "softmax") == "sigmoid"
        )

    @property
    def needs(self) -> frozenset[str]:
        """What the terms want beside images and captions.

        Of `negatives`, `tokens` (of images and texts), `image_tokens`, `teacher`, `units`, `phrases`, `paraphrases`
        and `margins` (thresholds that the loop carries from step to step).
        """
        found = frozenset[str]().union(*(TERMS[name].needs for name in self.weights))
        if "contrastive" in self.weights and self.options.get("contrastive_negatives", "none") != "none":
            found |= {"negatives"}
        return found

    def over(self, term: str) -> str:
        """What a term's value sums over with these options: `Term.over`, or what an option makes of it."""
        for (option, value), changed in TERMS[term].over_by.items():
            if self.options.get(option) == value:
                return changed
        return TERMS[term].over

    def split(self) -> tuple[Objective, Objective]:
        """(terms that need the whole batch, terms that a part of it is enough for); either may have no terms."""
        wide = {name: weight for name, weight in self.weights.items() if self.over(name) == "batch"}
        own = {name: weight for name, weight in self.weights.items() if name not in wide}
        return Objective(wide, self.options), Objective(own, self.options)

    def __call__(self, features: Features) -> dict[str, Tensor]:
        if not self.weights:
            return {}
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


def term_options() -> dict[str, tuple[str, ...]]:
    """The options of all terms by name, and the choices of each: none for a number.

    Example: "margin_cap" in term_options()
    """
    return {option: term.choices(option) for term in TERMS.values() for option in term.options}


def objective(name: str | Mapping[str, float], **overrides: Any) -> Objective:
    """Build an objective by name (`compoclip ls methods` lists them), or from {term: weight}.

    Overrides: `weights={term: weight}`, or a term's name, sets that term's weight (0 drops it); an option of a term
    (`term_options`), as `contrastive_negatives="own"`, sets it. Raises InputError for unknown names and values.

    >>> objective("fsc-clip", local_negative=0.5).weights["local_negative"]
    0.5
    """
    if isinstance(name, str):
        if name not in OBJECTIVES:
            raise InputError(_unknown("objective", name, OBJECTIVES))
        preset = dict(OBJECTIVES[name])
    else:
        preset = {"weights": dict(name)}
    weights = {**preset.pop("weights"), **(overrides.pop("weights", None) or {})}
    options, known = dict(preset), term_options()
    for key, value in overrides.items():
        if key in TERMS:
            weights[key] = value
        elif key in known:
            options[key] = _option(key, value, known[key])
        else:
            raise InputError(_unknown("objective option", key, [*TERMS, *known]))
    for term, weight in weights.items():
        if term not in TERMS:
            raise InputError(_unknown("term", term, TERMS))
        if not isinstance(weight, (int, float)) or not math.isfinite(weight) or weight < 0:
            raise InputError(f"the weight of {term!r} must be a number of at least 0, not {weight!r}")
    weights = {term: float(weight) for term, weight in weights.items() if weight}
    if not weights:
        raise InputError("an objective needs at least one term with a weight above 0")
    return Objective(weights, options)


def _option(name: str, value: Any, choices: tuple[str, ...]) -> Any:
    if choices:
        if value not in choices:
            raise InputError(f"{name}={value!r}: choose one of {', '.join(choices)}")
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name}={value!r}: a finite number is wanted")
    return number


def _unknown(what: str, name: str, known: Any) -> str:
    close = get_close_matches(name, list(known), n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return f"unknown {what} {name!r}{hint}; known: {', '.join(known)}"
