"""Training runs that can be killed: small data, settings of every sort, and processes forked from one that has torch.

Importing torch takes longer than such a run, so one parent imports everything and forks each process; it computes
nothing itself, because threads do not survive a fork. What runs in them is the program itself (`compoclip train`).
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import socket
import sys
import tarfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset  # noqa: F401 - what a run imports on its way, before any fork
import torch
import torch.distributed
from PIL import Image
from safetensors import safe_open

from compoclip.cli import main
from compoclip.locks import LOCK
from compoclip.negatives.build import build
from compoclip.training import loop, resume  # noqa: F401 - imported before any fork
from compoclip.training.checkpoint import checkpoints, read_state
from compoclip.training.dataset import TrainData

with suppress(ImportError):
    import torch.utils.tensorboard

SAMPLES, STEPS = 48, 12
LIMIT = 300.0  # seconds after which a run counts as hanging
BASE = {
    "model": "tiny", "held_out": 0.0, "negatives_per_caption": 2, "epochs": 50, "steps": STEPS, "lr": 1e-3,
    "warmup": 2, "device": "cpu", "checkpoint_every": 3, "log_every": 1,
}  # fmt: skip
TOTAL = 8  # samples a step, of all processes
NOUNS = ("dog", "cat", "horse", "man", "woman", "bench")
COLOURS = ("red", "blue", "green", "black", "white")
SHARDS = (0, 5, 17, 20, SAMPLES)  # of the tars: uneven


def captions(number: int) -> list[str]:
    one, other = NOUNS[number % 6], NOUNS[(number * 5 + 1) % 6]
    colour = COLOURS[number % 5]
    return [f"A {colour} {one} in front of a {other} number {number} .", f"A {other} behind a {colour} {one} ."]


def write_data(root: Path) -> None:
    """The same photos as a table and as four tars, and negatives of the table's captions."""
    noise, rows = np.random.default_rng(0), ["image\tcaption"]
    tars = [tarfile.open(root / f"shard-{number}.tar", "w") for number in range(len(SHARDS) - 1)]  # noqa: SIM115
    for number in range(SAMPLES):
        encoded = io.BytesIO()
        Image.fromarray(noise.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(encoded, "PNG")
        (root / f"{number:03d}.png").write_bytes(encoded.getvalue())
        rows += [f"{number:03d}.png\t{text}" for text in captions(number)]
        tar = next(tar for tar, end in zip(tars, SHARDS[1:]) if number < end)
        for name, content in (("png", encoded.getvalue()), ("txt", captions(number)[0].encode())):
            info = tarfile.TarInfo(f"{number:03d}.{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    for tar in tars:
        tar.close()
    (root / "captions.tsv").write_text("\n".join(rows) + "\n")
    build(root / "captions.tsv", root / "negatives", ["swap-nouns", "replace-nouns"], 2)


# name: recipe, data, processes, threads, settings. `@run` stands for a folder beside the run.
CONFIGURATIONS: dict[str, tuple[str, str, int, int, dict[str, Any]]] = {
    "table": ("negclip", "table", 1, 1, {}),
    "table, 2 ranks": ("negclip", "table", 2, 1, {}),
    "stream": ("fsc-clip", "stream", 1, 1, {}),
    "stream, 2 ranks": ("fsc-clip", "stream", 2, 1, {}),
    "2 workers": ("negclip", "table", 1, 1, {"workers": 2}),
    "2 workers, 2 ranks": ("degla", "table", 2, 1, {"workers": 2, "micro_batch": 2}),
    "stream, 3 workers": ("negclip", "stream", 1, 1, {"workers": 3}),
    "stream, 1 worker, 2 ranks": ("degla", "stream", 2, 1, {"workers": 1, "captions": "random"}),
    "tars": ("fsc-clip", "tars", 1, 1, {}),
    "captions=all": ("negclip", "table", 1, 1, {"captions": "all", "held_out": 0.1}),
    "lora": ("fsc-clip", "table", 1, 1, {"lora_rank": 2}),
    "lora, 2 ranks": ("fsc-clip", "table", 2, 1, {"lora_rank": 2}),
    "lock-text teacher": ("degla", "table", 1, 1, {"lock_text": True}),
    "lock-image": ("fsc-clip", "table", 1, 1, {"lock_image": True}),
    "feature cache, 2 ranks": ("negclip", "table", 2, 1, {"lock_image": True, "feature_cache": "@run-features"}),
    "bf16": ("negclip", "table", 1, 1, {"precision": "bf16"}),
    "one checkpoint": ("degla", "table", 1, 1, {"keep_checkpoints": 1, "checkpoint_every": 1}),
    "two threads": ("fsc-clip", "table", 1, 2, {}),
    "micro-batches": ("degla", "table", 1, 1, {"micro_batch": 4, "grad_checkpointing": True}),
    "evaluations": ("negclip", "table", 1, 1, {"held_out": 0.2, "val_every": 2, "best": "heldout"}),
}


def arguments(root: Path, name: str, out: Path, ranks: int | None = None) -> list[str]:
    """The command line of a run from its start, by `ranks` processes where the configuration's number is not meant."""
    recipe, kind, count, _, changes = CONFIGURATIONS[name]
    where = {"table": "captions.tsv", "tars": "shard-{0..3}.tar", "stream": "shard-{0..3}.tar"}[kind]
    values = {**BASE, **changes, "batch_size": TOTAL // (ranks or count), "negatives": str(root / "negatives")}
    if kind == "stream":
        values |= {"epoch_samples": SAMPLES, "shuffle_buffer": 10}
    values = {key: f"{out}-features" if value == "@run-features" else value for key, value in values.items()}
    settings = [part for key, value in values.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    stream = "stream:" if kind == "stream" else ""
    return ["train", recipe, "--data", f"{stream}{root / where}", *settings, "--output-dir", str(out)]


def keep_account(folder: Path) -> None:
    """Keep what each step was made of beside the checkpoints, step for step: the ids of this process's samples.

    The account up to a checkpoint is written when the run asks for its place in the data, before the checkpoint is; a
    resumed run goes on from the account of the step that it goes on from.
    """
    rank, account = os.environ.get("RANK", "0"), list[list[str]]()
    batches, place = TrainData.batches, TrainData.place

    def counted(self: TrainData, epoch: int, start: int, most: int) -> Iterator[Any]:
        if not account and most < STEPS:
            account.extend(json.loads((folder / f"{rank}-{STEPS - most}.json").read_text()))
        for batch in batches(self, epoch, start, most):
            account.append(list(batch.names))
            yield batch

    def written(self: TrainData) -> Any:
        path = folder / f"{rank}-{len(account)}.json"
        path.with_suffix(".tmp").write_text(json.dumps(account))
        path.with_suffix(".tmp").replace(path)
        return place(self)

    folder.mkdir(exist_ok=True)
    TrainData.batches, TrainData.place = counted, written  # type: ignore[method-assign, assignment]


def accounted(out: Path) -> list[list[str]]:
    """The samples of every step that is in the final weights, of all processes, sorted within a step."""
    parts = [json.loads(path.read_text()) for path in Path(f"{out}-account").glob(f"*-{STEPS}.json")]
    return [sorted(name for rows in step for name in rows) for step in zip(*parts)]


def forked(work: Callable[[], object], log: Path) -> int:
    """Process id of a child that does `work`; what it prints goes to `log`."""
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
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


class Run:
    """The processes of one run under way. `sabotage` is called in each of them first, with its rank."""

    def __init__(
        self, root: Path, name: str, out: Path, ranks: int = 0, sabotage: Callable[[int], None] | None = None
    ) -> None:
        self.out, self.log, self.name = out, Path(f"{out}.log"), name
        count = ranks or CONFIGURATIONS[name][2]
        self.said = self.log.stat().st_size if self.log.exists() else 0
        if checkpoints(out / "checkpoints"):
            words = ["train", "--resume", "--output-dir", str(out)]
        else:
            words = arguments(root, name, out, count)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def work(rank: int, leader: int) -> None:
            os.setpgid(0, leader)
            torch.set_num_threads(CONFIGURATIONS[name][3])
            if count > 1:  # as torchrun tells them
                os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
                os.environ |= {"LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            keep_account(Path(f"{out}-account"))
            if sabotage is not None:
                sabotage(rank)
            main(words)

        self.pids: list[int] = []
        for rank in range(count):
            leader = self.pids[0] if self.pids else 0
            pid = forked(lambda rank=rank, leader=leader: work(rank, leader), self.log)  # type: ignore[misc]
            with suppress(OSError):  # the child has done it, or is gone
                os.setpgid(pid, leader or pid)
            self.pids.append(pid)
        self.statuses: dict[int, int] = {}

    def ended(self) -> bool:
        for pid in self.pids:
            if pid not in self.statuses and (found := os.waitpid(pid, os.WNOHANG))[0]:
                self.statuses[pid] = os.waitstatus_to_exitcode(found[1])
        return len(self.statuses) == len(self.pids)

    def wait(self, seconds: float = LIMIT, until: Callable[[], object] = bool) -> bool:
        """Wait until all have ended or `until` holds; whether they have. Kills them and raises after LIMIT."""
        deadline = time.monotonic() + seconds
        while not self.ended():
            if until() or (seconds < LIMIT and time.monotonic() >= deadline):
                return False
            if time.monotonic() >= deadline:
                self.kill()
                raise RuntimeError("hangs")
            time.sleep(0.002)
        return True

    def kill(self) -> None:
        """SIGKILL to everything at once, as when the machine goes."""
        with suppress(OSError):
            os.killpg(self.pids[0], signal.SIGKILL)
        while not self.ended():
            time.sleep(0.002)

    def workers(self) -> list[int]:
        """Process ids of loader workers."""
        found: list[int] = []
        for pid in self.pids:
            with suppress(OSError):
                for path in Path(f"/proc/{pid}/task").glob("*/children"):
                    found += map(int, path.read_text().split())
        return found

    @property
    def words(self) -> str:
        """What these processes have printed."""
        return self.log.read_bytes()[self.said :].decode(errors="replace") if self.log.exists() else ""

    @property
    def status(self) -> int:
        """Of the first process, as torchrun would report it; of another one where that one alone failed."""
        codes = [self.statuses[pid] for pid in self.pids]
        return codes[0] or next((code for code in codes if code), 0)


def one_message(run: Run, *parts: str) -> list[str]:
    """What is wrong with how a failed run told of it: one line, with `parts` in it."""
    errors = [line for line in run.words.splitlines() if "error: " in line]
    wrong = [] if len(errors) == 1 else [f"{len(errors)} messages: {run.words[-600:]}"]
    wrong += ["a traceback"] if "Traceback" in run.words else []
    return wrong + [f"{part!r} is not in {errors[0]!r}" for part in parts if errors and part not in errors[0]]


def unreadable(out: Path) -> list[str]:
    """Checkpoints that are in place and cannot be read whole."""
    found = []
    for path in checkpoints(out / "checkpoints"):
        try:
            read_state(path)
            for file in path.glob("*.safetensors"):
                with safe_open(file, "numpy") as stored:
                    for key in stored.keys():  # noqa: SIM118 - not a dict
                        stored.get_tensor(key)
        except Exception as error:
            found.append(f"{path.name}: {error}")
    return found


def weights(out: Path) -> bytes:
    return (out / "export" / "open_clip_model.safetensors").read_bytes()


def leftovers(out: Path) -> list[str]:
    places = [out, Path(f"{out}-features")]
    return [str(p) for place in places if place.is_dir() for p in place.rglob(".*") if p.name != LOCK]


def compared(out: Path, whole: Path, exact: bool = True) -> tuple[list[str], int, int]:
    """What is wrong with a run that has ended, beside an unbroken one; samples lost, samples repeated."""
    wrong = []
    if exact and weights(out) != weights(whole):
        wrong.append("weights differ")
    if found := leftovers(out):
        wrong.append(f"left: {found}")
    rows = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    if (lines := [row["step"] for row in rows if "loss" in row]) != list(range(1, STEPS + 1)):
        wrong.append(f"metrics of steps {lines}")
    own, other = accounted(out), accounted(whole)
    if own != other or len(own) != STEPS:
        wrong.append("other samples, or in another order")
    mine, theirs = (Counter(name for step in steps for name in step) for steps in (own, other))
    return wrong, (theirs - mine).total(), (mine - theirs).total()


def chance_of(seed: int, number: int) -> random.Random:
    return random.Random(f"{seed} {number}")
