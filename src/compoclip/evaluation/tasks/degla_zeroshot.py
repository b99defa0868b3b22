"""Zero-shot recognition on the eleven sets that DeGLA prints, by plain accuracy."""

from __future__ import annotations

from compoclip.evaluation.aggregate import DEGLA_SETS, DEGLA_TASK
from compoclip.evaluation.known_sets import published_rows
from compoclip.evaluation.known_tasks import loader
from compoclip.evaluation.task import Task, mean_called

TASK = Task(
    name=DEGLA_TASK,
    title="DeGLA's eleven: zero-shot recognition as its tables list it, by plain accuracy",
    source="the sets of DeGLA's zero-shot table (arXiv 2504.16801), OpenAI CLIP's names and prompts",
    licence="each set its own; MIT (names and prompts)",
    size="11 sets",
    chance="100 / classes of each set",
    rule="plain accuracy on every set, strict; score: mean of the 11. DeGLA's own protocol is not published",
    citation="DeGLA: Decoupled Global-Local Alignment for Improving Compositional Understanding, ACM MM 2025",
    data=tuple("imagenet" if name == "imagenet-1k" else name for name in DEGLA_SETS),
    parts={name: published_rows(name) for name in DEGLA_SETS},
    needs="the folders of the tasks elevater and imagenet, and DIR/elevater/sun397",
    load=loader(DEGLA_TASK, DEGLA_SETS, "accuracy"),
    averages=mean_called("mean of 11"),
)
