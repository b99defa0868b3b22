"""Retrieval in other languages: XTD10 and Crossmodal-3600."""

from __future__ import annotations

from compoclip.evaluation.benchmark import benchmark
from compoclip.evaluation.published_captions import LANGUAGES
from compoclip.evaluation.task import Average
from compoclip.evaluation.tasks.retrieval import known_loader


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """R@1 of each set and direction over its languages, saying how many where not all are there."""
    ways = [name for name in counts if name.endswith(("/i2t", "/t2i"))]
    part = "" if len(ways) == 2 * len(LANGUAGES) else f" ({len(ways) // 2} of {len(LANGUAGES)} languages)"
    rules = {f"mean of R@1 both ways{part}": Average(dict.fromkeys(ways, 1.0))}
    for name, languages in (("xtd10", 11), ("crossmodal3600", 36)):
        for way in ("i2t", "t2i"):
            own = [n for n in ways if n.startswith(f"{name}/") and n.endswith(f"/{way}")]
            part = "" if len(own) == languages else f" ({len(own)} of {languages} languages)"
            if own:
                rules[f"{name} {way}{part}"] = Average(dict.fromkeys(own, 1.0))
    return rules


TASK = benchmark(
    "multilingual_retrieval",
    parts={known.name: 1_000 if known.name.startswith("xtd10") else 3_600 for known in LANGUAGES},
    load=known_loader("multilingual_retrieval", LANGUAGES),
    averages=averages,
)
