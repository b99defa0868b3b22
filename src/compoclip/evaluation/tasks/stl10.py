"""STL-10: zero-shot recognition of ten things, on photos of 96 pixels."""

from __future__ import annotations

from compoclip.evaluation.known_sets import published_rows
from compoclip.evaluation.known_tasks import LAYOUTS, loader
from compoclip.evaluation.task import Task, mean_called

TASK = Task(
    name="stl10",
    title="STL-10: zero-shot recognition of ten things",
    source="https://cs.stanford.edu/~acoates/stl10/, CLIP_benchmark's prompts",
    licence="not stated by its makers",
    size="8,000 images (test)",
    chance="10",
    rule="accuracy, strict",
    citation="Coates et al., An Analysis of Single-Layer Networks in Unsupervised Feature Learning, AISTATS 2011",
    data=("stl10",),
    parts={name: published_rows(name) for name in ("stl10",)},
    needs=f"DIR/stl10/stl10_binary/test_X.bin, test_y.bin and class_names.txt; or {LAYOUTS}",
    load=loader("stl10", ("stl10",)),
    averages=mean_called("accuracy"),
)
