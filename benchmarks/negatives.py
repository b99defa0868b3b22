"""How fast negatives are made, beside spaCy's own tagger and parser in the same run, and how good they are.

    python benchmarks/negatives.py CAPTIONS [--limit 4839] [--kinds fsc-clip] [--workers 2] [--quality]

CAPTIONS is any file that `compoclip negatives build` takes. Rates are captions a second of processor time on one core,
the best of `--repeat` runs, after a warm-up; with `--workers` also builds by wall clock, start-up included.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from compoclip.negatives import BUNDLES, KINDS, Generator, Vocabulary
from compoclip.negatives.build import build
from compoclip.negatives.captions import read_captions
from compoclip.negatives.inspect import inspect, render

FIVE = "swap-nouns,swap-adjectives,replace-nouns,replace-adjectives,shuffle-2"


def rate(work, count: int, repeat: int) -> float:
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return count / best


def drain(items) -> None:
    for _ in items:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path)
    parser.add_argument("--limit", type=int, default=5000)
    parser.add_argument("--kinds", default="five,negclip,fsc-clip,degla,svlc", help="kinds, bundles, `five` or `each`")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--quality", action="store_true", help="build all of `five` and print what `inspect` finds")
    arguments = parser.parse_args()
    captions = [caption.text for caption in read_captions(arguments.captions)[0]][: arguments.limit]
    vocabulary = Vocabulary.from_captions(captions)
    ids = [str(number) for number in range(len(captions))]
    names = [name for part in arguments.kinds.split(",") for name in (KINDS if part == "each" else [part])]
    pipeline = Generator("shuffle").parser.pipeline
    drain(pipeline.pipe(captions[:500]))
    spacy = rate(lambda: drain(pipeline.pipe(captions, batch_size=256)), len(captions), arguments.repeat)
    print(f"{len(captions)} captions, one core, captions/s of processor time")
    print(f"{'spaCy tagger + parser alone':32}{spacy:8.0f}")
    for name in names:
        kinds = FIVE if name == "five" else name
        wanted = len(BUNDLES.get(kinds, kinds.split(",")))
        generator = Generator(kinds, wanted, vocabulary=vocabulary)
        drain(generator.run(captions[:500], ids[:500]))
        speed = rate(lambda g=generator: drain(g.run(captions, ids)), len(captions), arguments.repeat)
        print(f"{name + f' ({wanted} a caption)':32}{speed:8.0f}  {speed / spacy:5.2f} of spaCy")
    for workers in (1, arguments.workers) if arguments.workers else ():
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            build(arguments.captions, Path(folder) / "out", FIVE, 5, workers=workers, shard_size=1024)
            took = time.perf_counter() - start
            print(f"build, {workers} worker(s): {took:.1f} s wall clock")
    if arguments.quality:
        with tempfile.TemporaryDirectory() as folder:
            build(arguments.captions, Path(folder) / "out", FIVE, 5)
            from rich.console import Console

            Console(width=150).print(render(inspect(Path(folder) / "out", samples=0)))


if __name__ == "__main__":
    main()
