"""ImageNet's classes on other images: drawn anew, sketches, renditions, hard ones, and things from odd sides."""

from __future__ import annotations

from compoclip.evaluation.known_sets import published_rows
from compoclip.evaluation.known_tasks import LAYOUTS, loader
from compoclip.evaluation.task import Average, Task, plain_mean

SHIFTS = ("imagenetv2", "imagenet-sketch", "imagenet-a", "imagenet-r", "objectnet")
ALL = (*SHIFTS, "imagenet-o")


def averages(counts: dict[str, int]) -> dict[str, Average]:
    """The mean of the five of CLIP_benchmark's collection; ImageNet-O, made for outlier detection, stands apart."""
    five = {name: n for name, n in counts.items() if name in SHIFTS}
    if not five:
        return {"accuracy of ImageNet-O": plain_mean(counts)}
    return {"mean of V2, Sketch, A, R and ObjectNet": plain_mean(five)}


TASK = Task(
    name="imagenet_robustness",
    title="ImageNet-V2, -Sketch, -A, -R, -O and ObjectNet: the same classes on other images",
    source="https://github.com/LAION-AI/CLIP_benchmark (which classes), OpenAI's names and prompts",
    licence="each set its own, all for research",
    size="V2 10,000, Sketch 50,889, A 7,500, R 30,000, O 2,000, ObjectNet 18,574 images",
    chance="0.1 (V2, Sketch), 0.5 (A, R, O), 0.9 (ObjectNet)",
    rule="accuracy over the classes that a set has (1,000, 200, 113), strict; score: mean of the five without O",
    citation="Recht et al. 2019; Wang et al. 2019; Hendrycks et al. 2021 (A and O; R); Barbu et al. 2019",
    data=ALL,
    parts={name: published_rows(name) for name in ALL},
    needs=f"DIR/NAME for {', '.join(ALL)}: their makers' trees (WordNet ids, ObjectNet's mappings); or {LAYOUTS}",
    load=loader("imagenet_robustness", ALL),
    averages=averages,
)
