"""The gradient of a batch that is spread over processes, and taken in parts that fit in memory.

Terms that compare samples with each other need the pooled features of the whole batch; their gradient with respect to
those is taken once, and carried into the towers part by part (Gao et al. 2021, arXiv 2101.06983, "GradCache"). All
other terms are sums over samples, so they are computed part by part, with patch and token features that live no longer
than their part. The result is the gradient of one process that has the whole batch, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from compoclip.distributed import ALONE, Ranks
from compoclip.losses import Features
from compoclip.losses.objective import Objective
from compoclip.training.assemble import WholeBatch
from compoclip.training.towers import Rows

Terms = dict[str, Tensor]


class Encoder(Protocol):
    """What makes features of rows of a batch; `training.towers.Towers` is one."""

    def features(self, rows: Rows, needs: frozenset[str], /) -> Features: ...

    def with_negatives(self, rows: Rows, needs: frozenset[str], /) -> int: ...


def backward(
    goal: Objective,
    parts: Sequence[Rows],
    towers: Encoder,
    ranks: Ranks = ALONE,
    factor: float | Tensor = 1.0,
    follow: Callable[[Features], None] | None = None,
) -> Terms:
    """Add the gradient of the loss of a batch, times `factor`, to `.grad`; returns the weighted terms without graph.

    The batch is the rows of `parts`, of all ranks in turn. The gradients of the ranks have to be summed afterwards
    (`Ranks.sum_gradients`). follow: is told the features of the whole batch that the terms over it have read.

    Example: ``terms = backward(objective("fsc-clip"), batch.parts(8), Towers(model, per_caption=3))``
    """
    if len(parts) == 1 and ranks.count == 1:
        features = towers.features(parts[0], goal.needs)
        found = goal(features)
        if follow is not None:
            follow(features)
        (_sum(found) * factor).backward()
        return {name: value.detach() for name, value in found.items()}
    wide, own = goal.split()
    only = towers.features(parts[0], goal.needs) if len(parts) == 1 else None
    terms: Terms = {}
    carried: list[dict[str, Tensor]] = [{}] * len(parts)
    if wide.weights:
        terms, carried = _batch_wide(wide, parts, towers, only, ranks, factor, follow)
    sums: Terms = {}
    for part, share, gradients in zip(parts, _shares(goal, own, parts, towers, ranks), carried):
        features = only or towers.features(part, goal.needs)
        values = {name: value * share[name] for name, value in own(features).items()}
        roots: list[tuple[Tensor, Tensor | None]] = [(_sum(values) * factor, None)] if values else []
        for name, gradient in gradients.items():
            root = getattr(features, name)
            roots.append((root, gradient.to(root.dtype)))
        roots = [(root, gradient) for root, gradient in roots if root.requires_grad]
        torch.autograd.backward([root for root, _ in roots], [gradient for _, gradient in roots])
        for name, value in values.items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + value.detach()
    if sums:
        terms |= dict(zip(sums, ranks.total(torch.stack(list(sums.values())))))
    return {name: terms[name] for name in goal.weights}


def _batch_wide(
    wide: Objective,
    parts: Sequence[Rows],
    towers: Encoder,
    only: Features | None,
    ranks: Ranks,
    factor: float | Tensor,
    follow: Callable[[Features], None] | None,
) -> tuple[Terms, list[dict[str, Tensor]]]:
    """Terms over the batch of all ranks, and their gradient for each of this rank's parts."""
    if only is not None:
        found = [only]
    else:
        with torch.no_grad():
            found = [towers.features(part, wide.needs) for part in parts]
    whole = WholeBatch(found, wide.needs, ranks)
    terms = wide(whole.features)
    if follow is not None:
        follow(whole.features)
    gradients = whole.gradients(_sum(terms) * factor)
    return {name: value.detach() for name, value in terms.items()}, gradients


def _shares(
    goal: Objective, own: Objective, parts: Sequence[Rows], towers: Encoder, ranks: Ranks
) -> list[dict[str, float]]:
    """What each part's value weighs in that of the whole batch, by term."""
    kinds = {own.over(name) for name in own.weights}
    counts = {"rows": [len(part) for part in parts]}
    if "rows_with_negatives" in kinds:
        counts["rows_with_negatives"] = [towers.with_negatives(part, goal.needs) for part in parts]
    here = torch.tensor([sum(numbers) for numbers in counts.values()])
    whole = dict(zip(counts, ranks.total(here).tolist())) if kinds - {"sum"} else {}
    return [
        {
            name: 1.0 if own.over(name) == "sum" else counts[own.over(name)][number] / max(whole[own.over(name)], 1)
            for name in own.weights
        }
        for number in range(len(parts))
    ]


def _sum(terms: Terms) -> Tensor:
    return torch.stack(list(terms.values())).sum()
