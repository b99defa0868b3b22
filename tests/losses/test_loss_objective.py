"""Objectives by name: which terms, which weights, and what a mistaken name or a missing input is told."""

from __future__ import annotations

from typing import Any

import pytest

from compoclip.errors import InputError
from compoclip.losses import Features, objective

from .cases import TERMS, Case, features, make_case, one, run, tensors

DEFAULTS = {
    "clip": {"contrastive": 1.0},
    "negclip": {"contrastive": 1.0},
    "fsc-clip": {"contrastive": 1.0, "global_negative": 0.5, "local_negative": 0.2},
    "degla": {"contrastive": 1.0, "image_grounded": 0.1, "text_grounded": 0.1, "distillation": 0.005},
}
CROWD = {"clip": "none", "negclip": "batch", "fsc-clip": "none", "degla": "batch"}
POOLED_ONLY = ("image", "text", "negatives", "negative_mask", "logit_scale")


def expect(terms: dict[str, Any], weights: dict[str, float], case: Case, **options: Any) -> None:
    assert set(terms) == set(weights)
    for term, weight in weights.items():
        assert float(terms[term]) == pytest.approx(weight * one(term, case, **options), rel=1e-12), term


@pytest.mark.parametrize("name", list(DEFAULTS))
def test_each_objective_has_its_terms_weights_and_crowd(name: str) -> None:
    case = make_case(1)
    expect(run(name, case), DEFAULTS[name], case, contrastive_negatives=CROWD[name])


@pytest.mark.parametrize("name", list(DEFAULTS))
@pytest.mark.parametrize("negatives", ["none", "batch", "own"])
def test_the_crowd_can_be_chosen_for_any_objective(name: str, negatives: str) -> None:
    case = make_case(2)
    terms = run(name, case, contrastive_negatives=negatives)
    expect(terms, DEFAULTS[name], case, contrastive_negatives=negatives)


def test_weights_by_mapping_and_by_keyword() -> None:
    case = make_case(3)
    expect(
        run("fsc-clip", case, weights={"global_negative": 2.0}), {**DEFAULTS["fsc-clip"], "global_negative": 2.0}, case
    )
    wanted = {**DEFAULTS["degla"], "distillation": 0.02, "text_grounded": 0.4}
    terms = run("degla", case, distillation=0.02, weights={"text_grounded": 0.4})
    expect(terms, wanted, case, contrastive_negatives="batch")


def test_an_objective_can_be_given_a_term_of_another() -> None:
    case = make_case(4)
    terms = run("fsc-clip", case, weights={"distillation": 0.01})
    expect(terms, {**DEFAULTS["fsc-clip"], "distillation": 0.01}, case)
    expect(
        run("negclip", case, image_grounded=0.3),
        {"contrastive": 1.0, "image_grounded": 0.3},
        case,
        contrastive_negatives="batch",
    )


def test_a_weight_of_zero_drops_the_term_and_what_it_needs() -> None:
    given = tensors(make_case(5))
    loss = objective("degla", weights={"distillation": 0.0}, text_grounded=0.0)
    terms = loss(Features(**{key: given[key] for key in POOLED_ONLY}))
    expect(terms, {"contrastive": 1.0, "image_grounded": 0.1}, make_case(5), contrastive_negatives="batch")


@pytest.mark.parametrize(
    ("name", "options", "needs"),
    [
        ("clip", {}, set()),
        ("clip", {"contrastive_negatives": "own"}, {"negatives"}),
        ("negclip", {}, {"negatives"}),
        ("fsc-clip", {}, {"negatives", "tokens"}),
        ("degla", {}, {"negatives", "teacher"}),
        ("degla", {"distillation": 0.0, "text_grounded": 0.0}, {"negatives"}),
        ("clip", {"distillation": 0.1}, {"teacher"}),
    ],
)
def test_an_objective_says_what_it_needs(name: str, options: dict[str, Any], needs: set[str]) -> None:
    assert objective(name, **options).needs == needs


def test_a_mix_by_name_and_weight() -> None:
    case = make_case(5)
    mix = {"contrastive": 1.0, "global_negative": 0.5, "distillation": 0.005}
    expect(run(mix, case), mix, case)
    everything = {term: 0.1 * (index + 1) for index, term in enumerate(TERMS)}
    options: dict[str, Any] = {
        "contrastive_negatives": "own",
        "text_grounded_scale": 3.0,
        "local_alignment": "softmax",
        "focal_gamma": 1.0,
        "label_smoothing": 0.0,
        "distillation_reduction": "mean",
    }
    expect(run(everything, case, **options), everything, case, **options)


