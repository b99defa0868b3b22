"""ConMe: the right answer sentence against one mined against large models."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from compoclip.evaluation.captions import Files, Row, loader
from compoclip.evaluation.places import rows_of
from compoclip.evaluation.tables import field, read_table
from compoclip.evaluation.task import Task, plain_mean


def read_bare_pairs(path: Path) -> list[Row]:
    """ConMe in its pair form: rows with `image`, `correct_option` and `incorrect_option`."""
    rows = read_table(path) if path.suffix == ".csv" else ((int(w.split()[-1]), r) for w, r in rows_of(path))
    return [
        Row(
            PurePosixPath(str(field(path, n, row, ["image"]))).name,
            (str(field(path, n, row, ["correct_option"])), str(field(path, n, row, ["incorrect_option"]))),
        )
        for n, row in rows
    ]


TASK = Task(
    name="conme",
    title="ConMe: the right answer sentence against one mined against large models",
    source="https://huggingface.co/conme/ConMe (human-filtered files), COCO val2017 (photos)",
    licence="Apache-2.0",
    size="3 files",
    chance="50",
    rule="strict; score: mean of the three",
    citation="Huang et al., ConMe: Rethinking Evaluation of Compositional Reasoning for Modern VLMs, NeurIPS 2024",
    version="1",
    needs="DIR/conme/replace-{att,obj,rel}_HUMAN_FILTER.csv and COCO val2017 photos",
    load=loader(
        Files(
            "conme",
            ("conme", "conme/data"),
            {f"replace-{k}_HUMAN_FILTER.csv": f"replace-{k}" for k in ("att", "obj", "rel")},
            ("conme/images", "val2017", "coco/val2017", "images"),
            read_bare_pairs,
        )
    ),
    averages=lambda counts: {"mean of subsets": plain_mean(counts)},
)
