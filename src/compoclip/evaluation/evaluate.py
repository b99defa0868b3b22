"""A model and names of tasks in, results out: everything is encoded once, then graded task by task."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from compoclip.distributed import ALONE, Ranks, together
from compoclip.environment import environment
from compoclip.errors import InputError
from compoclip.evaluation import results as result_file
from compoclip.evaluation.cache import open_caches
from compoclip.evaluation.controls import controls as control_figures
from compoclip.evaluation.encode import encode
from compoclip.evaluation.encoders import open_encoder
from compoclip.evaluation.feature_file import FeatureFile, save_features
from compoclip.evaluation.scoring import Encoded, Grid, Outcome
from compoclip.evaluation.scoring.comparisons import check_rule
from compoclip.evaluation.task import DataMissing, Loaded, Task, TaskOptions
from compoclip.evaluation.tasks import TASKS
from compoclip.io import check_writable

__all__ = ["evaluate"]


def chosen(tasks: str | Sequence[str]) -> tuple[list[str], bool]:
    """Task names, and whether all were asked for. Raises InputError for a name that is no task."""
    names = [t.strip() for t in (tasks.split(",") if isinstance(tasks, str) else tasks)]
    names = [plain if (plain := n.replace("-", "_")) in TASKS else n for n in names]
    if names == ["all"]:
        return list(TASKS), True
    unknown = [n for n in names if n not in TASKS]
    if unknown or not names:
        raise InputError(f"task {', '.join(unknown) or '(none)'} is unknown; choose from all, {', '.join(TASKS)}")
    return list(dict.fromkeys(names)), False


def load_tasks(
    tasks: Sequence[Task], request: TaskOptions, skip_absent: bool
) -> tuple[dict[str, Loaded], dict[str, str]]:
    """Rows of each task, and why a task was skipped (only where `skip_absent`)."""
    loaded, skipped = {}, {}
    for task in tasks:
        try:
            loaded[task.name] = task.load(request)
        except DataMissing as error:
            if not skip_absent:
                raise
            skipped[task.name] = str(error)
    if not loaded:
        raise InputError("no task has its data here: " + "; ".join(skipped.values()))
    return loaded, skipped


def grade(
    loaded: Loaded, bank: Encoded, seed: int, controls: bool = False
) -> tuple[dict[str, str], dict[str, Outcome]]:
    parts: dict[str, str] = {}
    outcomes: dict[str, Outcome] = {}
    for subset in loaded.subsets:
        for name, outcome in subset.grade(bank, seed):
            parts[name], outcomes[name] = subset.part, outcome
            if controls and subset.part == "composition":
                outcome.metrics["controls"] = control_figures(cast(Grid, subset), bank, outcome.identity, seed)
    return parts, outcomes


def _known(tasks: str | Sequence[str], extra: Sequence[Task]) -> tuple[dict[str, Task], bool]:
    """Tasks by name, those of no registry last; and whether all were asked for."""
    names, every = chosen(tasks) if tasks or not extra else ([], False)
    return {name: TASKS[name] for name in names} | {task.name: task for task in extra}, every


def planned(
    tasks: str | Sequence[str] = "world",
    data_root: str | Path | None = None,
    limit: int | None = None,
    extra: Sequence[Task] = (),
) -> dict[str, Any]:
    """What `evaluate` would encode, by task, and what of a task's data is absent; no model is needed."""
    known, every = _known(tasks, extra)
    request = TaskOptions(Path(data_root) if data_root is not None else None, limit)
    loaded, skipped = load_tasks(list(known.values()), request, every)
    plan = {}
    for name, rows in loaded.items():
        images = {image.key for subset in rows.subsets for image in subset.image_refs()}
        captions = {caption for subset in rows.subsets for caption in subset.captions()}
        subsets = [subset.name for subset in rows.subsets]
        plan[name] = {"subsets": subsets, "images": len(images), "captions": len(captions)} | known[name].absent(rows)
    return {"dry_run": True, "tasks": plan, "skipped": skipped}


