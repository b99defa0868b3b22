"""Every fault that ends a training run, brought about on purpose; then the run goes on beside an unbroken one.

    python benchmarks/faults.py [--trials 200] [--seed 0] [--work DIR]

First each fault once, on one process and on two: full disk, SIGTERM, a loss that is not finite, a checkpoint from
another number of processes, two processes on one directory, a read-only and a vanishing output directory. Then at
least `--trials` kills (SIGKILL) at random instants over all configurations (tables and streams, one and two
processes, 0 to 3 workers): of everything at once, of everything while a checkpoint is being written, of one process,
or of one loader worker. A killed run is started again, perhaps killed again, and in the end left to finish.

Counted are samples lost or repeated (by the ids that each step of the final weights was made of), checkpoints that
are in place and unreadable, and final weights that are not those of the unbroken run: byte-equal, or within 1e-4
where the number of processes changed. Where one process is killed, the others have to end by themselves within half
a minute, with one message; only those that still wait for it to join are ended from outside, as torchrun does at
once. With `--work`, a campaign that was stopped goes on where it was.

Long because the faults, the configurations and their comparison are one table that is read together.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import load_file

from compoclip.training import checkpoint, loop
from compoclip.training.checkpoint import checkpoints
from faulty_runs import CONFIGURATIONS, STEPS, Run, chance_of, compared, forked, one_message, unreadable, write_data

MOST_KILLS = 4  # of one run
SOON = 30.0  # seconds in which the other processes have to end
NOBODY = 65534
Found = dict[str, Any]


def at_step(step: int, act: Callable[[], object]) -> None:
    """Call `act` in this process before `step`."""
    real = loop.learning_rate

    def called(now: int, *rest: Any) -> float:
        if now == step:
            act()
        return real(now, *rest)

    loop.learning_rate = called  # type: ignore[assignment]


def outcome(out: Path, whole: Path, wrong: list[str], exact: bool = True, **more: Any) -> Found:
    own, lost, repeated = compared(out, whole, exact)
    return {"wrong": [*wrong, *own], "lost": lost, "repeated": repeated, "unreadable": 0, **more}


def resumed(root: Path, name: str, out: Path, whole: Path, wrong: list[str]) -> Found:
    """Let a run that a fault ended go on, and compare it."""
    broken = unreadable(out)
    run = Run(root, name, out)
    run.wait()
    if run.status:
        return {"wrong": [*wrong, f"resume ended with {run.status}: {run.words[-600:]}"], "unreadable": len(broken)}
    return {**outcome(out, whole, wrong + broken), "unreadable": len(broken)}


@contextmanager
def small_disk(out: Path, size: int) -> Iterator[tuple[Callable[[int], None] | None, Callable[[], object]]]:
    """A disk of `size` bytes, and how to make room. Where none can be mounted, writes that fail in the same way."""
    out.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(out)]
    if not os.geteuid() and not subprocess.run(mount, capture_output=True).returncode:
        try:
            yield None, lambda: subprocess.run(["mount", "-o", "remount,size=200m", str(out)], check=True)
        finally:
            subprocess.run(["umount", "-l", str(out)], check=True)
        return

    def full(rank: int) -> None:
        real = checkpoint.save_file

        def half(tensors: Any, path: Path) -> None:
            real(tensors, path)
            if "00000006" in str(path):
                os.truncate(path, path.stat().st_size // 2)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

        checkpoint.save_file = half  # type: ignore[assignment]

    yield full, lambda: None


def full_disk(root: Path, name: str, out: Path, whole: Path) -> Found:
    one = sum(path.stat().st_size for path in (whole / "checkpoints" / f"step-{STEPS:08d}").iterdir())
    with small_disk(out, int(1.7 * one)) as (sabotage, make_room):
        run = Run(root, name, out, sabotage=sabotage)
        run.wait()
        wrong = one_message(run) if run.status == 1 else [f"status {run.status} on a full disk"]
        if not checkpoints(out / "checkpoints"):
            wrong.append("no checkpoint is left")
        make_room()
        return resumed(root, name, out, whole, wrong)


def sigterm(root: Path, name: str, out: Path, whole: Path) -> Found:
    run = Run(root, name, out, sabotage=lambda rank: at_step(4, lambda: os.killpg(0, signal.SIGTERM)))
    run.wait()
    wrong = one_message(run, "stopped at step", "--resume")
    if set(run.statuses.values()) != {75}:
        wrong.append(f"statuses {run.statuses} after SIGTERM")
    return resumed(root, name, out, whole, wrong)


def nan_loss(root: Path, name: str, out: Path, whole: Path) -> Found:
    def poison(rank: int) -> None:
        real = loop.backward
        steps: list[int] = []

        def poisoned(*args: Any) -> Any:
            steps.append(1)
            terms = real(*args)
            return {key: value * float("nan") for key, value in terms.items()} if len(steps) == 5 else terms

        loop.backward = poisoned  # type: ignore[assignment]

    run = Run(root, name, out, sabotage=poison)
    run.wait()
    wrong = one_message(run, "step 4", "not finite", "contrastive", ".png" if "table" in name else ".tar")
    kept = [path.name for path in checkpoints(out / "checkpoints")]
    wrong += [] if kept == ["step-00000003"] else [f"checkpoints {kept}"]
    return resumed(root, name, out, whole, wrong)


def other_ranks(root: Path, name: str, out: Path, whole: Path) -> Found:
    """Killed at step 7 and taken up by two processes in place of one, or the reverse. Streams refuse it."""
    run = Run(root, name, out, sabotage=lambda rank: at_step(7, lambda: os.killpg(0, signal.SIGKILL)))
    run.wait()
    count = CONFIGURATIONS[name][2]
    broken = unreadable(out)
    if "stream" not in name:
        share_account(Path(f"{out}-account"), count, 3 - count)
    run = Run(root, name, out, ranks=3 - count)
    run.wait()
    if "stream" in name:
        wrong = one_message(run, f"by {count} process")
        return resumed(root, name, out, whole, wrong if run.status == 2 else [f"status {run.status}"])
    if run.status:
        return {"wrong": [f"status {run.status}: {run.words[-600:]}"]}
    mine, theirs = (load_file(path / "export" / "open_clip_model.safetensors") for path in (out, whole))
    gap = max(float(abs(mine[key] - theirs[key]).max()) for key in theirs)
    wrong = [f"weights differ by {gap:.1e}"] if gap > 1e-4 else []
    return {**outcome(out, whole, wrong + broken, exact=False), "unreadable": len(broken), "told": f"gap {gap:.0e}"}


def share_account(account: Path, before: int, now: int) -> None:
    """Share out what `before` processes have trained on up to step 6 among `now` processes."""
    parts = [json.loads((account / f"{rank}-6.json").read_text()) for rank in range(before)]
    steps = [[sample for part in step for sample in part] for step in zip(*parts)]  # rank by rank, as one has them
    for rank in range(now):
        each = len(steps[0]) // now
        rows = [step[rank * each : (rank + 1) * each] for step in steps]
        (account / f"{rank}-6.json").write_text(json.dumps(rows))


def two_at_once(root: Path, name: str, out: Path, whole: Path) -> Found:
    """A second run is started in the directory while the first is at step 4, which waits for it."""
    gate = Path(f"{out}-gate")

    def hold() -> None:
        while not gate.exists():
            time.sleep(0.01)

    first = Run(root, name, out, sabotage=lambda rank: at_step(4, hold))
    first.wait(until=lambda: checkpoints(out / "checkpoints"))
    second = Run(root, name, out)
    second.said = first.log.stat().st_size
    second.wait()
    wrong = one_message(second, "another process is training here")
    wrong += [] if second.status == 2 else [f"the second ended with {second.status}"]
    gate.touch()
    first.wait()
    wrong += [] if not first.status else [f"the first ended with {first.status}: {first.words[-600:]}"]
    return outcome(out, whole, wrong)


def read_only(root: Path, name: str, out: Path, whole: Path) -> Found:
    """Read-only from the start, and from step 4 on; as another user, where this one may write everywhere."""

    def demoted(rank: int) -> None:
        if not os.geteuid():
            os.setuid(NOBODY)

    def closed(rank: int) -> None:
        demoted(rank)
        at_step(4, lambda: (out / "checkpoints").chmod(0o555))

    folder = Path(f"{out}-closed")
    folder.mkdir(mode=0o555)
    run = Run(root, name, folder / "run", sabotage=demoted)
    run.wait()
    wrong = one_message(run, "cannot write") if run.status == 2 else [f"status {run.status} where nothing can be made"]
    for path in (out, Path(f"{out}-account")):
        path.mkdir()
        path.chmod(0o777)
    run = Run(root, name, out, sabotage=closed)
    run.wait()
    wrong += one_message(run, "cannot write the checkpoint") if run.status == 1 else [f"status {run.status}"]
    (out / "checkpoints").chmod(0o755)
    return resumed(root, name, out, whole, wrong)


def vanishing(root: Path, name: str, out: Path, whole: Path) -> Found:
    moved = Path(f"{out}-moved")
    run = Run(root, name, out, sabotage=lambda rank: at_step(4, lambda: None if rank else out.rename(moved)))
    run.wait()
    wrong = one_message(run, "gone or was replaced") if run.status == 1 else [f"status {run.status}"]
    wrong += ["half of a run was made anew"] if out.exists() else []
    moved.rename(out)
    return resumed(root, name, out, whole, wrong)


FAULTS = (full_disk, sigterm, nan_loss, other_ranks, two_at_once, read_only, vanishing)
PLACES = ("table", "table, 2 ranks", "stream", "stream, 2 ranks")


def killed(run: Run, how: str, seconds: float, chance: random.Random) -> tuple[bool, list[str], float]:
    """Kill a run in one of the ways; whether it was killed, what is wrong, and how long the others took to end."""
    writing = lambda: any((run.out / "checkpoints").glob(".step-*"))  # noqa: E731
    if run.wait(chance.uniform(0.0, 1.1 * seconds), until=writing if how == "checkpoint" else bool):
        return False, [f"ended with {run.status}: {run.words[-600:]}"] if run.status else [], 0.0
    if how == "checkpoint":
        time.sleep(chance.uniform(0.0, 0.02))
    victims = {"rank": [pid for pid in run.pids if pid not in run.statuses], "worker": run.workers()}.get(how, [])
    if not victims:
        run.kill()
        return True, [], 0.0
    began, victim = time.monotonic(), chance.choice(victims)
    with suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    wrong = []
    if not run.wait(SOON):
        wrong += [] if not run.words else [f"the others had not ended after {SOON:.0f} s: {run.words[-600:]}"]
        run.kill()  # what has printed nothing was still waiting for all to join
    took = time.monotonic() - began
    if run.status > 0:  # 0: it had done its work; below: the killed process is the one that tells
        wrong += one_message(run)
    return True, wrong, took


def trial(root: Path, name: str, out: Path, whole: Path, seconds: float, chance: random.Random) -> Found:
    """One run with its kills, to its end."""
    ways = ["tree", "checkpoint"] + ["rank"] * (CONFIGURATIONS[name][2] > 1)
    ways += ["worker"] * ("workers" in CONFIGURATIONS[name][4] and "stream" not in name)
    kills, wrong, broken, slowest = [], list[str](), 0, 0.0
    try:
        for _ in range(chance.randint(1, MOST_KILLS)):
            how = chance.choice(ways)
            hit, found, took = killed(Run(root, name, out), how, seconds, chance)
            wrong, slowest = wrong + found, max(slowest, took)
            lost = unreadable(out)
            wrong, broken = wrong + lost, broken + len(lost)
            if not hit:
                break
            kills.append(how)
        last = Run(root, name, out)
        last.wait()
        if last.status:
            raise RuntimeError(f"resume ended with {last.status}: {last.words[-600:]}")
        return {**outcome(out, whole, wrong), "kills": kills, "unreadable": broken, "slowest": slowest}
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        return {"wrong": [*wrong, str(error)], "kills": kills, "unreadable": broken, "slowest": slowest}


def cleared(root: Path, stem: str) -> None:
    for path in root.glob(f"{stem}*"):
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def campaign(root: Path, kills: int, seed: int, names: list[str], faults: bool) -> list[Found]:
    """All of it, below `root`; what is done is kept in `done.jsonl` there."""
    done = root / "done.jsonl"
    results = [json.loads(line) for line in done.read_text().splitlines()] if done.exists() else []
    finished = {found["key"] for found in results}
    if not (root / "negatives").exists():
        pid = forked(partial(write_data, root), root / "data.log")  # in a child, whose threads nobody forks
        if os.waitpid(pid, 0)[1]:
            raise RuntimeError((root / "data.log").read_text())

    def unbroken(name: str) -> tuple[Path, float]:
        out = root / f"whole {name}"
        if not (root / f"{out.name}.seconds").exists():
            cleared(root, out.name)
            began, run = time.monotonic(), Run(root, name, out)
            run.wait()
            if run.status:
                raise RuntimeError(run.words)
            (root / f"{out.name}.seconds").write_text(str(time.monotonic() - began))
        return out, float((root / f"{out.name}.seconds").read_text())

    def noted(key: str, kind: str, work: Callable[[Path], Found]) -> None:
        if key in finished:
            return
        out = root / key.replace(":", "-")
        cleared(root, out.name)
        found = {"key": key, "kind": kind, "lost": 0, "repeated": 0, "kills": [], **work(out)}
        results.append(found)
        with done.open("a") as file:
            file.write(json.dumps(found) + "\n")
        told = "; ".join(found["wrong"]) or "as the unbroken run"
        struck = f" killed: {', '.join(found['kills']) or 'not'};" if kind == "kills" else ""
        print(f"{key:34s}{struck} {told} {found.get('told', '')}", flush=True)
        if not found["wrong"]:
            cleared(root, out.name)

    for fault in FAULTS if faults else ():
        for name in PLACES:
            whole, _ = unbroken(name)
            noted(f"{fault.__name__}: {name}", "faults", lambda out: fault(root, name, out, whole))  # noqa: B023
    number = 0
    while sum(len(found["kills"]) for found in results) < kills:
        name = names[number % len(names)]
        whole, seconds = unbroken(name)
        key, chance = f"{number:03d}: {name}", chance_of(seed, number)
        noted(key, "kills", lambda out: trial(root, name, out, whole, seconds, chance))  # noqa: B023
        number += 1
    return results


def told(results: list[Found]) -> bool:
    """Print what was found; whether all is well."""
    ways = Counter(way for found in results for way in found["kills"])
    names = Counter(found["key"].split(": ", 1)[1] for found in results for _ in found["kills"])
    wrong = [found for found in results if found["wrong"]]
    print("\nkills by configuration: " + ", ".join(f"{name} {count}" for name, count in names.items()))
    print(f"kills: {ways.total()} ({', '.join(f'{count} of a {way}' for way, count in ways.items())})")
    print(f"other faults: {sum(found['kind'] == 'faults' for found in results)}")
    print(f"slowest end of the other processes: {max((f.get('slowest', 0.0) for f in results), default=0.0):.1f} s")
    for what in ("lost", "repeated"):
        print(f"samples {what}: {sum(found[what] for found in results)}")
    print(f"checkpoints unreadable: {sum(found.get('unreadable', 0) for found in results)}")
    print(f"final weights equal to the unbroken run's: {len(results) - len(wrong)} of {len(results)} runs")
    return not wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=200, help="kills, at least")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="name of a configuration to kill; may be given again")
    parser.add_argument("--kills-only", action="store_true", help="leave the other faults out")
    parser.add_argument("--work", type=Path, help="folder for data and runs, to go on from; else a temporary one")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = chosen.work or Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o755)
        names = chosen.only or list(CONFIGURATIONS)
        fine = told(campaign(root.resolve(), chosen.trials, chosen.seed, names, not chosen.kills_only))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
