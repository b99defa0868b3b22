"""Each term against its own nested loop, over shapes, masks, options and number formats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .cases import SHAPES, TERMS, Case, make_case, one, rounded, run
from .loops import LOOPS

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("contrastive", {"contrastive_negatives": "none"}),
    ("contrastive", {"contrastive_negatives": "batch"}),
    ("contrastive", {"contrastive_negatives": "own"}),
    ("contrastive", {"contrastive_negatives": "batch", "missing_negatives": "released"}),
    ("contrastive", {"contrastive_negatives": "own", "missing_negatives": "released"}),
    ("global_negative", {}),
    ("global_negative", {"missing_negatives": "released"}),
    ("global_negative", {"focal_gamma": 0.0, "label_smoothing": 0.0}),
    ("global_negative", {"focal_gamma": 1.0, "label_smoothing": 0.3}),
    ("local_negative", {}),
    ("local_negative", {"missing_negatives": "released"}),
    ("local_negative", {"local_alignment": "softmax"}),
    ("local_negative", {"local_alignment": "sparse"}),
    ("local_negative", {"focal_gamma": 3.0, "label_smoothing": 0.1}),
    ("image_grounded", {}),
    ("text_grounded", {}),
    ("text_grounded", {"text_grounded_scale": 1.0}),
    ("distillation", {}),
]
IDS = ["-".join([term, *map(str, options.values())]) for term, options in VARIANTS]


def slow(term: str, case: Case, options: dict[str, Any]) -> float:
    return LOOPS[term](case, **options)


@pytest.mark.parametrize(("term", "options"), VARIANTS, ids=IDS)
@pytest.mark.parametrize("mask", ["partial", "all"])
@pytest.mark.parametrize("seed", range(len(SHAPES)))
def test_term_is_its_loop_in_double_and_single_precision(
    term: str, options: dict[str, Any], mask: str, seed: int
) -> None:
    case = make_case(seed, SHAPES[seed], mask)
    assert one(term, case, **options) == pytest.approx(slow(term, case, options), rel=1e-10, abs=1e-10)
    single = rounded(case, torch.float32)
    assert one(term, single, torch.float32, **options) == pytest.approx(slow(term, single, options), rel=1e-5, abs=1e-5)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 5), st.integers(0, 4), st.integers(2, 6), st.integers(2, 6), st.integers(2, 6)),
    mask=st.sampled_from(["partial", "all", "none"]),
    scale=st.floats(0.5, 100.0),
    variant=st.sampled_from(VARIANTS),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_term_is_its_loop_on_any_shape(
    seed: int, shape: tuple[int, int, int, int, int], mask: str, scale: float, variant: tuple[str, dict[str, Any]]
) -> None:
    term, options = variant
    case = make_case(seed, shape, mask, scale)
    assert one(term, case, **options) == pytest.approx(slow(term, case, options), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("shape", [(5, 3, 6, 4, 5), (3, 4, 5, 2, 4), (6, 2, 4, 3, 3)])
def test_released_text_grounding_reads_other_captions_negatives(shape: tuple[int, int, int, int, int]) -> None:
    case = make_case(11, shape, "all")
    paper = one("text_grounded", case)
    released = one("text_grounded", case, text_grounded_mask="released")
    assert released == pytest.approx(slow("text_grounded", case, {"text_grounded_mask": "released"}), rel=1e-10)
    assert abs(released - paper) > 1e-3


def test_released_missing_negatives_are_told_from_masked_ones() -> None:
    case = make_case(5, SHAPES[1], "partial", scale=2.0)
    for term in ("global_negative", "local_negative"):
        assert abs(one(term, case, missing_negatives="released") - one(term, case)) > 1e-3


@pytest.mark.parametrize("negatives", ["none", "batch", "own"])
def test_duplicate_images_are_no_negatives(negatives: str) -> None:
    case = make_case(3, (6, 2, 5, 3, 4))
    distinct = one("contrastive", case, contrastive_negatives=negatives)
    case["image_id"] = np.array([4, 9, 4, 7, 9, 4])
    for i, j in [(2, 0), (5, 0), (4, 1)]:
        case["image"][i] = case["image"][j]
    plain = {key: value for key, value in case.items() if key != "image_id"}
    masked = one("contrastive", case, contrastive_negatives=negatives)
    assert masked == pytest.approx(slow("contrastive", case, {"contrastive_negatives": negatives}), rel=1e-10)
    assert masked < one("contrastive", plain, contrastive_negatives=negatives) - 1e-3
    case["image_id"] = np.arange(6)
    case["image"] = make_case(3, (6, 2, 5, 3, 4))["image"]
    assert one("contrastive", case, contrastive_negatives=negatives) == pytest.approx(distinct, rel=1e-12)


def test_batch_of_one_image_has_nothing_to_contrast() -> None:
    case = make_case(3)
    case["image_id"] = np.zeros(len(case["image"]), dtype=np.int64)
    assert one("contrastive", case) == pytest.approx(0.0, abs=1e-12)


def test_two_captions_worked_by_hand() -> None:
    """Orthogonal pairs at scale ln 3: every softmax is over {3, 1}, so that each figure has a closed form."""
    case: Case = {
        "image": np.eye(2),
        "text": np.eye(2),
        "negatives": np.array([[[0.0, 1.0]], [[1.0, 0.0]]]),
        "negative_mask": np.ones((2, 1), dtype=bool),
        "logit_scale": np.float64(math.log(3.0)),
        "teacher_image": np.zeros((2, 2)),
        "teacher_text": np.eye(2),
        "teacher_negatives": np.array([[[0.0, 0.5]], [[1.0, 0.0]]]),
    }
    plain, crowded, own = math.log(4 / 3), math.log(2), math.log(5 / 3)
    assert one("contrastive", case) == pytest.approx(plain)
    # The batch's two negatives are e2 and e1: the image sees {3, 1, 3, 1}; its own one is orthogonal: {3, 1, 1}.
    assert one("contrastive", case, contrastive_negatives="batch") == pytest.approx((math.log(8 / 3) + plain) / 2)
    assert one("contrastive", case, contrastive_negatives="own") == pytest.approx((own + plain) / 2)
    assert one("image_grounded", case) == pytest.approx(plain)
    assert one("text_grounded", case, text_grounded_scale=math.log(3.0)) == pytest.approx(plain)
    # p = 3/4, targets 0.99 and 0.01: 0.99 * (1/4)^2 * ln(4/3) + 0.01 * (3/4)^2 * ln 4
    focal = 0.99 * plain / 16 + 0.01 * 9 / 16 * 2 * crowded
    assert one("global_negative", case) == pytest.approx(focal)
    assert one("distillation", case) == pytest.approx(2.0 + 0.25)


def test_mean_distillation_does_not_grow_with_the_batch() -> None:
    case = make_case(8, mask="all")
    twice = {key: value if value.ndim == 0 else np.concatenate([value, value]) for key, value in case.items()}
    assert one("distillation", twice) == pytest.approx(2 * one("distillation", case), rel=1e-12)
    mean = one("distillation", case, distillation_reduction="mean")
    assert one("distillation", twice, distillation_reduction="mean") == pytest.approx(mean, rel=1e-12)
    assert mean == pytest.approx(one("distillation", case) / len(case["image"]), rel=1e-12)


def test_no_mask_means_that_every_negative_is_there() -> None:
    case = make_case(4, mask="all")
    unmasked = {key: value for key, value in case.items() if key != "negative_mask"}
    for term in TERMS:
        assert one(term, unmasked, contrastive_negatives="batch") == one(term, case, contrastive_negatives="batch")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["clip", "negclip", "fsc-clip", "degla"])
def test_half_precision_features_give_single_precision_losses(name: str, dtype: torch.dtype) -> None:
    case = rounded(make_case(2, SHAPES[4], scale=100.0), dtype)
    for term, value in run(name, case, dtype).items():
        assert value.dtype == torch.float32
        assert math.isfinite(float(value)), term


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("term", TERMS)
def test_half_precision_features_are_multiplied_in_single_precision(term: str, dtype: torch.dtype) -> None:
    case = rounded(make_case(2, SHAPES[4], scale=100.0), dtype)
    assert one(term, case, dtype) == pytest.approx(slow(term, case, {}), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("term", TERMS)
def test_autocast_does_not_lower_the_precision_of_a_loss(term: str) -> None:
    case = rounded(make_case(2, SHAPES[4], scale=100.0), torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = run({term: 1.0}, case, torch.float32)[term]
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(slow(term, case, {}), rel=1e-4, abs=1e-4)