def evaluate(
    model: Any,
    tasks: str | Sequence[str] = "world",
    data_root: str | Path | None = None,
    limit: int | None = None,
    log_samples: bool = False,
    batch_size: int | str = 64,
    seed: int = 0,
    *,
    ties: str | None = None,
    output_path: str | Path | None = None,
    label: str | None = None,
    cache_dir: str | Path | None = None,
    controls: bool = True,
    extra: Sequence[Task] = (),
    save_features_to: str | Path | None = None,
    ranks: Ranks = ALONE,
    rotate: bool = False,
) -> dict[str, Any]:
    """Measure a model; returns the results of the contract (schema 1, percentages 0 to 100).

    `model` is anything with `encode_image` and `encode_text` returning (N, D) features (`preprocess` and `info` where
    it has them), a pair of such functions, or a name that `encoders.open_encoder` takes. `tasks` are names,
    comma-separated or a list, or "all", which skips tasks whose data is not there and says so under `skipped`. `limit`
    keeps the first rows of each subset, `log_samples` adds a row-by-row log, `seed` is that of the bootstrap, `ties` a
    rule of `TIE_RULES` in place of each benchmark's own, `extra` tasks that are in no registry. `controls`
    puts what text alone would score beside each composition subset; `cache_dir` keeps features between calls;
    `output_path` writes the file as well. `batch_size` may be "auto": large, and halved whenever memory runs out.
    `save_features_to` writes the features as a file that `features:FILE` reads. `ranks` are several processes that
    share the encoding (see `ranks.joined`); all but the first get {}. `rotate` turns the photos of published benchmarks
    by their EXIF orientation, which their own code does not do; those of a user's own sets are always turned.
    Raises InputError for unknown names, absent or broken data, and features that are not finite.

    data_root: folder of the benchmarks' files; label: what reports call the model.

    Example: evaluate("runs/fsc", "sugarcrepe,zeroshot", "DATA", label="fsc", output_path="fsc.json")
    """
    known, every = _known(tasks, extra)
    if limit is not None and limit < 1:
        raise InputError(f"limit must be at least 1, not {limit}")
    if ties is not None:
        check_rule(ties)
    places = [place for place in (output_path, save_features_to) if place is not None and not ranks.rank]
    together(ranks, lambda: check_writable(*places))  # now, and not when all is measured
    model = open_encoder(model)
    started = time.perf_counter()
    request = TaskOptions(Path(data_root) if data_root is not None else None, limit, ties)
    loaded, skipped = together(ranks, lambda: load_tasks(list(known.values()), request, every))
    bank = _encode(model, loaded, batch_size, cache_dir, ranks, save_features_to, rotate)
    if bank is None:
        return {}
    entries, samples = {}, []
    for name, rows in loaded.items():
        parts, outcomes = grade(rows, bank, seed, controls)
        entries[name] = result_file.task_entry(known[name], parts, outcomes, rows.found, seed, known[name].absent(rows))
        if ties is not None:
            entries[name]["ties"] = ties
        if log_samples:
            samples += [{"task": name, "subset": s, **row} for s, o in outcomes.items() for row in o.rows]
    info = dict(getattr(model, "info", None) or {"name": type(model).__name__})
    results: dict[str, Any] = {
        "schema": result_file.SCHEMA,
        "label": label or str(info.get("label") or info.get("name") or "model"),
        "model": info,
        "tasks": entries,
        "summary": result_file.summary(entries),
        "skipped": skipped,
        "settings": {
            "limit": limit,
            "seed": seed,
            "ties": ties,
            "labelled": label is not None,
            "metrics_version": result_file.METRICS_VERSION,
        },
        "environment": environment(),
        "seconds": round(time.perf_counter() - started, 3),
    }
    if log_samples:
        results["samples"] = samples
    if output_path is not None:
        result_file.write_results(results, output_path)
    return results


def _encode(
    model: Any,
    loaded: dict[str, Loaded],
    batch_size: int | str,
    cache_dir: str | Path | None,
    ranks: Ranks,
    save_to: str | Path | None,
    rotate: bool,
) -> Encoded | None:
    """The features of everything that the tasks ask for, on the first rank."""
    subsets = [s for rows in loaded.values() for s in rows.subsets]
    image_refs = [p for s in subsets for p in s.image_refs()]
    captions = [c for s in subsets for c in s.captions()]
    bank: Encoded | None
    if isinstance(model, FeatureFile):
        bank = together(ranks, lambda: None if ranks.rank else model.bank(image_refs, captions))
    elif cache_dir is None:
        bank = encode(model, image_refs, captions, batch_size, ranks=ranks, rotate=rotate)
    else:
        caches = together(ranks, lambda: None if ranks.rank else open_caches(cache_dir, model))
        with contextlib.ExitStack() as stack:
            for cache in caches or ():
                stack.callback(cache.close)
            images, texts = caches or (None, None)
            bank = encode(model, image_refs, captions, batch_size, None, images, texts, ranks, rotate)
    if save_to is not None and not ranks.rank and bank is not None:
        save_features(save_to, bank, image_refs, captions)
    return None if ranks.rank else bank
