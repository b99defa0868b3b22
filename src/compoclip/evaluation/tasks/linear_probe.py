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
from compoclip.evaluation.labelled import LabelledImages, own_metric, read_labelled
from compoclip.evaluation.probe import hold_out
from compoclip.evaluation.scoring import LinearProbe, Subset
from compoclip.evaluation.scoring.classification import SEVERAL, SINGLE
from compoclip.evaluation.task import DataMissing, Loaded, TaskOptions

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


def read_set(folder: Path, request: TaskOptions) -> tuple[LinearProbe, dict[str, Any]]:
    """A set with the splits train, test and, where it is there, val.

    Raises DataMissing where train or test is not there, InputError where labels do not fit.
    """
    train, test, val = (read_labelled(folder, split) for split in ("train", "test", "val"))
    if train is None or test is None or not test.split:
        raise DataMissing(f"{folder}: a linear probe needs the splits train and test (folders, tars or tables)")
    held = val is not None and val.split != test.split
    splits = [data.spread(request.limit) for data in ((train, test, val) if held and val else (train, test))]
    name = name_of(folder.name)
    if name is None:
        classes, labels = _own(folder, splits)
        metric = own_metric(folder, "accuracy")
        splits = [data.turned() for data in splits]
    else:
        which = known(name)
        classes, metric = which.classes, which.metric
        labels = [aligned(which, data, folder)[0] for data in splits]
        if which.resize == "whole":
            splits = [replace(d, images=[p.whole(SIDE) for p in d.images]) for d in splits]
    if metric not in (*SINGLE, *SEVERAL):
        raise InputError(f"{folder}: metric {metric!r} is unknown; use one of {', '.join((*SINGLE, *SEVERAL))}")
    training = [image_ref for data in (splits[0], *splits[2:]) for image_ref in data.images]
    known_labels = np.concatenate([labels[0], *labels[2:]])
    validation = np.arange(len(training)) >= len(splits[0].images) if held else hold_out(known_labels)
    probe = LinearProbe(
        name or folder.name,
        training,
        known_labels,
        validation,
        splits[1].images,
        labels[1],
        classes,
        metric,
        sum(data.missing for data in splits),
    )
    split = "its own" if held else "a fifth of each class of train"
    return probe, {"place": str(folder), "layout": train.layout, "validation": split}


def load(request: TaskOptions) -> Loaded:
    root = request.root("linear_probe")
    folders = sorted(path for path in (root / FOLDER).glob("*") if path.is_dir())
    if not folders:
        raise DataMissing(f"linear_probe: no set found; looked for {root / FOLDER}/NAME with train and test in it")
    read = [read_set(folder, request) for folder in folders]
    subsets: list[Subset] = [probe for probe, _ in read]
    return Loaded(subsets, {"sets": {probe.name: facts for probe, facts in read}})


SCORES = {"mean of sets": None, "DeGLA's 11, plain accuracy": {"of": DEGLA_SETS, "metric": "top1", "least": 11}}
TASK = benchmark("linear_probe", load=load, averages=means(SCORES))
