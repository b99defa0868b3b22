"""Retrieval by long captions: DOCCI and Urban-1k."""

from __future__ import annotations

from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.published_captions import LONG
from compoclip.evaluation.task import Average
from compoclip.evaluation.tasks.retrieval import known_loader


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """R@1 of both directions over both sets, or over the one that is there, which is named."""
    ways = [name for name in counts if name.endswith(("/i2t", "/t2i"))]
    names = sorted({name.rsplit("/", 1)[0] for name in ways})
    part = "" if len(names) == len(LONG) else f" ({' and '.join(names)} alone)"
    rules = {f"mean of R@1 both ways{part}": Average(dict.fromkeys(ways, 1.0))}
    return rules | {name.replace("/", " "): Average({name: 1.0}) for name in ways}


TASK = benchmark("long_captions", load=known_loader("long_captions", LONG), averages=averages)
