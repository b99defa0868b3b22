"""The ten properties asked of every term beyond the seed papers': value, gradient, masks, order, limits, cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from compoclip.errors import InputError
from compoclip.losses import TERMS, Features, objective
from compoclip.losses.rank_margin import next_margins as measured_margins

from .cases import Case, features, one, rounded, run_with_gradients, tensors, unit
from .extended import EXTENDED, make_extended, next_margins
from .loops import LOOPS

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("unit_contrast", {}),
    ("unit_contrast", {"unit_foils": "batch"}),
    ("unit_contrast", {"unit_repeats": "masked"}),
    ("unit_contrast", {"unit_empty_slot": "skip"}),
    ("paraphrase", {}),
    ("paraphrase", {"paraphrase_direction": "released"}),
    ("paraphrase", {"paraphrase_direction": "both"}),
    ("phrase_contrast", {}),
    ("phrase_contrast", {"phrase_repeats": "masked"}),
    ("phrase_contrast", {"phrase_form": "softmax"}),
    ("phrase_contrast", {"phrase_form": "softmax", "phrase_repeats": "masked"}),
    ("phrase_pooled", {}),
    ("phrase_pooled", {"phrase_temperature": 0.1, "phrase_form": "softmax"}),
    ("own_pair", {}),
    ("text_pull", {}),
    ("rank_margin", {}),
    ("rank_margin", {"margin": "fixed", "margin_cap": 0.3}),
    ("rank_margin", {"margin_mean": "present"}),
    ("text_contrast", {}),
    ("text_contrast", {"text_contrast_negatives": "own"}),
    ("text_contrast", {"text_contrast_positive": "first_negative"}),
    ("contrastive", {}),
    ("contrastive", {"contrastive_negatives": "batch"}),
    ("contrastive", {"contrastive_form": "sigmoid"}),
    ("contrastive", {"contrastive_form": "sigmoid", "contrastive_negatives": "batch"}),
    ("contrastive", {"contrastive_form": "sigmoid", "contrastive_negatives": "own"}),
]
VARIANTS += [(term, {}) for term in EXTENDED if term not in {name for name, _ in VARIANTS}]
IDS = ["-".join([term, *map(str, options.values())]) for term, options in VARIANTS]
every_variant = pytest.mark.parametrize(("term", "options"), VARIANTS, ids=IDS)
SLOTTED = (
    "units",
    "foils",
    "unit_mask",
    "foil_mask",
    "unit_id",
    "texts",
    "text_present",
    "paraphrases",
    "paraphrase_mask",
)


def without(case: Case, *names: str) -> Case:
    return {key: value for key, value in case.items() if key not in names}


def usable(term: str, case: Case) -> Case:
    """`first_negative` reads the first place of the batch, so that place must be filled for it to mean anything."""
    if term == "text_contrast" and case["negative_mask"].size:
        case["negative_mask"][:, 0] = True
    return case


def test_every_term_is_written_as_loops() -> None:
    assert set(TERMS) == {*LOOPS, *EXTENDED}, "write it as loops in tests/losses/extended.py, and list it in EXTENDED"


@every_variant
@pytest.mark.parametrize("mask", ["partial", "all", "none"])
@pytest.mark.parametrize(("size", "slots", "phrases"), [(4, 2, 7), (1, 1, 3), (3, 2, 0)])
def test_a_term_is_its_loop(term: str, options: dict[str, Any], mask: str, size: int, slots: int, phrases: int) -> None:
    case = usable(term, make_extended(size * 10 + slots, size, slots, phrases, mask))
    if size > 2:
        case["image_id"] = np.array([7, 8, 7, 9, 8])[:size]
    for given in (case, without(case, "texts", "text_present", "margins")):
        wanted = EXTENDED[term](given, **options)
        assert one(term, given, **options) == pytest.approx(wanted, rel=1e-12, abs=1e-12)
        single = rounded(given, torch.float32)
        assert one(term, single, torch.float32, **options) == pytest.approx(wanted, rel=2e-5, abs=2e-5)


@every_variant
def test_gradients_are_those_of_finite_differences(term: str, options: dict[str, Any]) -> None:
    case = usable(term, make_extended(3, 2, 2, 3))
    fixed = tensors(case)
    loss = objective({term: 1.0}, **options)
    probe = tensors(case, grad=True)
    loss(Features(**probe))[term].backward()
    names = [name for name, leaf in probe.items() if leaf.is_floating_point() and leaf.grad is not None]
    if options.get("margin") == "fixed":  # the threshold is a constant to the gradient, though it grows with the scale
        names.remove("logit_scale")
    assert names

    def value(*inputs: torch.Tensor) -> torch.Tensor:
        return loss(Features(**{**fixed, **dict(zip(names, inputs, strict=True))}))[term]

    assert torch.autograd.gradcheck(value, tuple(fixed[name].clone().requires_grad_() for name in names))


@every_variant
@pytest.mark.parametrize("garbage", [np.nan, np.inf, 1e6])
def test_masked_places_change_nothing(term: str, options: dict[str, Any], garbage: float) -> None:
    case = usable(term, make_extended(12))
    spoiled = {key: np.array(value) for key, value in case.items()}
    for name, present in (
        ("units", case["unit_mask"]),
        ("foils", case["unit_mask"] & case["foil_mask"]),
        ("texts", case["text_present"]),
        ("paraphrases", case["paraphrase_mask"]),
        ("negatives", case["negative_mask"]),
    ):
        assert not present.all(), name
        spoiled[name][~present] = garbage
    clean_terms, clean = run_with_gradients({term: 1.0}, case, **options)
    terms, gradients = run_with_gradients({term: 1.0}, spoiled, **options)
    assert terms[term].item() == clean_terms[term].item()
    for name, expected in clean.items():
        gradient = gradients[name]
        assert (gradient is None) == (expected is None), name
        if gradient is not None and expected is not None:
            assert torch.equal(gradient, expected), name


@every_variant
def test_the_order_of_samples_and_of_slots_does_not_matter(term: str, options: dict[str, Any]) -> None:
    if options.get("text_contrast_positive") == "first_negative":
        pytest.skip("the released slip depends on which negative comes first")
    case = make_extended(5, 5, 2, 8)
    order = np.array([3, 0, 4, 1, 2])
    flat = ("phrases", "phrase_owner", "phrase_id", "margins")
    moved = {key: value if value.ndim == 0 or key in flat else value[order] for key, value in case.items()}
    moved["phrase_owner"] = np.argsort(order)[case["phrase_owner"]]
    for name in ("phrases", "phrase_owner", "phrase_id"):
        moved[name] = moved[name][::-1].copy()
    for name in SLOTTED:
        moved[name] = moved[name][:, ::-1].copy()
    if term == "text_pull":
        assert one(term, moved, **options) == pytest.approx(one(term, case, **options), rel=1e-12)
        case, moved = without(case, "texts", "text_present"), without(moved, "texts", "text_present")
    assert one(term, moved, **options) == pytest.approx(one(term, case, **options), rel=1e-12)


@pytest.mark.parametrize(
    ("term", "options"),
    [
        ("unit_contrast", {}),
        ("phrase_contrast", {"phrase_form": "softmax"}),
        ("paraphrase", {}),
        ("own_pair", {}),
        ("text_pull", {}),
        ("rank_margin", {}),
        ("text_contrast", {}),
    ],
)
def test_right_features_score_better_than_random_ones_and_vanish_at_a_large_scale(
    term: str, options: dict[str, Any]
) -> None:
    random = without(make_extended(8, 4, 2, 4, "all"), "texts", "text_present", "margins")
    right = {key: np.array(value) for key, value in random.items()}
    axes = np.eye(6)
    right["image"] = right["text"] = axes[:4].copy()
    right["units"] = right["paraphrases"] = np.repeat(axes[:4, None], 2, axis=1)
    right["foils"] = np.broadcast_to(axes[4], right["foils"].shape).copy()
    right["negatives"] = np.broadcast_to(axes[5], right["negatives"].shape).copy()
    right["phrases"], right["phrase_owner"] = axes[:4].copy(), np.arange(4)
    assert one(term, right, **options) < one(term, random, **options)
    right["logit_scale"] = np.float64(1000.0)
    assert one(term, right, **options) == pytest.approx(0.0, abs=1e-9)


@every_variant
def test_a_detached_tower_gets_no_gradient(term: str, options: dict[str, Any]) -> None:
    leaves = tensors(usable(term, make_extended(4)), grad=True)
    frozen = {**leaves, "image": leaves["image"].detach(), "image_tokens": leaves["image_tokens"].detach()}
    value = objective({term: 1.0}, **options)(Features(**frozen))[term]
    value.backward()
    assert leaves["image"].grad is None
    assert leaves["image_tokens"].grad is None


@every_variant
def test_nothing_to_compare_is_zero_and_can_be_run_backwards(term: str, options: dict[str, Any]) -> None:
    case = make_extended(2, 0, 2, 0)
    terms, _ = run_with_gradients({term: 1.0}, case, **options)
    assert terms[term].item() == 0.0


def test_a_sample_without_units_adds_nothing_to_the_others() -> None:
    case = make_extended(6, 4, 2, 5, "all")
    case["unit_mask"][3] = False
    fewer = {
        key: value if value.ndim == 0 or key.startswith("phrase") or key == "margins" else value[:3]
        for key, value in case.items()
    }
    fewer["phrase_owner"] = np.minimum(fewer["phrase_owner"], 2)
    assert one("unit_contrast", case) == pytest.approx(one("unit_contrast", fewer), rel=1e-12)


def test_batch_wide_terms_are_not_sums_over_micro_batches() -> None:
    """Why training in micro-batches needs two passes: the parts of a batch do not add up to it."""
    case = without(make_extended(9, 4, 2, 4, "all"), "texts", "text_present")

    def part(rows: slice) -> Case:
        return {
            key: value if value.ndim == 0 or key.startswith("phrase") or key == "margins" else value[rows]
            for key, value in case.items()
            if not key.startswith("phrase")
        }

    for term in ("unit_contrast", "paraphrase", "text_contrast"):
        halves = (one(term, part(slice(0, 2))) + one(term, part(slice(2, 4)))) / 2
        assert abs(halves - one(term, case)) > 1e-3
    for term in ("own_pair", "text_pull"):
        halves = (one(term, part(slice(0, 2))) + one(term, part(slice(2, 4)))) / 2
        assert halves == pytest.approx(one(term, case), rel=1e-12)


@pytest.mark.parametrize(
    ("term", "paper", "released"),
    [
        ("paraphrase", {}, {"paraphrase_direction": "released"}),
        ("text_contrast", {}, {"text_contrast_positive": "first_negative"}),
        ("unit_contrast", {}, {"unit_repeats": "masked"}),
        ("phrase_contrast", {}, {"phrase_repeats": "masked"}),
        ("unit_contrast", {}, {"unit_empty_slot": "skip"}),
        ("rank_margin", {}, {"margin_mean": "present"}),
    ],
)
def test_variants_can_be_told_apart(term: str, paper: dict[str, Any], released: dict[str, Any]) -> None:
    case = usable(term, make_extended(12, 5, 2, 9))
    case["unit_mask"][:, 1] = False
    case["unit_id"][:] = 1
    assert abs(one(term, case, **paper) - one(term, case, **released)) > 1e-3


@pytest.mark.parametrize("kinds", [False, True])
@pytest.mark.parametrize("mask", ["partial", "none", "all"])
def test_margins_follow_what_the_model_achieves(kinds: bool, mask: str) -> None:
    case = make_extended(13, 5, mask=mask)
    if kinds:
        case["negative_kind"] = np.random.default_rng(0).integers(0, 2, size=(5, 3))
    measured = measured_margins(features(case), cap=0.05)
    assert measured.tolist() == pytest.approx(next_margins(case, 0.05), rel=1e-12)
    assert not measured.requires_grad
    first = measured_margins(features(without(case, "margins")))
    assert first.tolist() == pytest.approx(next_margins({**case, "margins": np.zeros(len(first))}), rel=1e-12)


def test_one_caption_with_its_foil_is_a_choice_between_two() -> None:
    case = make_extended(1, 1, 1, 1, "all")
    s = float(case["logit_scale"])
    gap = s * float(case["image"][0] @ (case["foils"][0, 0] - case["units"][0, 0]))
    assert one("unit_contrast", case) == pytest.approx(0.5 * np.log1p(np.exp(gap)), rel=1e-12)


def test_a_softmax_model_at_its_own_temperature_has_a_sigmoid_form_too() -> None:
    """By hand: B = 2, orthogonal pairs, s = 2, b = -1: two pairs at s + b = 1 and two at b = -1."""
    case: Case = {"image": np.eye(2), "text": np.eye(2), "logit_scale": np.float64(2.0), "logit_bias": np.float64(-1.0)}
    assert one("contrastive", case, contrastive_form="sigmoid") == pytest.approx(2 * np.log1p(np.exp(-1.0)))


@pytest.mark.parametrize(
    ("term", "lacking"),
    [
        ("unit_contrast", "units"),
        ("paraphrase", "paraphrases"),
        ("phrase_contrast", "phrases"),
        ("phrase_contrast", "phrase_owner"),
        ("phrase_pooled", "image_tokens"),
        ("phrase_contrast", "logit_bias"),
        ("own_pair", "negatives"),
        ("text_pull", "paraphrases"),
        ("rank_margin", "negatives"),
        ("text_contrast", "negatives"),
    ],
)
def test_a_term_says_which_input_it_lacks(term: str, lacking: str) -> None:
    given: dict[str, Any] = {**tensors(without(make_extended(1), "texts", "text_present")), lacking: None}
    if lacking in ("units", "phrases"):
        given.update(foils=None)
    with pytest.raises(InputError, match=lacking):
        objective({term: 1.0})(Features(**given))


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("units", np.zeros((3, 2, 6)), "units"),
        ("unit_mask", np.ones((4, 1), dtype=bool), "unit_mask"),
        ("foils", np.zeros((4, 1, 6)), "foils"),
        ("phrases", np.zeros((7, 2, 6)), "phrases"),
        ("phrase_owner", np.array([0, 1, 2, 3, 4, 5, 9]), "phrase_owner"),
    ],
)
def test_a_wrong_shape_is_named(name: str, value: np.ndarray, match: str) -> None:
    case = {**make_extended(1), name: value}
    term = "phrase_contrast" if name.startswith("phrase") else "unit_contrast"
    with pytest.raises(InputError, match=match):
        one(term, case)


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("cs-clip", {"contrastive", "unit_contrast"}),
        ("read", {"contrastive", "paraphrase"}),
        ("c2lip", {"contrastive", "phrase_contrast", "phrase_pooled"}),
        ("clic", {"contrastive", "own_pair", "text_pull"}),
        ("ce-clip", {"contrastive", "rank_margin", "text_contrast"}),
    ],
)
def test_methods_of_the_field_are_sums_of_terms(name: str, terms: set[str]) -> None:
    case = make_extended(2, mask="all")
    values = objective(name)(features(case))
    assert set(values) == terms
    options = objective(name).options
    for term, weight in objective(name).weights.items():
        assert float(values[term]) == pytest.approx(
            weight * EXTENDED[term](case, **options_of(term, options)), rel=1e-12
        )


def options_of(term: str, options: Any) -> dict[str, Any]:
    return {k: v for k, v in options.items() if k.startswith("contrastive") and term == "contrastive"}


def test_normalised_features_are_assumed_as_given() -> None:
    """The unit vectors of the cases are of length one; the terms do not normalise pooled features again."""
    case = make_extended(3)
    longer = {**case, "units": case["units"] * 2}
    assert np.allclose(unit(longer["units"]), case["units"])
    assert one("unit_contrast", longer) != pytest.approx(one("unit_contrast", case))
