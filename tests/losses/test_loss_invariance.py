"""What must not matter does not, and batches with nothing in them give numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from .cases import SHAPES, TEACHERS, TERMS, Case, make_case, one, run, run_with_gradients
from .loops import local_negative

OBJECTIVES = ("clip", "negclip", "fsc-clip", "degla")
BY_CAPTION = ("negatives", "negative_mask", "negative_tokens", "negative_token_mask", "teacher_negatives")


def same(before: Case, after: Case, **options: Any) -> None:
    for term in TERMS:
        for negatives in ("batch", "own"):
            chosen = {"contrastive_negatives": negatives, **options}
            assert one(term, after, **chosen) == pytest.approx(one(term, before, **chosen), rel=1e-10), term


def test_more_room_for_negatives_changes_nothing() -> None:
    case = make_case(1)
    size = len(case["image"])
    rng = np.random.default_rng(5)
    wider = dict(case)
    for name in BY_CAPTION:
        extra = rng.normal(size=(size, 2, *case[name].shape[2:]))
        # The new places come first, so that counting from the left finds out.
        wider[name] = np.concatenate([extra if case[name].dtype.kind == "f" else extra > 9, case[name]], axis=1)
    assert wider["negative_mask"].sum() == case["negative_mask"].sum()
    same(case, wider)


@pytest.mark.parametrize("duplicates", [False, True])
def test_order_of_samples_changes_nothing(duplicates: bool) -> None:
    case = make_case(2, SHAPES[4])
    if duplicates:
        case["image_id"] = np.array([1, 2, 3, 1, 4, 2, 1])
    order = np.random.default_rng(0).permutation(len(case["image"]))
    same(case, {key: value if value.ndim == 0 else value[order] for key, value in case.items()})


def test_order_of_a_captions_negatives_changes_nothing() -> None:
    case = make_case(3)
    shuffled = {key: value[:, ::-1] if key in BY_CAPTION else value for key, value in case.items()}
    same(case, {key: np.array(value) for key, value in shuffled.items()})


def test_order_of_patches_changes_nothing() -> None:
    case = make_case(4)
    same(case, {**case, "image_tokens": case["image_tokens"][:, [3, 1, 0, 2, 8, 7, 4, 6, 5]].copy()})


@pytest.mark.parametrize("alignment", ["minmax", "softmax", "sparse"])
def test_more_text_padding_changes_nothing(alignment: str) -> None:
    case = make_case(5)
    rng = np.random.default_rng(6)
    longer = dict(case)
    for name in ("text_tokens", "negative_tokens"):
        shape = list(case[name].shape)
        shape[-2] = 4
        longer[name] = np.concatenate([case[name], 50 * rng.normal(size=shape)], axis=-2)
    for name in ("text_mask", "negative_token_mask"):
        longer[name] = np.concatenate([case[name], np.zeros((*case[name].shape[:-1], 4), dtype=bool)], axis=-1)
    same(case, longer, local_alignment=alignment)


def finite(name: Any, case: Case, dtype: torch.dtype, **options: Any) -> dict[str, torch.Tensor]:
    """Run it, demand finite terms and gradients, and hand back the terms."""
    terms, gradients = run_with_gradients(name, case, dtype, **options)
    for term, value in terms.items():
        assert value.isfinite(), term
    for key, gradient in gradients.items():
        assert gradient is None or gradient.isfinite().all(), key
    return terms


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", OBJECTIVES)
class TestNearlyNothing:
    def test_no_places_for_negatives(self, name: str, dtype: torch.dtype) -> None:
        case = make_case(1, (4, 0, 5, 3, 4))
        terms = finite(name, case, dtype)
        plain = run({"contrastive": 1.0}, case, dtype)["contrastive"]
        for term in ("global_negative", "local_negative", "image_grounded", "text_grounded"):
            assert terms.get(term, torch.zeros(())).item() == pytest.approx(0.0, abs=1e-12)
        assert terms["contrastive"].item() == pytest.approx(plain.item(), rel=1e-6)

    @pytest.mark.parametrize("missing", ["masked", "released"])
    def test_no_valid_negative(self, name: str, dtype: torch.dtype, missing: str) -> None:
        case = make_case(2, mask="none")
        case["negative_token_mask"][:] = False
        terms = finite(name, case, dtype, missing_negatives=missing)
        for term in ("global_negative", "local_negative"):
            if term in terms:
                assert terms[term].item() == 0.0
                assert terms[term].requires_grad  # the backward pass of such a batch alone must run

    def test_one_sample(self, name: str, dtype: torch.dtype) -> None:
        terms = finite(name, make_case(3, (1, 2, 5, 4, 4), "all"), dtype)
        assert sum(value.item() for value in terms.values()) >= 0.0

    def test_one_sample_without_negatives(self, name: str, dtype: torch.dtype) -> None:
        terms = finite(name, make_case(3, (1, 0, 5, 4, 4)), dtype)
        assert terms["contrastive"].item() == pytest.approx(0.0, abs=1e-6)

    def test_empty_batch(self, name: str, dtype: torch.dtype) -> None:
        for term, value in finite(name, make_case(4, (0, 2, 5, 4, 4)), dtype).items():
            assert value.item() == 0.0, term


@pytest.mark.parametrize("term", ["global_negative", "local_negative", "image_grounded", "text_grounded"])
@pytest.mark.parametrize("mask", ["none", "empty"])
def test_a_term_alone_on_a_batch_without_negatives_can_be_run_backwards(term: str, mask: str) -> None:
    case = make_case(1, (3, 0, 5, 4, 4)) if mask == "empty" else make_case(1, mask="none")
    assert finite({term: 1.0}, case, torch.float32)[term].item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("alignment", ["minmax", "sparse", "softmax"])
@pytest.mark.parametrize("patches", [1, 4])
def test_patches_that_are_all_alike_share_equally(patches: int, alignment: str, dtype: torch.dtype) -> None:
    """One patch, or four equal ones: no row has a range to divide by, and the mixture can only be that patch."""
    case = make_case(5, (3, 2, 5, patches, 4))
    case["image_tokens"] = np.round(case["image_tokens"][:, :1] * 8).repeat(patches, axis=1) / 8
    # Eighths multiply exactly, so that equal patches score exactly the same in any order of summation.
    for name in ("text_tokens", "negative_tokens"):
        case[name] = np.round(case[name] * 8) / 8 + 0.125
    value = finite({"local_negative": 1.0}, case, dtype, local_alignment=alignment)["local_negative"].item()
    assert value == pytest.approx(local_negative(case, local_alignment="softmax"), rel=1e-5)


@pytest.mark.parametrize("alignment", ["minmax", "sparse"])
def test_a_token_equally_far_from_different_patches_is_no_crash(alignment: str) -> None:
    case = make_case(6, (2, 1, 4, 3, 3), "all")
    case["image_tokens"][0] = np.array([[1.0, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]])
    case["text_tokens"][0] = np.array([2.0, 0, 0, 0])
    loss = finite({"local_negative": 1.0}, case, torch.float32, local_alignment=alignment)["local_negative"]
    assert loss.item() == pytest.approx(local_negative(case, local_alignment=alignment), rel=1e-5)


def test_zero_tokens_are_no_crash() -> None:
    case = make_case(7)
    case["text_tokens"][0] = 0.0
    case["image_tokens"][1] = 0.0
    finite({"local_negative": 1.0}, case, torch.float32)


@pytest.mark.parametrize("empty", ["text_mask", "negative_token_mask"])
def test_a_caption_without_tokens_is_no_crash(empty: str) -> None:
    case = make_case(7, mask="all")
    case[empty][0] = False
    finite({"local_negative": 1.0}, case, torch.float32)


def test_identical_features_give_the_logarithm_of_the_crowd() -> None:
    case = make_case(8, (5, 3, 4, 2, 3), "all")
    for name in ("image", "text", "negatives", *TEACHERS):
        case[name] = np.broadcast_to(np.array([1.0, 0, 0, 0]), case[name].shape).copy()
    assert one("contrastive", case) == pytest.approx(math.log(5))
    assert one("contrastive", case, contrastive_negatives="batch") == pytest.approx((math.log(20) + math.log(5)) / 2)
    assert one("image_grounded", case) == pytest.approx(math.log(4))
    assert one("text_grounded", case) == pytest.approx(math.log(4))
    assert one("distillation", case) == 0.0
