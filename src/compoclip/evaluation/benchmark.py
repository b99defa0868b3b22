"""Benchmarks as data: `tasks/NAME.yaml` states what is known of one, `tasks/NAME.py` what takes code, where it does.

The file's keys are those of `Task` (title, rule, chance, citation, data, parts, …) and

- `scores`: averages by title, the headline first; see `means`;
- `reads`: the `Layout` of composition rows, whose `row` says which columns hold what (see `columns`);
- `sets`: in its place, recognition sets of published tables; `metric` overrides each set's own. `published NAME` are
  those that `published/averages.yaml` names, as it has the sizes of SugarCrepe's `parts`.

`$NAME` in a list of places stands for a collection of photos that benchmarks share (`tasks/photos.yaml`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from compoclip.evaluation import scoring
from compoclip.evaluation.aggregate import RECOGNITION, SIZES, SUBSETS
from compoclip.evaluation.known_sets import published_rows
from compoclip.evaluation.known_tasks import LAYOUTS
from compoclip.evaluation.known_tasks import loader as recognition_loader
from compoclip.evaluation.locations import rows_of
from compoclip.evaluation.questions import Layout, columns, loader
from compoclip.evaluation.task import Average, Averages, Loaded, Task, TaskOptions

__all__ = ["benchmark", "means"]

FACTS = ("title", "rule", "chance", "citation", "version", "source", "licence", "size", "own")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def benchmark(
    name: str,
    *,
    load: Callable[[TaskOptions], Loaded] | None = None,
    averages: Averages | None = None,
    prepare: Callable[[Path], list[str]] | None = None,
    parts: Mapping[str, int] | None = None,
    **reading: Any,
) -> Task:
    """The task that `tasks/NAME.yaml` states; `reading` are fields of `Layout` that it does not, such as `ask`.

    load, averages: a reader and averages of one's own in place of those that the file states; prepare: what makes
    files of the release ready; parts: subsets and their rows. name: that of the file.

    Example: TASK = benchmark("cola", ask=columns(["image0", "image1"], ["caption0", "caption1"]))
    """
    stated = facts_of(name)
    sets, parts = stated.get("sets", ()), parts or stated.get("parts")
    if isinstance(sets, str):
        sets = [known for known in RECOGNITION[sets.split()[1]] if known != stated.get("without")]
    if parts == "published":
        parts = SIZES
    parts = parts or {known: published_rows(known) for known in sets}
    data = stated.get("data") or ["imagenet" if known == "imagenet-1k" else known for known in sets]
    if load is None and sets:
        load = recognition_loader(name, sets, stated.get("metric"))
    return Task(
        name=name,
        load=load or loader(_layout(name, parts, {**stated.get("reads", {}), **reading})),
        averages=averages or means(stated["scores"]),
        prepare=prepare,
        parts=parts,
        data=tuple(data),
        needs=stated.get("needs", "").replace("{layouts}", LAYOUTS),
        **{key: stated[key] for key in FACTS if key in stated},
    )


@cache
def facts_of(name: str) -> dict[str, Any]:
    """What `tasks/NAME.yaml` states; not to be changed."""
    text = resources.files("compoclip.evaluation.tasks").joinpath(f"{name}.yaml").read_text("utf-8")
    return dict(yaml.load(text, _Loader))


def _layout(task: str, parts: Iterable[str], how: dict[str, Any]) -> Layout:
    """`files` may be one name with {} for each part; a shape may name another headline behind it; `listed` names the
    columns of rows that are lists."""
    shape = how.pop("shape")
    files, images, ties = how.pop("files", {}), how.pop("images", ()), how.pop("ties", "strict")
    if isinstance(files, str):
        files = {files.format(part): part for part in parts}
    images = images if isinstance(images, dict) else {"": images}
    if listed := how.pop("listed", None):
        how.setdefault("rows", partial(rows_of, listed=listed))
    if row := how.pop("row", None):
        how["ask"] = columns(**row)
    return Layout(
        task,
        _shape(shape) if isinstance(shape, str) else {subset: _shape(own) for subset, own in shape.items()},
        tuple(how.pop("folders", (task,))),
        files,
        {subset: places(own) for subset, own in images.items()},
        ties=ties if isinstance(ties, dict) else {"": ties},
        **how,
    )


def _shape(stated: str) -> scoring.Shape:
    name, *lead = stated.split()
    return scoring.SHAPES[name].led_by(lead[0]) if lead else scoring.SHAPES[name]


def places(stated: Iterable[str]) -> tuple[str, ...]:
    """Places of images, collections by name (`$coco-val2017`) written out."""
    shared = facts_of("photos")
    return tuple(p for place in stated for p in (shared[place[1:]] if place.startswith("$") else (place,)))


def means(scores: Mapping[str, Mapping[str, Any] | None]) -> Averages:
    """Averages by title, each a mean over subsets; one over none of them is left out.

    `of`: names or patterns of the subsets (all); `without`: a pattern of those left out; `metric` (accuracy), or
    several, whose mean counts; `pooled`: by rows; `weights` by subset, or the name of a published average;
    `least`: the subsets without which it is left out; `alone`: only where no average stands before it.

    scores: title -> its terms, or None for all defaults.

    >>> means({"micro": {"pooled": True}})({"a": 3, "b": 1})["micro"].weights
    {'a': 3.0, 'b': 1.0}
    """

    def averages(counts: dict[str, int]) -> dict[str, Average]:
        out: dict[str, Average] = {}
        for title, how in scores.items():
            rule = _mean(counts, **{key: value for key, value in (how or {}).items() if key != "alone"})
            if rule is not None and not (out and (how or {}).get("alone")):
                out[title] = rule
        return out

    return averages


def _mean(
    counts: Mapping[str, int],
    of: Sequence[str] = ("*",),
    without: str = "",
    metric: str | Sequence[str] = "accuracy",
    pooled: bool = False,
    weights: str | Mapping[str, float] | None = None,
    least: int = 1,
) -> Average | None:
    found = dict.fromkeys(name for pattern in of for name in counts if fnmatchcase(name, pattern))
    names = [name for name in found if not fnmatchcase(name, without)]
    if len(names) < least:
        return None
    if isinstance(weights, str):
        own = dict(SUBSETS[weights])
    else:
        own = {name: float(counts[name] if pooled else weights[name] if weights else 1) for name in names}
    return Average(own, metric if isinstance(metric, str) else tuple(metric))
