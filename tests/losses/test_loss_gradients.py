"""Gradients: against finite differences, and none for teachers, missing negatives and padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from compoclip.losses import Features, objective

from .cases import TEACHERS, TERMS, TOKENS, Case, make_case, run_with_gradients, tensors
from .loops import alignments, local_negative

READS: dict[str, tuple[str, ...]] = {
    "contrastive": ("image", "text", "negatives", "logit_scale"),
    "global_negative": ("image", "text", "negatives", "logit_scale"),
    "image_grounded": ("image", "text", "negatives", "logit_scale"),
    "text_grounded": ("text", "negatives"),
    "distillation": ("image", "text", "negatives"),
}
CHECKS: list[tuple[str, dict[str, Any]]] = [
    ("contrastive", {"contrastive_negatives": "batch"}),
    ("contrastive", {"contrastive_negatives": "own"}),
    ("global_negative", {}),
    ("global_negative", {"missing_negatives": "released"}),
    ("image_grounded", {}),
    ("text_grounded", {}),
    ("distillation", {}),
    ("distillation", {"distillation_reduction": "mean"}),
]


@pytest.mark.parametrize(("term", "options"), CHECKS)
def test_pooled_terms_pass_gradcheck(term: str, options: dict[str, Any]) -> None:
    case = make_case(4, (3, 2, 4, 3, 4), scale=3.0)
    case["image_id"] = np.array([1, 2, 1])
    fixed = tensors(case)
    names = READS[term]
    loss = objective({term: 1.0}, **options)

    def value(*inputs: torch.Tensor) -> torch.Tensor:
        return loss(Features(**{**fixed, **dict(zip(names, inputs, strict=True))}))[term]

    inputs = tuple(fixed[name].clone().requires_grad_() for name in names)
    assert torch.autograd.gradcheck(value, inputs)


@pytest.mark.parametrize("alignment", ["minmax", "softmax", "sparse"])
@pytest.mark.parametrize("missing", ["masked", "released"])
def test_local_gradient_takes_the_patch_shares_as_constants(alignment: str, missing: str) -> None:
    case = make_case(6, (3, 2, 3, 3, 4), scale=3.0)
    options: dict[str, Any] = {"local_alignment": alignment, "missing_negatives": missing}
    frozen = alignments(case, alignment)
    _, gradients = run_with_gradients({"local_negative": 1.0}, case, **options)
    step = 1e-6
    for name in (*TOKENS, "logit_scale"):
        gradient = gradients[name]
        assert gradient is not None
        for index in np.ndindex(*case[name].shape):
            moved: list[float] = []
            for sign in (1.0, -1.0):
                array = np.array(case[name])
                array[index] += sign * step
                moved.append(local_negative({**case, name: array}, frozen=frozen, **options))
            slope = (moved[0] - moved[1]) / (2 * step)
            assert float(gradient[index]) == pytest.approx(slope, abs=1e-7, rel=1e-6), (name, index)


@pytest.mark.parametrize("mask", ["paper", "released"])
def test_teacher_gets_no_gradient(mask: str) -> None:
    case = make_case(1, mask="all")
    terms, gradients = run_with_gradients("degla", case, text_grounded_mask=mask)
    assert set(terms) == {"contrastive", "image_grounded", "text_grounded", "distillation"}
    for name in TEACHERS:
        gradient = gradients[name]
        assert gradient is None or not gradient.any()
    for name in ("image", "text", "negatives", "logit_scale"):
        gradient = gradients[name]
        assert gradient is not None
        assert gradient.any()


def spoil(case: Case, garbage: str) -> Case:
    """The same case with other numbers wherever a mask says that nothing is there."""
    rng = np.random.default_rng(99)
    spoiled = {key: np.array(value) for key, value in case.items()}
    gone = ~case["negative_mask"]
    holes = {
        "negatives": gone,
        "teacher_negatives": gone,
        "negative_tokens": gone[:, :, None] | ~case["negative_token_mask"],
        "text_tokens": ~case["text_mask"],
    }
    for name, hole in holes.items():
        shape = spoiled[name][hole].shape
        fill = {
            "huge": np.full(shape, 1e6),
            "zero": np.zeros(shape),
            "random": rng.normal(size=shape),
            "nan": np.full(shape, np.nan),
        }
        spoiled[name][hole] = fill[garbage]
    if garbage == "zero":  # an absent caption has no tokens,
        spoiled["negative_token_mask"][gone] = False
    if garbage == "huge":  # or claims to be full of them
        spoiled["negative_token_mask"][gone] = True
    return spoiled


@pytest.mark.parametrize("garbage", ["huge", "zero", "random", "nan"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("term", TERMS)
def test_what_is_masked_moves_neither_values_nor_gradients(term: str, dtype: torch.dtype, garbage: str) -> None:
    case = make_case(7, scale=4.0)
    options = {"contrastive_negatives": "batch"}
    clean_terms, clean = run_with_gradients({term: 1.0}, case, dtype, **options)
    terms, gradients = run_with_gradients({term: 1.0}, spoil(case, garbage), dtype, **options)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    assert terms[term].item() == pytest.approx(clean_terms[term].item(), rel=tolerance)
    for name, expected in clean.items():
        gradient = gradients[name]
        assert (gradient is None) == (expected is None), name
        if gradient is not None and expected is not None:
            torch.testing.assert_close(gradient, expected, rtol=tolerance, atol=tolerance)
    gone = torch.tensor(~case["negative_mask"])
    for name in ("negatives", "negative_tokens"):
        gradient = gradients[name]
        assert gradient is None or not gradient[gone].any()
    padding = gradients["text_tokens"]
    assert padding is None or not padding[~torch.tensor(case["text_mask"])].any()


def test_released_missing_negative_is_a_constant_class() -> None:
    """It takes part as logit 0 whatever stands in its place, and nothing flows into that place."""
    case = make_case(7, scale=4.0)
    terms, clean = run_with_gradients("fsc-clip", case, missing_negatives="released")
    for garbage in ("huge", "zero"):
        spoiled, gradients = run_with_gradients("fsc-clip", spoil(case, garbage), missing_negatives="released")
        for term, value in terms.items():
            assert spoiled[term].item() == pytest.approx(value.item(), rel=1e-12)
        for name in ("image", "image_tokens", "text_tokens", "negatives"):
            torch.testing.assert_close(gradients[name], clean[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.0])
def test_a_certain_answer_has_a_finite_gradient(gamma: float) -> None:
    """Saturated softmax: one minus p is exactly zero, where a careless power or logarithm breaks."""
    case = make_case(2, mask="all", scale=100.0)
    case["text"] = case["image"].copy()
    case["negatives"] = np.repeat(-case["image"][:, None], case["negatives"].shape[1], axis=1)
    for dtype in (torch.float64, torch.float32):
        terms, gradients = run_with_gradients({"global_negative": 1.0}, case, dtype, focal_gamma=gamma)
        assert terms["global_negative"].isfinite()
        for name in ("image", "text", "negatives", "logit_scale"):
            gradient = gradients[name]
            assert gradient is not None
            assert gradient.isfinite().all()
