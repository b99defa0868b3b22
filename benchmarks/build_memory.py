"""Peak memory of `negatives build` over made captions of growing number; flat is what it should be.

    python benchmarks/build_memory.py [--captions 20000,200000,1000000] [--kinds shuffle] [--parser] [--workers 1]

Each size is built in a process of its own, whose peak resident memory is read from /proc (Linux). Without `--parser`,
words are split at white space instead of parsed, which leaves all the rest of a build as it is and lets a million
captions through in a few minutes; shuffles need no more. `--parser` takes spaCy, with as many `--workers`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from compoclip.language.parser import Parsed, Parser

os.environ.setdefault("OMP_NUM_THREADS", "1")

NOUNS = ("dog", "cat", "horse", "man", "woman", "car", "bench", "kite", "pizza", "bus", "tree", "ball", "bird", "boat")
COLOURS = ("red", "blue", "green", "black", "white", "brown", "grey", "yellow")
VERBS = ("watches", "follows", "passes", "carries", "holds", "faces")


def made_captions(path: Path, count: int) -> None:
    """Five captions an image, nearly all of them different."""
    rng = random.Random(0)
    with open(path, "w") as out:
        out.write("image\tcaption\n")
        for number in range(count):
            one, other, third = rng.sample(NOUNS, 3)
            a, b = rng.sample(COLOURS, 2)
            text = f"A {a} {one} {rng.choice(VERBS)} a {b} {other} near the {third} in street {number % 1000} ."
            out.write(f"photos/{number // 5:09d}.jpg\t{text}\n")


class SplitParser(Parser):
    """Words at white space, all of them nouns: the form of a parse without its work."""

    name = version = "white space"

    def __init__(self) -> None:
        """No pipeline is loaded."""

    def parse(self, captions: Iterable[str], batch_size: int = 256) -> Iterator[Parsed]:
        for text in captions:
            words = text.split()
            starts = [0]
            for word in words[:-1]:
                starts.append(starts[-1] + len(word) + 1)
            spaces = [True] * (len(words) - 1) + [False]
            yield Parsed(text, words, spaces, starts, ["NN"] * len(words), ["dep"] * len(words), [0] * len(words))


def peak(pid: int | str = "self") -> float:
    """Largest resident size of a process so far, in MB. (getrusage counts what the process was forked from.)"""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def measure(captions: int, kinds: str, parser: bool, workers: int) -> dict[str, float]:
    from compoclip.negatives import shards
    from compoclip.negatives.build import build

    if not parser:
        shards.shared_parser = lambda model=None: SplitParser()  # type: ignore[assignment]
    of_workers: dict[int, float] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            for child in multiprocessing.active_children():
                of_workers[child.pid or 0] = peak(child.pid or 0)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.tsv"
        made_captions(path, captions)
        before = peak()
        watcher = threading.Thread(target=watch)
        watcher.start()
        start = time.perf_counter()
        build(path, Path(folder) / "out", kinds, 2, workers=workers)
        took = time.perf_counter() - start
        done.set()
        watcher.join()
    worker = max(of_workers.values(), default=0.0)
    return {"captions": captions, "before": before, "parent": peak(), "worker": worker, "seconds": took}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--captions", default="20000,200000,1000000", help="numbers of captions, comma-separated")
    options.add_argument("--kinds", default="shuffle")
    options.add_argument("--parser", action="store_true", help="parse with spaCy")
    options.add_argument("--workers", type=int, default=1, help="processes, with --parser")
    options.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    workers = given.workers if given.parser else 1
    if given.one:
        print(json.dumps(measure(int(given.captions), given.kinds, given.parser, workers)))
        return
    print(f"{given.kinds}, {'spaCy' if given.parser else 'no parser'}, {workers} worker(s); peaks in MB")
    print(f"{'captions':>10}{'imports':>10}{'parent':>10}{'worker':>10}{'captions/s':>12}")
    for captions in map(int, given.captions.split(",")):
        command = [sys.executable, __file__, "--one", "--captions", str(captions), "--kinds", given.kinds]
        command += ["--parser", "--workers", str(workers)] if given.parser else []
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        rate = captions / found["seconds"]
        print(f"{captions:>10}{found['before']:>10.0f}{found['parent']:>10.0f}{found['worker']:>10.0f}{rate:>12.0f}")


if __name__ == "__main__":
    main()
