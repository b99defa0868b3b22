"""The built-in world: drawn scenes with exact captions, so that nothing need be fetched and nothing is contaminated."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from compoclip.evaluation.pictures import from_array
from compoclip.evaluation.scoring import CHOICE, Grid, Retrieval, Subset, ZeroShot
from compoclip.evaluation.task import Average, Loaded, Request, Task

TEST_SEED = 9_000_001  # far from the small seeds that training draws from
PAIRS, LABELLED, CAPTIONED = 400, 500, 500  # rows a composition kind, images a style, images of the retrieval set


@lru_cache(maxsize=2)
def _drawn(limit: int) -> tuple[Any, Any, Any]:
    """The test data; drawing takes seconds, and one process often measures many models."""
    from compoclip.data import world

    return (
        world.composition_tests(TEST_SEED, min(PAIRS, limit)),
        world.zeroshot_sets(TEST_SEED, min(LABELLED, limit)),
        world.retrieval_set(TEST_SEED, min(CAPTIONED, limit)),
    )


def load(request: Request) -> Loaded:
    rule = request.ties or "strict"
    pairs, labelled_sets, captioned = _drawn(request.limit or 1 << 30)
    subsets: list[Subset] = []
    for kind, rows in pairs.items():
        images = [[from_array(r.image, f"world {kind} row {i}")] for i, r in enumerate(rows)]
        subsets.append(Grid(kind, CHOICE, images, [[r.caption, r.negative] for r in rows], rule=rule))
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
    pictures = [from_array(x, f"world retrieval image {i}") for i, x in enumerate(captioned.images)]
    subsets.append(Retrieval("retrieval", pictures, captioned.captions, rule=rule))
    return Loaded(subsets, {"seed": TEST_SEED})


def averages(counts: dict[str, int]) -> dict[str, Average]:
    def some(test: str) -> Average:
        return Average({n: 1.0 for n in counts if n.startswith(test)})

    kinds = [n for n in counts if "/" not in n]
    return {
        "mean of composition kinds": Average(dict.fromkeys(kinds, 1.0)),
        "zeroshot": some("zeroshot/"),
        "i2t": some("retrieval/i2t"),
        "t2i": some("retrieval/t2i"),
    }


TASK = Task(
    name="world",
    title="The built-in world: composition by kind, zero-shot by style, retrieval",
    source="drawn by compoclip.data.world from a fixed seed",
    licence="MIT",
    size=f"{PAIRS} pairs a kind, {LABELLED} images a style, {CAPTIONED} images for retrieval",
    chance="50 (composition), 100 / classes (zero-shot)",
    rule="strict: a tie is wrong; score: mean of the composition kinds",
    citation="this package",
    version="1",
    needs="nothing",
    load=load,
    averages=averages,
)
