"""VTAB: zero-shot recognition on its 19 sets, natural, specialised and structured."""

from __future__ import annotations

from compoclip.evaluation.known_sets import published_rows
from compoclip.evaluation.known_tasks import LAYOUTS, loader
from compoclip.evaluation.task import Task, mean_called

NINETEEN = (
    *("caltech101", "cifar100", "dtd", "flower102", "oxford-iiit-pets", "sun397", "svhn"),
    *("eurosat-clip", "resisc45-clip", "patchcamelyon", "diabetic-retinopathy"),
    *("clevr-count", "clevr-distance", "dmlab", "dsprites-position", "dsprites-orientation", "kitti-distance"),
    *("smallnorb-azimuth", "smallnorb-elevation"),
)

TASK = Task(
    name="vtab",
    title="VTAB: zero-shot recognition on 19 sets, from flowers to how many things there are",
    source="https://github.com/google-research/task_adaptation, names and prompts of OpenAI CLIP and CLIP_benchmark",
    licence="each set its own",
    size="19 sets",
    chance="100 / classes of each set",
    rule="accuracy, strict; score: mean of the 19. Classes of dSprites and smallNORB are read from the data",
    citation="Zhai et al., A Large-scale Study of Representation Learning with the VTAB, arXiv:1910.04867",
    data=NINETEEN,
    parts={name: published_rows(name) for name in NINETEEN},
    needs=f"DIR/elevater/NAME or DIR/NAME for {', '.join(NINETEEN[:3])}, …: {LAYOUTS}",
    load=loader("vtab", NINETEEN, "accuracy"),
    averages=mean_called("mean of 19"),
)
