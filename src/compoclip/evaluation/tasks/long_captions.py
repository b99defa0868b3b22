"""Retrieval by long captions: DOCCI and Urban-1k."""

from __future__ import annotations

from compoclip.evaluation.published_captions import LONG
from compoclip.evaluation.task import Average, Task
from compoclip.evaluation.tasks.retrieval import known_loader


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """R@1 of both directions over both sets, or over the one that is there, which is named."""
    ways = [name for name in counts if name.endswith(("/i2t", "/t2i"))]
    names = sorted({name.rsplit("/", 1)[0] for name in ways})
    part = "" if len(names) == len(LONG) else f" ({' and '.join(names)} alone)"
    rules = {f"mean of R@1 both ways{part}": Average(dict.fromkeys(ways, 1.0))}
    return rules | {name.replace("/", " "): Average({name: 1.0}) for name in ways}


TASK = Task(
    name="long_captions",
    title="Retrieval by long captions: DOCCI and Urban-1k",
    data=("docci", "urban1k"),
    parts={"docci": 5_000, "urban1k": 1_000},
    chance="0.02 (DOCCI), 0.1 (Urban-1k)",
    rule="R@k as retrieval; captions are cut where the text tower ends, at 77 tokens for CLIP",
    citation="Onoe et al., DOCCI, ECCV 2024; Zhang et al., Long-CLIP, ECCV 2024",
    needs="DIR/docci/docci_descriptions.jsonlines and images/; DIR/Urban1k/caption and Urban1k/image",
    load=known_loader("long_captions", LONG),
    averages=averages,
)
