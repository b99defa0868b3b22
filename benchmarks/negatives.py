"""How fast negatives are made, beside spaCy's own tagger and parser in the same run, and how good they are.

    python benchmarks/negatives.py --labelled [TABLE ...]
    python benchmarks/negatives.py CAPTIONS [--limit 4839] [--kinds fsc-clip,each] [--workers 2] [--quality]

CAPTIONS is any file that `compoclip negatives build` takes. "One core" is captions a second of processor time in this
process; "N cores" is captions a second by the clock of N processes with an N-th of the captions each, and needs as many
idle cores. Both are the best of `--repeat` runs, after a warm-up and without start-up.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from compoclip.language.parser import NEEDED
from compoclip.negatives import BUNDLES, KINDS, Generator, Vocabulary
from compoclip.negatives.build import build
from compoclip.negatives.captions import read_captions
from compoclip.negatives.inspect import inspect, render

FIVE = "swap-nouns,swap-adjectives,replace-nouns,replace-adjectives,shuffle-2"
SPACY = ""  # in place of kinds: the parser alone
WARM_UP = 300  # captions
HERE = Path(__file__).parent
LABELLED = [HERE / "negatives_quality.tsv", HERE.parent / "tests/negatives/labelled.tsv"]
LABELS = ("good", "still true", "nonsense", "ungrammatical", "harmful")


class Work:
    """What one process does: the parser alone, or kinds, over its captions."""

    def __init__(self, captions: Sequence[str], counts: dict[str, int]) -> None:
        self.captions, self.vocabulary = captions, Vocabulary(counts)
        self.generators: dict[str, Generator] = {}

    def once(self, kinds: str, captions: Sequence[str] | None = None) -> None:
        captions = self.captions if captions is None else captions
        if kinds == SPACY:
            drain(self.spacy.pipe(captions, batch_size=256))
        else:
            drain(self.generator(kinds).run(captions, [str(number) for number in range(len(captions))]))

    @cached_property
    def spacy(self) -> Any:
        """Tagger and parser as spaCy loads them."""
        import spacy

        pipeline = spacy.load(self.generator("shuffle").parser.name)
        for name in set(pipeline.pipe_names).difference(NEEDED):
            pipeline.remove_pipe(name)
        return pipeline

    def generator(self, kinds: str) -> Generator:
        if kinds not in self.generators:
            self.generators = {kinds: Generator(kinds, wanted(kinds), vocabulary=self.vocabulary)}
        return self.generators[kinds]


def wanted(kinds: str) -> int:
    """Negatives a caption: one of each kind."""
    return len(BUNDLES.get(kinds, kinds.split(",")))


def drain(items: Iterable[object]) -> None:
    for _ in items:
        pass


_OWN: Work


_ALL: Barrier


def _start(captions: Sequence[str], counts: dict[str, int], together: Barrier) -> None:
    global _OWN, _ALL
    _OWN, _ALL = Work(captions, counts), together


def _run(kinds: str, part: int, parts: int, warm: bool) -> None:
    _ALL.wait()  # or a process that is ready would take the part of one that is not
    _OWN.once(kinds, _OWN.captions[part::parts][: WARM_UP if warm else None])


def best(work: Callable[[], None], clock: Callable[[], float], repeat: int) -> float:
    """Seconds of the quickest run."""
    found = float("inf")
    for _ in range(repeat):
        start = clock()
        work()
        found = min(found, clock() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("captions", type=Path, nargs="?")
    parser.add_argument("--labelled", nargs="*", type=Path, help="print what readers said of these tables, and end")
    parser.add_argument("--limit", type=int, default=5000)
    parser.add_argument("--kinds", default="five,negclip,fsc-clip,degla,svlc", help="kinds, bundles, `five` or `each`")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="processes of the second column; 1 leaves it out")
    parser.add_argument("--quality", action="store_true", help="build all of `five` and print what `inspect` finds")
    arguments = parser.parse_args()
    if arguments.labelled is not None:
        for path in arguments.labelled or LABELLED:
            labelled(path)
        return
    if arguments.captions is None:
        parser.error("name a captions file, or --labelled")
    captions = [caption.text for caption in read_captions(arguments.captions)[0]][: arguments.limit]
    names = [name for part in arguments.kinds.split(",") for name in (KINDS if part == "each" else [part])]
    speeds(captions, ["spaCy tagger + parser alone", *names], arguments.workers, arguments.repeat)
    if arguments.quality:
        with tempfile.TemporaryDirectory() as folder:
            build(arguments.captions, Path(folder) / "out", FIVE, 5)
            from rich.console import Console

            Console(width=150).print(render(inspect(Path(folder) / "out", samples=0)))


def labelled(path: Path) -> None:
    """Percent of each label in a table of labelled negatives: by kind and by style, and by source where it has one."""
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    print(f"{path.name}: {len(rows)} negatives of {len({row['caption'] for row in rows})} captions")
    for keys in (("kind", "source"), ("style", "source")) if "source" in rows[0] else (("kind",), ("style",)):
        print(f"{', '.join(keys):32}{'n':>6}" + "".join(f"{label:>15}" for label in LABELS))
        for name in sorted({tuple(row[key] for key in keys) for row in rows}):
            own = Counter(row["label"] for row in rows if tuple(row[key] for key in keys) == name)
            shares = "".join(f"{100 * own[label] / own.total():>13.1f} %" for label in LABELS)
            print(f"{', '.join(name):32}{own.total():>6}{shares}")
        print()


def speeds(captions: list[str], names: list[str], workers: int, repeat: int) -> None:
    counts = Vocabulary.from_captions(captions).counts
    work, count = Work(captions, counts), len(captions)
    print(f"{count} captions, captions/s")
    print(
        f"{'':34}{'one core':>10}{'of spaCy':>10}"
        + (f"{f'{workers} cores':>10}{'times one':>11}" if workers > 1 else "")
    )
    spacy = 0.0
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (captions, counts, context.Barrier(workers))) as pool:
        for number, name in enumerate(names):
            kinds = FIVE if name == "five" else name if number else SPACY
            work.once(kinds, captions[:WARM_UP])
            gc.collect()
            gc.freeze()  # as in a build, whose processes keep parser and tables to the end
            one = count / best(lambda k=kinds: work.once(k), time.process_time, repeat)
            spacy = spacy or one
            label = f"{name} ({wanted(kinds)} a caption)" if number else name
            line = f"{label:34}{one:10.0f}{one / spacy:10.2f}"
            if workers > 1:

                def together(warm: bool, kinds: str = kinds) -> None:
                    drain(pool.map(_run, *zip(*[(kinds, part, workers, warm) for part in range(workers)])))

                together(True)
                several = count / best(lambda run=together: run(False), time.perf_counter, repeat)
                line += f"{several:10.0f}{several / one:11.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