def test_one_objective_serves_many_batches() -> None:
    loss = objective("fsc-clip")
    first, second = make_case(6), make_case(7, (5, 2, 6, 3, 4))
    before = {term: float(value) for term, value in loss(features(first)).items()}
    loss(features(second))
    assert {term: float(value) for term, value in loss(features(first)).items()} == before


def refusal(name: Any, **options: Any) -> str:
    """The message with which these options are refused, when the objective is made or first used."""
    with pytest.raises(InputError) as caught:
        run(name, make_case(1), **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_unknown_objective_names_the_known_ones() -> None:
    message = refusal("fsc_clip2")
    assert "fsc_clip2" in message
    for name in DEFAULTS:
        assert name in message


@pytest.mark.parametrize("form", ["mix", "weights"])
def test_unknown_term_names_the_known_ones(form: str) -> None:
    message = refusal({"contrastve": 1.0}) if form == "mix" else refusal("clip", weights={"contrastve": 1.0})
    assert "contrastve" in message
    for term in TERMS:
        assert term in message


def test_unknown_option_is_named() -> None:
    message = refusal("fsc-clip", focal_gama=2.0)
    assert "focal_gama" in message
    assert "focal_gamma" in message


@pytest.mark.parametrize(
    ("option", "choices"),
    [
        ("contrastive_negatives", ("none", "batch", "own")),
        ("missing_negatives", ("masked", "released")),
        ("local_alignment", ("minmax", "softmax", "sparse")),
        ("text_grounded_mask", ("paper", "released")),
        ("distillation_reduction", ("sum", "mean")),
    ],
)
def test_unknown_choice_names_the_choices(option: str, choices: tuple[str, ...]) -> None:
    message = refusal(dict.fromkeys(TERMS, 1.0), **{option: "sideways"})
    assert option in message
    assert "sideways" in message
    for choice in choices:
        assert choice in message


@pytest.mark.parametrize("weight", [-0.1, float("nan"), "much"])
def test_a_weight_is_a_number_not_below_zero(weight: Any) -> None:
    message = refusal("degla", distillation=weight)
    assert "distillation" in message
    assert str(weight) in message


def test_an_objective_without_terms_is_refused() -> None:
    assert "weight" in refusal({})
    assert "weight" in refusal("clip", contrastive=0.0)


@pytest.mark.parametrize("name", ["text", "negatives"])
def test_a_wrong_shape_is_named(name: str) -> None:
    given = tensors(make_case(1))
    with pytest.raises(InputError, match=name):
        objective("negclip")(Features(**{**given, name: given[name][:-1]}))


@pytest.mark.parametrize(
    ("term", "missing"),
    [
        ("contrastive", "image"),
        ("contrastive", "text"),
        ("contrastive", "logit_scale"),
        ("global_negative", "negatives"),
        ("local_negative", "image_tokens"),
        ("local_negative", "text_tokens"),
        ("local_negative", "text_mask"),
        ("local_negative", "negative_tokens"),
        ("local_negative", "negative_token_mask"),
        ("image_grounded", "negatives"),
        ("text_grounded", "teacher_text"),
        ("text_grounded", "negatives"),
        ("distillation", "teacher_image"),
        ("distillation", "teacher_text"),
        ("distillation", "teacher_negatives"),
    ],
)
def test_a_term_says_which_input_it_lacks(term: str, missing: str) -> None:
    given: dict[str, Any] = {**tensors(make_case(1)), missing: None}
    loss = objective({term: 1.0})
    with pytest.raises(InputError) as caught:
        loss(Features(**given))
    assert term in str(caught.value)
    assert missing in str(caught.value)


@pytest.mark.parametrize("name", ["clip", "negclip", "fsc-clip", "degla"])
def test_inputs_an_objective_does_not_use_may_be_absent(name: str) -> None:
    given = tensors(make_case(1))
    teachers = tuple(key for key in given if key.startswith("teacher_"))
    tokens = tuple(key for key in given if "token" in key or key == "text_mask")
    used = {
        "clip": ("image", "text", "logit_scale"),
        "negclip": POOLED_ONLY,
        "fsc-clip": POOLED_ONLY + tokens,
        "degla": POOLED_ONLY + teachers,
    }[name]
    few = objective(name)(Features(**{key: given[key] for key in used}))
    everything = run(name, make_case(1))
    assert {term: float(value) for term, value in few.items()} == pytest.approx(
        {term: float(value) for term, value in everything.items()}
    )
