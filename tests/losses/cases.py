"""Random feature sets for the loss tests: plain float64 arrays, turned into `Features` only at the last moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from compoclip.losses import Features, objective

Case = dict[str, Any]

POOLED = ("image", "text", "negatives", "teacher_image", "teacher_text", "teacher_negatives")
TOKENS = ("image_tokens", "text_tokens", "negative_tokens")
TEACHERS = ("teacher_image", "teacher_text", "teacher_negatives")
TERMS = ("contrastive", "global_negative", "local_negative", "image_grounded", "text_grounded", "distillation")
# Nothing below is symmetric in B, K, P and T, so that a transposed layout cannot give the right number.
SHAPES = [(3, 2, 5, 4, 6), (4, 3, 7, 9, 5), (5, 1, 4, 2, 3), (2, 4, 6, 3, 8), (7, 3, 5, 6, 4)]


def unit(array: np.ndarray) -> np.ndarray:
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


def token_masks(rng: np.random.Generator, rows: tuple[int, ...], width: int) -> np.ndarray:
    """The start token and the padding are False; every caption keeps at least one token."""
    mask = np.zeros((*rows, width), dtype=bool)
    for row in np.ndindex(*rows):
        mask[row][1 : 1 + rng.integers(1, width)] = True
    return mask


def negative_masks(rng: np.random.Generator, batch: int, count: int, kind: str) -> np.ndarray:
    if kind == "all":
        return np.ones((batch, count), dtype=bool)
    if kind == "none":
        return np.zeros((batch, count), dtype=bool)
    mask = rng.random((batch, count)) < 0.6
    if batch > 1 and count:
        mask[0] = False  # one caption without any negative,
        mask[1, :] = True  # one with all of them,
    if batch > 2 and count > 1:
        mask[2] = [False] + [True] * (count - 1)  # and one whose gap comes first
    return mask


def make_case(
    seed: int, shape: tuple[int, int, int, int, int] = SHAPES[1], mask: str = "partial", scale: float = 6.0
) -> Case:
    """`shape` is (B, K, D, P, T). The teacher lies near the student, as an average of its past would."""
    batch, count, width, patches, length = shape
    rng = np.random.default_rng(seed)
    case: Case = {
        "image": unit(rng.normal(size=(batch, width))),
        "text": unit(rng.normal(size=(batch, width))),
        "negatives": unit(rng.normal(size=(batch, count, width))),
        "negative_mask": negative_masks(rng, batch, count, mask),
        "logit_scale": np.float64(scale),
        "image_tokens": rng.normal(size=(batch, patches, width)),
        "text_tokens": rng.normal(size=(batch, length, width)) * 2.0,
        "text_mask": token_masks(rng, (batch,), length),
        "negative_tokens": rng.normal(size=(batch, count, length, width)) * 0.5,
        "negative_token_mask": token_masks(rng, (batch, count), length),
    }
    for name in POOLED[:3]:
        case[f"teacher_{name}"] = unit(case[name] + 0.2 * rng.normal(size=case[name].shape))
    return case


def rounded(case: Case, dtype: torch.dtype) -> Case:
    """The same case after its numbers went through `dtype`, so that a reference sees what the tensors hold."""
    return {
        name: value if value.dtype.kind in "bi" else torch.tensor(value).to(dtype).double().numpy()
        for name, value in case.items()
    }


def tensors(case: Case, dtype: torch.dtype = torch.float64, grad: bool = False) -> dict[str, torch.Tensor]:
    """Each array as a tensor of its own; the floating ones in `dtype` and, with `grad`, as leaves."""
    out = {}
    for name, value in case.items():
        tensor = torch.tensor(value)
        out[name] = tensor.to(dtype).requires_grad_(grad) if tensor.is_floating_point() else tensor
    return out


def features(case: Case, dtype: torch.dtype = torch.float64) -> Features:
    return Features(**tensors(case, dtype))


def run(name: Any, case: Case, dtype: torch.dtype = torch.float64, **options: Any) -> dict[str, torch.Tensor]:
    return objective(name, **options)(features(case, dtype))


def total(name: Any, case: Case, dtype: torch.dtype = torch.float64, **options: Any) -> float:
    """The loss: the sum of the weighted terms."""
    return float(sum(value.double() for value in run(name, case, dtype, **options).values()))


def one(term: str, case: Case, dtype: torch.dtype = torch.float64, **options: Any) -> float:
    """One term alone with weight 1."""
    terms = run({term: 1.0}, case, dtype, **options)
    assert list(terms) == [term]
    assert terms[term].shape == ()
    return float(terms[term])


def run_with_gradients(
    name: Any, case: Case, dtype: torch.dtype = torch.float64, **options: Any
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor | None]]:
    """The terms, and the gradient of their sum for every floating input (None where none arrives)."""
    leaves = tensors(case, dtype, grad=True)
    terms = objective(name, **options)(Features(**leaves))
    sum(terms.values(), torch.zeros(())).backward()
    return terms, {key: leaf.grad for key, leaf in leaves.items() if leaf.is_floating_point()}
