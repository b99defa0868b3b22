"""ImageNet: zero-shot recognition of its 1,000 classes."""

from __future__ import annotations

from compoclip.evaluation.known_sets import published_rows
from compoclip.evaluation.known_tasks import LAYOUTS, loader
from compoclip.evaluation.task import Task, mean_called

TASK = Task(
    name="imagenet",
    title="ImageNet: zero-shot recognition of 1,000 classes",
    source="https://www.image-net.org (register there), OpenAI's class names and 80 prompts",
    licence="non-commercial research (images), MIT (names and prompts)",
    size="50,000 images (validation)",
    chance="0.1",
    rule="accuracy, strict; of two classes of one name (missile, sunglasses) the first is the answer, as for an argmax",
    citation="Deng et al., ImageNet, CVPR 2009; Radford et al., ICML 2021 (names and prompts)",
    data=("imagenet",),
    parts={"imagenet-1k": published_rows("imagenet-1k")},
    needs=f"DIR/imagenet/val/WORDNET_ID/FILE; or {LAYOUTS}",
    load=loader("imagenet", ("imagenet-1k",)),
    averages=mean_called("accuracy"),
)
