"""The whole story on the built-in world: a base model, four ways to fine-tune it, what each gains and forgets."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from compoclip.blending import sweep
from compoclip.config import TrainConfig, resolve
from compoclip.data import world
from compoclip.data.sources.builtin import WorldSource
from compoclip.errors import InputError
from compoclip.evaluation import evaluate, read_results
from compoclip.evaluation.tasks.world import TEST_SEED
from compoclip.io import read_json, write_json, write_text
from compoclip.models import Model, load
from compoclip.negatives.build import build
from compoclip.progress import console, output, show
from compoclip.report import table, write_report
from compoclip.training import train
from compoclip.training.run_directory import CONFIG, absolute, read_run

METHODS = {  # label -> recipe; two rounds of two at a time
    "plain fine-tuning": "clip",
    "fsc-clip": "fsc-clip",
    "degla": "degla",
    "compoclip": "compoclip",
}
# Kinds whose false captions hold the words of the true one, or its opposite: only the image tells them apart.
KINDS = ("swap-nouns", "swap-adjectives", "swap-noun-phrases", "replace-relations")
BLENDS = "blends.json"
WORKERS = min(2, os.cpu_count() or 1)  # of the negatives


@dataclass(frozen=True)
class DemoConfig:
    """Sizes of a demo. Every method gets the same data, negatives, steps, images a step and schedule."""

    steps: int = 600
    batch_size: int = 64
    lr: float = 5e-4
    scenes: int = 12_800
    broad: float = 0.5  # share of scenes such as the base was taught on, so that not all else is forgotten
    cooldown: float = 0.4  # last share of the steps, in which the learning rate falls
    negatives: int = 3
    limit: int | None = None
    alphas: tuple[float, ...] = (0.5, 0.75)
    methods: tuple[str, ...] = tuple(METHODS)
    side_by_side: int = 2  # methods at one time, of one thread each: small matrices gain nothing from a second thread


FULL = DemoConfig()
QUICK = DemoConfig(limit=100, alphas=(0.5,), methods=("fsc-clip", "compoclip"))


def settings(
    recipe: str,
    plan: DemoConfig,
    seed: int,
    out: Path,
    name: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """A method's run: its recipe's objective and teacher, the demo's data and schedule, and `changes` to them.

    name: of its folder in `out/runs`; the recipe's unless given.
    """
    changes = changes or {}
    return resolve(
        recipe,
        {
            "model": "tiny",
            "pretrained": None,
            "data": "world",
            "world_scenes": plan.scenes,
            "world_fours": True,
            "world_broad": plan.broad,
            "held_out": 0.0,
            "cache_gib": 1.0,
            "captions": "all",
            "precision": "bf16",
            "negatives": str(out / "negatives"),
            "negative_kinds": [],
            "negatives_per_caption": plan.negatives,
            "batch_size": plan.batch_size // (1 + resolve(recipe, changes).hard_images),
            "optimizer": "muon",
            "muon_scale": 4.0,
            "cooldown": plan.cooldown,
            "grad_clip": 1.0,
            "epochs": 1000,
            "steps": plan.steps,
            "lr": plan.lr,
            "warmup": max(1, min(50, plan.steps // 12)),
            "seed": seed,
            "device": "cpu",
            "checkpoint_every": 100,
            "keep_checkpoints": 1,
            "output_dir": str(out / "runs" / (name or recipe)),
            **changes,
        },
    )


def run_demo(out: Path, quick: bool = False, seed: int = 0, plan: DemoConfig | None = None) -> Path:
    """Fine-tune `tiny` by every method, measure each, write `report.html`; returns its path.

    A demo that was stopped goes on where it was. Raises InputError where `out` contains a demo with other settings.
    """
    started = time.monotonic()
    plan = plan or (QUICK if quick else FULL)
    resumed = (out / "base" / "results.json").exists()
    _say("1. The base model, and what it was taught: images of coloured shapes with captions, plain contrast only.")
    base = load("tiny")
    results = [measured(base, "base", out / "base", plan)]

    _say("2. Hard negatives: captions of two-object scenes, each changed by rules so that it becomes false.")
    build_negatives(out, plan, seed)

    _say("3. Fine-tuning by each method on the same scenes, negatives, steps and learning rate; blends with the base.")
    _every_method(plan, seed, out)
    curves: dict[str, list[tuple[float, float, float]]] = {}
    models: dict[str, Model] = {"base": base}
    for label in plan.methods:
        recipe = METHODS[label]
        run = Path(settings(recipe, plan, seed, out).output_dir)
        models[label] = load(run)
        results.append(measured(models[label], label, run, plan))
        between = [(row["alpha"], row["summary"]) for row in read_json(run / BLENDS)]
        points = [(0.0, results[0]["summary"]), *between, (1.0, results[-1]["summary"])]
        curves[label] = [(alpha, summary["comp"], summary["zeroshot"]) for alpha, summary in points]

    minutes = None if resumed else (time.monotonic() - started) / 60
    page = write_report(
        results,
        out,
        curves=curves,
        examples=examples(models),
        title="CLIP learns composition: the built-in world",
        notes=_notes(plan, seed, minutes),
    )
    output().print(table(results))
    show(output(), f"The report, with images: {page}")
    return page


def _every_method(plan: DemoConfig, seed: int, out: Path) -> None:
    """Run every method, `plan.side_by_side` at a time where there are as many cores, each saying what it does in a
    log of its own."""
    at_once = min(plan.side_by_side, os.cpu_count() or 1)
    if at_once < 2:
        for label in plan.methods:
            _say(f"   {label}")
            run_method(label, METHODS[label], plan, seed, out)
        return
    started = time.monotonic()
    logs = out / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    show(console, f"   {at_once} at a time; what each one says is in {logs}")
    with ProcessPoolExecutor(at_once, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        jobs = {
            pool.submit(run_alone, label, METHODS[label], plan, seed, out, logs / f"{METHODS[label]}.log"): label
            for label in plan.methods
        }
        for job in as_completed(jobs):
            job.result()
            console.print(f"   {jobs[job]}: done, {(time.monotonic() - started) / 60:.1f} minutes after the start")


def run_alone(label: str, recipe: str, plan: DemoConfig, seed: int, out: Path, log: Path) -> None:
    """`run_method` in a process of its own: one thread, messages to `log`."""
    import torch

    torch.set_num_threads(1)
    with log.open("a", encoding="utf-8") as handle:
        os.dup2(handle.fileno(), sys.stderr.fileno())
        run_method(label, recipe, plan, seed, out)


def run_method(
    label: str,
    recipe: str,
    plan: DemoConfig,
    seed: int,
    out: Path,
    name: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """Train, measure, and measure the blends with the base: `results.json` and `blends.json` in the run's folder.

    What is there is not done again. name, changes: as `settings` takes them; returns the run's configuration.
    """
    config = settings(recipe, plan, seed, out, name, changes)
    there, run = _resumable(config), Path(config.output_dir)
    if not (there and (run / "results.json").exists()):
        train(config, resume=there)
    tuned = load(run)
    measured(tuned, label, run, plan)
    if not (run / BLENDS).exists():
        write_json(run / BLENDS, sweep(load("tiny"), tuned, "world", None, plan.alphas, plan.limit))
    return config


def _say(text: str) -> None:
    show(console, text, "bold")


def _resumable(config: TrainConfig) -> bool:
    """Whether this very run is there already; InputError where another one is."""
    run = Path(config.output_dir)
    if not (run / CONFIG).exists():
        return False
    if absolute(read_run(run)) != absolute(config):
        raise InputError(
            f"{config.output_dir}: a run with other settings is here; name another --out folder, or remove this one"
        )
    return True


def measured(model: Model, label: str, folder: Path, plan: DemoConfig) -> dict[str, Any]:
    path = folder / "results.json"
    if path.exists():
        return read_results(path)
    return evaluate(model, "world", limit=plan.limit, label=label, output_path=path)


def build_negatives(out: Path, plan: DemoConfig, seed: int, units: bool = False) -> None:
    source = WorldSource(seed, plan.scenes, plan.broad, fours=True)
    rows = [f"{sample.image_id}\t{caption}" for sample in source for caption in sample.captions]
    table_path = out / "captions.tsv"
    write_text(table_path, "image\tcaption\n" + "\n".join(rows) + "\n")
    build(table_path, out / "negatives", KINDS, len(KINDS), WORKERS, seed, resume=True, units=units)


def examples(models: dict[str, Model], rows: int = 40) -> list[dict[str, Any]]:
    """One image of each composition test: the first row of `rows` on which the models disagree, if there is one."""
    import numpy as np
    from PIL import Image

    shown = []
    for kind, pairs in world.composition_tests(TEST_SEED, rows).items():
        images = [Image.fromarray(pair.image) for pair in pairs]
        right = {}
        for label, model in models.items():
            image = model.encode_image(images)
            true = (image * model.encode_text([pair.caption for pair in pairs])).sum(1)
            false = (image * model.encode_text([pair.negative for pair in pairs])).sum(1)
            right[label] = (true > false).numpy()
        together = np.stack(list(right.values()))
        split = np.flatnonzero(together.any(0) & ~together.all(0))
        row = int(split[0]) if len(split) else 0
        shown.append(
            {
                "kind": kind,
                "image": images[row],
                "caption": pairs[row].caption,
                "negative": pairs[row].negative,
                "choices": {label: bool(hits[row]) for label, hits in right.items()},
            }
        )
    return shown


def _notes(plan: DemoConfig, seed: int, minutes: float | None) -> list[str]:
    """minutes: None where a part of the work had been done before."""
    took = "" if minutes is None else f" {minutes:.1f} minutes in all on this machine."
    return [
        f"Every method: {plan.steps} steps of {plan.batch_size} images, seed {seed}, one schedule. The hard-negative "
        f"methods read {plan.negatives} false captions with each true one; compoclip reads none, but beside each image "
        f"three that differ only in which thing has which colour or place, with three captions each.{took}",
        f"{100 - 100 * plan.broad:.0f} % of the scenes are two things in one plain style, the rest such as the base "
        "was taught on; zero-shot is measured in five styles, so what is forgotten shows.",
        "One seed: differences of a point or two are within what another seed would give; see docs/results.md.",
    ]
