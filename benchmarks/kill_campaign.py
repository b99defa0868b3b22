"""Kill `compoclip train` at random instants, resume it, and compare the weights with those of a run left alone.

Run:  python benchmarks/kill_campaign.py --trials 150
Every trial starts one of 15 configurations on the bundled `tiny` model, kills it (SIGKILL) after a random time up to a
little more than the whole run takes, starts it again, perhaps kills it again, and in the end lets it finish. Wrong are
weights that are not byte-equal to the unbroken run's, a resume that fails, and anything temporary that is left.

Importing torch takes longer than such a run, so one parent imports everything and forks each run; it computes nothing
itself, because threads do not survive a fork.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from compoclip.config import resolve
from compoclip.locks import LOCK
from compoclip.negatives.build import build
from compoclip.training import train
from compoclip.training.run_directory import CONFIG, read_run

SAMPLES = 48
MOST_KILLS = 3  # of one run
BASE = {
    "model": "tiny", "pretrained": None, "held_out": 0.0, "negatives_per_caption": 2, "batch_size": 8, "epochs": 50,
    "steps": 6, "lr": 1e-3, "warmup": 2, "device": "cpu", "checkpoint_every": 2, "log_every": 1,
}  # fmt: skip
NOUNS = ("dog", "cat", "horse", "man", "woman", "bench")
COLOURS = ("red", "blue", "green", "black", "white")


def captions(number: int) -> list[str]:
    one, other = NOUNS[number % 6], NOUNS[(number * 5 + 1) % 6]
    colour = COLOURS[number % 5]
    return [f"A {colour} {one} in front of a {other} number {number} .", f"A {other} behind a {colour} {one} ."]


def write_data(root: Path) -> None:
    """The same photos as a table and as two tars, and negatives of the table's captions."""
    noise, rows = np.random.default_rng(0), ["image\tcaption"]
    with tarfile.open(root / "shard-0.tar", "w") as even, tarfile.open(root / "shard-1.tar", "w") as odd:
        for number in range(SAMPLES):
            encoded = io.BytesIO()
            Image.fromarray(noise.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(encoded, "PNG")
            (root / f"{number:03d}.png").write_bytes(encoded.getvalue())
            rows += [f"{number:03d}.png\t{text}" for text in captions(number)]
            for name, content in (("png", encoded.getvalue()), ("txt", captions(number)[0].encode())):
                info = tarfile.TarInfo(f"{number:03d}.{name}")
                info.size = len(content)
                (odd if number % 2 else even).addfile(info, io.BytesIO(content))
    (root / "captions.tsv").write_text("\n".join(rows) + "\n")
    build(root / "captions.tsv", root / "negatives", ["swap-nouns", "replace-nouns"], 2)


def configurations(root: Path) -> dict[str, tuple[str, dict[str, Any], int]]:
    """Recipe, settings and threads of each, by name. `@run` stands for a folder beside the run."""
    table = {"data": str(root / "captions.tsv"), "negatives": str(root / "negatives")}
    tars = {"data": str(root / "shard-{0..1}.tar"), "negatives": str(root / "negatives")}
    return {
        "table": ("negclip", table, 1),
        "tars": ("fsc-clip", tars, 1),
        "captions=all": ("negclip", {**table, "captions": "all", "held_out": 0.1}, 1),
        "two workers": ("negclip", {**table, "workers": 2}, 1),
        "lora": ("fsc-clip", {**table, "lora_rank": 2}, 1),
        "degla teacher": ("degla", table, 1),
        "lock-text": ("fsc-clip", {**table, "lock_text": True}, 1),
        "lock-text teacher": ("degla", {**table, "lock_text": True}, 1),
        "lock-image": ("fsc-clip", {**table, "lock_image": True}, 1),
        "feature cache": ("negclip", {**table, "lock_image": True, "feature_cache": "@run-features"}, 1),
        "bf16": ("negclip", {**table, "precision": "bf16"}, 1),
        "one checkpoint": ("degla", {**table, "keep_checkpoints": 1, "checkpoint_every": 1}, 1),
        "two threads": ("fsc-clip", table, 2),
        "micro-batches": ("degla", {**table, "micro_batch": 4, "grad_checkpointing": True}, 1),
        "evaluations": ("negclip", {**table, "held_out": 0.2, "val_every": 2, "best": "heldout"}, 1),
    }


def settings(root: Path, name: str, out: Path) -> Any:
    recipe, changes, _ = configurations(root)[name]
    changes = {key: f"{out}-features" if value == "@run-features" else value for key, value in changes.items()}
    return resolve(recipe, {**BASE, **changes, "output_dir": str(out)})


def forked(work: Callable[[], object], log: Path) -> int:
    """Process id of a child that does `work`, quietly; its errors go to `log`."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def start(root: Path, name: str, out: Path) -> None:
    """As `compoclip train` and `compoclip train --resume` do."""
    torch.set_num_threads(configurations(root)[name][2])
    if (out / CONFIG).exists():
        train(read_run(out), resume=True)
    else:
        train(settings(root, name, out))


def run_for(root: Path, name: str, out: Path, seconds: float | None) -> bool:
    """Run, and kill after `seconds`; whether it ended by itself. Raises RuntimeError where it failed."""
    log = out.with_suffix(".log")
    pid = forked(lambda: start(root, name, out), log)
    deadline = time.monotonic() + (seconds if seconds is not None else 600.0)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() >= deadline:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            break
        time.sleep(0.005)
    if os.WIFSIGNALED(status):
        if seconds is None:
            raise RuntimeError("it hung")
        return False
    if os.WEXITSTATUS(status):
        raise RuntimeError(log.read_text()[-1500:])
    return True


def weights(out: Path) -> bytes:
    return (out / "export" / "open_clip_model.safetensors").read_bytes()


def leftovers(out: Path) -> list[str]:
    places = [out, Path(f"{out}-features")]
    return [str(p) for place in places if place.is_dir() for p in place.rglob(".*") if p.name != LOCK]


def trial(root: Path, name: str, out: Path, whole: bytes, seconds: float, chance: random.Random) -> dict[str, Any]:
    """One run with its kills; what was wrong with it is under `wrong`."""
    kills, steps, wrong = 0, [], []
    try:
        for _ in range(chance.randint(1, MOST_KILLS)):
            if run_for(root, name, out, chance.uniform(0.0, 1.1 * seconds)):
                break
            kills += 1
            metrics = out / "metrics.jsonl"
            steps.append(len(metrics.read_text().splitlines()) if metrics.exists() else 0)
        run_for(root, name, out, None)
        if weights(out) != whole:
            wrong.append("weights differ")
        if leftovers(out):
            wrong.append(f"left: {leftovers(out)}")
        rows = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
        lines = [row["step"] for row in rows if "loss" in row]
        if lines != list(range(1, BASE["steps"] + 1)):
            wrong.append(f"metrics of steps {lines}")
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        wrong.append(str(error))
    return {"name": name, "kills": kills, "steps": steps, "wrong": wrong}


def campaign(root: Path, trials: int, seed: int, names: list[str] | None = None) -> list[dict[str, Any]]:
    """Trials over all configurations in turn; `root` gets data and runs."""
    chance = random.Random(seed)
    pid = forked(lambda: write_data(root), root / "data.log")  # in a child, whose threads nobody forks
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError((root / "data.log").read_text())
    wholes: dict[str, tuple[bytes, float]] = {}
    names, results = names or list(configurations(root)), []
    for name in names:
        out = root / f"whole {name}"
        began = time.monotonic()
        run_for(root, name, out, None)
        wholes[name] = weights(out), time.monotonic() - began
        print(f"unbroken  {name:18s} {wholes[name][1]:5.1f} s", flush=True)
    for number in range(trials):
        name = names[number % len(names)]
        out = root / f"trial-{number}"
        found = trial(root, name, out, *wholes[name], chance)
        results.append(found)
        told = "; ".join(found["wrong"]) or "byte-equal"
        print(f"{number + 1:4d}/{trials}  {name:18s} killed at steps {found['steps']}  {told}", flush=True)
        if not found["wrong"]:
            for path in root.glob(f"trial-{number}*"):
                with suppress(OSError):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="name of a configuration; may be given again")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = campaign(Path(folder), chosen.trials, chosen.seed, chosen.only)
    wrong = [found for found in results if found["wrong"]]
    kills = sum(found["kills"] for found in results)
    print(f"\n{'configuration':18s} {'trials':>6s} {'kills':>6s} {'wrong':>6s}")
    for name in dict.fromkeys(found["name"] for found in results):
        own = [found for found in results if found["name"] == name]
        bad = sum(bool(found["wrong"]) for found in own)
        print(f"{name:18s} {len(own):6d} {sum(found['kills'] for found in own):6d} {bad:6d}")
    print(f"{len(results)} trials, {kills} kills: {len(results) - len(wrong)} byte-equal without leftovers")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
