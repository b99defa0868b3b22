"""ELEVATER: zero-shot recognition on its 20 sets, each by its own metric."""

from __future__ import annotations

from compoclip.evaluation.aggregate import ELEVATER
from compoclip.evaluation.known_sets import published_rows
from compoclip.evaluation.known_tasks import LAYOUTS, loader
from compoclip.evaluation.task import Task, mean_called

TWENTY = tuple(name for name in ELEVATER if name != "imagenet-1k")

TASK = Task(
    name="elevater",
    title="ELEVATER: zero-shot recognition on 20 sets, from pets to traffic signs",
    source="https://github.com/Computer-Vision-in-the-Wild/Elevater_Toolkit_IC, OpenAI CLIP's names and prompts",
    licence="MIT (names and prompts); each set its own, Hateful Memes after a form",
    size="20 sets, 192,677 test images",
    chance="100 / classes of each set (50 for Hateful Memes' ROC AUC)",
    rule="each set's own metric: accuracy, mean per class, ROC AUC, or mAP at 11 points; strict; score: mean of the 20",
    citation="Li et al., ELEVATER: A Benchmark for Evaluating Language-Augmented Visual Models, NeurIPS 2022",
    data=TWENTY,
    version="2",  # 11-point mAP as its evaluator has it
    parts={name: published_rows(name) for name in TWENTY},
    needs=f"DIR/elevater/NAME or DIR/NAME for {', '.join(TWENTY[:3])}, …: {LAYOUTS}",
    load=loader("elevater", TWENTY),
    averages=mean_called("mean of 20"),
)
