"""NegBench's retrieval: its tables name photos by paths on its makers' machine, of which the last part counts."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from compoclip.evaluation.benchmark import benchmark, facts_of, places
from compoclip.evaluation.captioned import Known, read_file
from compoclip.evaluation.task import Average
from compoclip.evaluation.tasks.retrieval import known_loader


def read(path: Path) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for image, texts in read_file(path).items():
        out.setdefault(PurePosixPath(image).name, []).extend(texts)
    return out


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """R@5 of images, as published: by negated captions, then by plain ones; a set that is there alone is named."""
    rules = {}
    for kind, suffix in (("negated", "_negated"), ("plain", "")):
        here = [name for name in ("coco", "synthetic") if f"{name}{suffix}/t2i" in counts]
        part = f" ({here[0]} alone)" if len(here) == 1 else ""
        if here:
            weights = {f"{name}{suffix}/t2i": 1.0 for name in here}
            rules[f"t2i R@5, {kind} captions{part}"] = Average(weights, "R@5")
    return rules


_STATED = facts_of("negbench_retrieval")
KNOWN = [
    Known(name, tuple(_STATED["folders"]), tuple(of["files"]), places(_STATED["places"]), read)
    for name, of in _STATED["captions"].items()
]
TASK = benchmark("negbench_retrieval", load=known_loader("negbench_retrieval", KNOWN), averages=averages)
