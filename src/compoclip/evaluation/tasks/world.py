"""The built-in world: drawn scenes with exact captions, so that nothing need be fetched and nothing is contaminated."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.images import from_array
from compoclip.evaluation.scoring import CHOICE, TRUTH_IN_ORDER, Grid, Retrieval, Subset, ZeroShot
from compoclip.evaluation.task import Loaded, TaskOptions

TEST_SEED = 9_000_001  # far from the small seeds that training draws from
PAIRS, LABELLED, CAPTIONED = 400, 500, 500  # rows a composition kind, images a style, images of the retrieval set


@lru_cache(maxsize=2)
def _drawn(limit: int) -> tuple[Any, Any, Any, Any]:
    """The test data; drawing takes seconds, and one process often measures many models."""
    from compoclip.data import world

    return (
        world.composition_tests(TEST_SEED, min(PAIRS, limit)),
        world.half_truths(TEST_SEED, min(PAIRS, limit)),
        world.zeroshot_sets(TEST_SEED, min(LABELLED, limit)),
        world.retrieval_set(TEST_SEED, min(CAPTIONED, limit)),
    )


def load(request: TaskOptions) -> Loaded:
    rule = request.ties or "strict"
    pairs, halves, labelled_sets, captioned = _drawn(request.limit or 1 << 30)
    subsets: list[Subset] = []
    for kind, rows in pairs.items():
        images = [[from_array(r.image, f"world {kind} row {i}")] for i, r in enumerate(rows)]
        subsets.append(Grid(kind, CHOICE, images, [[r.caption, r.negative] for r in rows], rule=rule))
    images = [[from_array(r.image, f"world half-truths row {i}")] for i, r in enumerate(halves)]
    told = [[r.anchor, r.half_truth, r.full_truth] for r in halves]
    subsets.append(
        Grid("half-truths", TRUTH_IN_ORDER, images, told, rule=rule, facets={"unit": [r.unit for r in halves]})
    )
    for style, labelled in labelled_sets.items():
        subsets.append(
            ZeroShot(
                f"zeroshot/{style}",
                images=[from_array(x, f"world {style} image {i}") for i, x in enumerate(labelled.images)],
                labels=np.asarray(labelled.labels, dtype=np.int64),
                class_names=labelled.class_names,
                templates=labelled.templates,
                rule=rule,
            )
        )
    image_refs = [from_array(x, f"world retrieval image {i}") for i, x in enumerate(captioned.images)]
    subsets.append(Retrieval("retrieval", image_refs, captioned.captions, rule=rule))
    return Loaded(subsets, {"seed": TEST_SEED})


TASK = benchmark("world", load=load)
