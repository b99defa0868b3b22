"""Whole objectives against the arithmetic of the released losses."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from .cases import SHAPES, Case, make_case, rounded, run, total
from .released import degla, fsc_clip

PRECISIONS = [(torch.float64, 1e-9), (torch.float32, 2e-4)]


def compare(
    name: str, case: Case, dtype: torch.dtype, tolerance: float, wanted: dict[str, float], **options: Any
) -> None:
    terms = run(name, case, dtype, **options)
    assert set(terms) == set(wanted)
    for term, value in wanted.items():
        assert float(terms[term]) == pytest.approx(value, rel=tolerance, abs=tolerance), term
    assert total(name, case, dtype, **options) == pytest.approx(sum(wanted.values()), rel=tolerance, abs=tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("scale", [2.0, 14.3, 100.0])
@pytest.mark.parametrize("seed", range(len(SHAPES)))
class TestReleased:
    @pytest.mark.parametrize(
        ("alignment", "theirs"),
        [
            ("minmax", {}),
            ("softmax", {"normaliser": "softmax"}),
            ("sparse", {"sparsify": True}),
        ],
    )
    def test_fsc_clip_with_gaps_in_the_negatives(
        self, seed: int, scale: float, dtype: torch.dtype, tolerance: float, alignment: str, theirs: dict[str, Any]
    ) -> None:
        case = rounded(make_case(seed, SHAPES[seed], "partial", scale), dtype)
        wanted = fsc_clip(case, **theirs)
        compare("fsc-clip", case, dtype, tolerance, wanted, missing_negatives="released", local_alignment=alignment)

    def test_fsc_clip_by_default_where_no_negative_is_missing(
        self, seed: int, scale: float, dtype: torch.dtype, tolerance: float
    ) -> None:
        case = rounded(make_case(seed, SHAPES[seed], "all", scale), dtype)
        compare("fsc-clip", case, dtype, tolerance, fsc_clip(case))

    def test_degla_as_released(self, seed: int, scale: float, dtype: torch.dtype, tolerance: float) -> None:
        case = rounded(make_case(seed, SHAPES[seed], "all", scale), dtype)
        compare("degla", case, dtype, tolerance, degla(case), text_grounded_mask="released")

    def test_degla_by_default_has_the_mask_repaired(
        self, seed: int, scale: float, dtype: torch.dtype, tolerance: float
    ) -> None:
        case = rounded(make_case(seed, SHAPES[seed], "all", scale), dtype)
        compare("degla", case, dtype, tolerance, degla(case, repaired=True))


def test_published_settings_other_than_the_default() -> None:
    """FSC-CLIP's CC3M row weighs the global term 1.0, its larger models the local term 0.5."""
    case = make_case(3, SHAPES[1], "partial", 10.0)
    wanted = fsc_clip(case, global_weight=1.0, local_weight=0.5, gamma=1.0, smoothing=0.1)
    compare(
        "fsc-clip",
        case,
        torch.float64,
        1e-9,
        wanted,
        weights={"global_negative": 1.0, "local_negative": 0.5},
        focal_gamma=1.0,
        label_smoothing=0.1,
        missing_negatives="released",
    )


def test_negclip_is_the_contrastive_part_of_degla() -> None:
    case = make_case(9, SHAPES[4], "all", 20.0)
    compare("negclip", case, torch.float64, 1e-9, {"contrastive": degla(case)["contrastive"]})
