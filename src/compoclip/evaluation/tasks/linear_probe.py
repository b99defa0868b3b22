"""Linear probes on labelled sets with a training split, published ones and one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compoclip.errors import InputError
from compoclip.evaluation.aggregate import DEGLA_SETS
from compoclip.evaluation.benchmark import benchmark, means
from compoclip.evaluation.known_sets import aligned, known, name_of
from compoclip.evaluation.known_tasks import SIDE
from compoclip.evaluation.labelled import LabelledImages, read_labelled
from compoclip.evaluation.probe import hold_out
from compoclip.evaluation.scoring import LinearProbe, Subset
from compoclip.evaluation.scoring.classification import METRICS
from compoclip.evaluation.tables import read_lines
from compoclip.evaluation.task import DataMissing, Loaded, Request

FOLDER = "linear_probe"
Labels = NDArray[Any]


def _own(folder: Path, splits: Sequence[LabelledImages]) -> tuple[list[str], list[Labels]]:
    """Class names of a set of one's own, and the labels of its splits as places in them."""
    if all(data.names is None for data in splits) or any(data.several for data in splits):
        names = next((list(data.names) for data in splits if data.names is not None), None)
        width = max(data.labels.shape[1] if data.several else int(data.labels.max()) + 1 for data in splits)
        return names or [str(k) for k in range(width)], [data.labels for data in splits]
    if any(data.names is None for data in splits):
        raise InputError(f"{folder}: one split names its classes and another has bare numbers; save both alike")
    names = sorted({name for data in splits for name in data.names or []})
    place = {name: i for i, name in enumerate(names)}
    return names, [np.array([place[n] for n in data.names or []], dtype=np.int64)[data.labels] for data in splits]


def read_set(folder: Path, request: Request) -> tuple[LinearProbe, dict[str, Any]]:
    """A set with the splits train, test and, where it is there, val.

    Raises DataMissing where train or test is not there, InputError where labels do not fit.
    """
    read = {split: read_labelled(folder, split) for split in ("train", "test")}
    found = {split: data for split, data in read.items() if data is not None}
    if len(found) < 2 or not found["test"].split:
        raise DataMissing(f"{folder}: a linear probe needs the splits train and test (folders, tars or tables)")
    val = read_labelled(folder, "val")
    if val is not None and val.split != found["test"].split:
        found["val"] = val
    name = name_of(folder.name)
    splits = [data.spread(request.limit) for data in found.values()]
    if name is None:
        classes, labels = _own(folder, splits)
        metric_file = folder / "metric.txt"
        metric = read_lines(metric_file)[0].strip() if metric_file.is_file() else "accuracy"
    else:
        which = known(name)
        classes, metric = which.classes, which.metric
        labels = [aligned(which, data, folder)[0] for data in splits]
        if which.resize == "whole":
            splits = [replace(d, pictures=[p.whole(SIDE) for p in d.pictures]) for d in splits]
    if metric not in METRICS:
        raise InputError(f"{folder}: metric {metric!r} is unknown; use one of {', '.join(METRICS)}")
    training, train_labels = list(splits[0].pictures), labels[0]
    if "val" in found:
        training += splits[2].pictures
        train_labels = np.concatenate([train_labels, labels[2]])
        validation = np.arange(len(training)) >= len(splits[0].pictures)
    else:
        validation = hold_out(train_labels)
    missing = sum(data.missing for data in found.values())
    probe = LinearProbe(
        name or folder.name,
        training,
        train_labels,
        validation,
        splits[1].pictures,
        labels[1],
        classes,
        metric,
        missing,
    )
    split = "its own" if "val" in found else "a fifth of each class of train"
    return probe, {"place": str(folder), "layout": found["train"].layout, "validation": split}


def load(request: Request) -> Loaded:
    root = request.root("linear_probe")
    folders = sorted(path for path in (root / FOLDER).glob("*") if path.is_dir())
    if not folders:
        raise DataMissing(f"linear_probe: no set found; looked for {root / FOLDER}/NAME with train and test in it")
    read = [read_set(folder, request) for folder in folders]
    subsets: list[Subset] = [probe for probe, _ in read]
    return Loaded(subsets, {"sets": {probe.name: facts for probe, facts in read}})


SCORES = {"mean of sets": None, "DeGLA's 11, plain accuracy": {"of": DEGLA_SETS, "metric": "top1", "least": 11}}
TASK = benchmark("linear_probe", load=load, averages=means(SCORES))
