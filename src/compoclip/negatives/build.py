"""Captions files in, Parquet shards of negatives and a manifest out: in parallel, atomic, resumable."""

from __future__ import annotations

import atexit
import gc
import hashlib
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from compoclip.errors import InputError, RunError
from compoclip.io import read_json, write_json
from compoclip.language.parser import parser_version
from compoclip.negatives.balance import OVERSAMPLE, balance_build
from compoclip.negatives.captions import Caption, content_hash, read_captions
from compoclip.negatives.engine import Generator
from compoclip.negatives.kinds import resolve_kinds
from compoclip.negatives.store import MANIFEST, SCHEMA, read_shard, shard_name, shards, write_shard
from compoclip.negatives.vocabulary import Vocabulary, default_vocabulary
from compoclip.progress import bar

SHARD = 4096  # captions a file, and what is lost at most when a worker is killed
ENOUGH_CAPTIONS = 300  # from here on, replacements come from the caption set's own words


class Plan(NamedTuple):
    """What every shard of a build depends on, and nothing else."""

    kinds: tuple[str, ...]
    per_caption: int
    seed: int
    epoch: int
    vocabulary: dict[str, int] | None  # None: everyday captions
    parser: str | None


def build(
    inputs: str | Path | Sequence[str | Path],
    out: str | Path,
    kinds: str | Sequence[str] = ("degla",),
    per_caption: int = 4,
    workers: int = 1,
    seed: int = 0,
    resume: bool = False,
    epoch: int = 0,
    caption_key: str | None = None,
    split: str | None = None,
    vocabulary: str = "auto",
    parser: str | None = None,
    shard_size: int = SHARD,
    balance: bool = False,
) -> dict[str, Any]:
    """Write negatives of every caption under `out` and return the manifest.

    The files' bytes depend on captions, kinds, per_caption, seed, epoch, vocabulary and parser, not on workers or on
    how often the build was stopped and resumed. vocabulary: "captions" (the set's own words), "everyday", or "auto",
    the former from 300 captions on. split: only rows whose column `split` says so.

    balance: make four times as many, then keep those that text alone cannot tell from captions (`balance.py`).

    Raises InputError for bad input, or where `out` holds another build; RunError where a worker dies.
    """
    out = Path(out)
    if balance:
        return _balanced_build(locals())
    names = tuple(resolve_kinds(list(kinds) if not isinstance(kinds, str) else kinds))
    if workers < 1 or per_caption < 1 or shard_size < 1:
        raise InputError("workers, per_caption and shard_size are at least 1")
    if vocabulary not in ("auto", "captions", "everyday"):
        raise InputError(f"vocabulary is {vocabulary!r}; choose auto, captions or everyday")
    captions, skipped = read_captions(inputs, caption_key, split)
    own = vocabulary == "captions" or (vocabulary == "auto" and len(captions) >= ENOUGH_CAPTIONS)
    words = Vocabulary.from_captions(caption.text for caption in captions).counts if own else None
    plan = Plan(names, per_caption, seed, epoch, words, parser)
    count = -(-len(captions) // shard_size)
    header: dict[str, Any] = {
        "schema": SCHEMA,
        "kinds": list(names),
        "per_caption": per_caption,
        "seed": seed,
        "epoch": epoch,
        "vocabulary": "captions" if own else "everyday",
        "versions": _versions(parser),
        "input_sha256": content_hash(captions),
        "inputs": [Path(p).name for p in ([inputs] if isinstance(inputs, (str, Path)) else inputs)],
        "captions": len(captions),
        "skipped": skipped,
        "shard_size": shard_size,
        "shards": count,
    }
    _open_folder(out, header, resume)
    parts = [captions[at : at + shard_size] for at in range(0, len(captions), shard_size)]
    pending = [number for number in range(len(parts)) if not _done(out, number)]
    with bar("negatives", len(captions)) as progress:
        progress.advance(sum(len(parts[n]) for n in range(len(parts))) - sum(len(parts[n]) for n in pending))
        jobs = ((out, number, parts[number], plan) for number in pending)
        for number in _run(jobs, min(workers, len(pending) or 1)):
            progress.advance(len(parts[number]))
    manifest = header | _counts(out, count)
    write_json(out / MANIFEST, manifest)
    (out / "plan.json").unlink(missing_ok=True)
    for number in range(count):
        _tally_path(out, number).unlink(missing_ok=True)
    return manifest


def _balanced_build(arguments: dict[str, Any]) -> dict[str, Any]:
    """Build into a folder of its own (which a resumed run takes up again), then balance into the one asked for."""
    out, per_caption = arguments["out"], arguments["per_caption"]
    if (out / MANIFEST).is_file():
        manifest = read_json(out / MANIFEST)
        if arguments["resume"] and "balance" in manifest:
            return dict(manifest)
        raise InputError(f"{out}: holds negatives already; name another --out folder")
    unbalanced = out / "unbalanced"
    build(**{**arguments, "out": unbalanced, "per_caption": OVERSAMPLE * per_caption, "balance": False})
    return balance_build(unbalanced, out, per_caption)


def _versions(parser: str | None) -> dict[str, str]:
    packages = {name: version(name) for name in ("compoclip", "spacy", "lemminflect", "inflect")}
    return packages | {"parser": parser_version(parser), "lexicon": "WordNet 3.0"}


def _open_folder(out: Path, header: dict[str, Any], resume: bool) -> None:
    """Take the folder for this build: a new one, or one that the same build began."""
    if out.is_file():
        raise InputError(f"{out}: is a file; --out names a folder")
    before = next((out / name for name in (MANIFEST, "plan.json") if (out / name).is_file()), None)
    if before is not None:
        found = read_json(before)
        changed = [key for key, value in json.loads(json.dumps(header)).items() if found.get(key) != value]
        if resume and changed:
            raise InputError(f"{out}: holds a build with other {', '.join(changed)}; name another --out folder")
        if not resume:
            raise InputError(
                f"{out}: holds negatives already; add --resume to finish them, or name another --out folder"
            )
    elif out.is_dir() and any(out.glob("negatives-*.parquet")):
        raise InputError(f"{out}: holds shards without a manifest; name another --out folder")
    out.mkdir(parents=True, exist_ok=True)
    for leftover in out.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)
    if before is None:
        write_json(out / "plan.json", header)


def _tally_path(out: Path, number: int) -> Path:
    return out / f".negatives-{number:05d}.json"


def _done(out: Path, number: int) -> bool:
    """A shard is done when both its files are there; the counts are written last."""
    if (out / MANIFEST).is_file():
        return (out / shard_name(number)).is_file()
    return (out / shard_name(number)).is_file() and _tally_path(out, number).is_file()


_GENERATORS: dict[str, Generator] = {}


def _generator(plan: Plan) -> Generator:
    """The process's generator for a plan; making one reads the parser and the lexicon, so it is kept."""
    key = hashlib.blake2b(repr(plan).encode()).hexdigest()
    if key not in _GENERATORS:
        _GENERATORS.clear()
        words = Vocabulary(plan.vocabulary) if plan.vocabulary is not None else default_vocabulary()
        _GENERATORS[key] = Generator(plan.kinds, plan.per_caption, plan.seed, plan.epoch, words, plan.parser)
        gc.collect()
        gc.freeze()  # parser and lexicon live to the end: the collector need not walk them again and again
        atexit.register(gc.unfreeze)  # what is frozen at exit is reported as leaked by other extensions
    return _GENERATORS[key]


def make_shard(job: tuple[Path, int, list[Caption], Plan]) -> int:
    """Write one shard and its counts; the shard's number comes back."""
    out, number, captions, plan = job
    generator = _generator(plan)
    generator.made.clear()
    generator.refusals.clear()
    texts = [caption.text for caption in captions]
    found = generator.run(texts, [c.caption_id for c in captions], [c.others for c in captions])
    rows = [(caption.caption_id, caption.text, negatives) for caption, negatives in zip(captions, found)]
    write_shard(out / shard_name(number), rows)
    short = Counter(str(len(negatives)) for _, _, negatives in rows)
    tally = {"made": generator.made, "refused": generator.refusals, "negatives_a_caption": short}
    write_json(_tally_path(out, number), {name: dict(sorted(counts.items())) for name, counts in tally.items()})
    return number


def _run(jobs: Iterator[tuple[Path, int, list[Caption], Plan]], workers: int) -> Iterator[int]:
    if workers == 1:
        yield from map(make_shard, jobs)
        return
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_single_threaded) as pool:
        waiting = set()
        try:
            for job in jobs:  # a few jobs ahead of the workers, so that captions are not all copied at once
                waiting.add(pool.submit(make_shard, job))
                if len(waiting) >= 2 * workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            for future in waiting:
                yield future.result()
        except BrokenProcessPool:
            raise RunError(
                "a worker process died (out of memory?); run again with --resume and fewer --workers"
            ) from None


def _single_threaded() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def _counts(out: Path, number_of_shards: int) -> dict[str, Any]:
    if (out / MANIFEST).is_file():
        found = read_json(out / MANIFEST)
        return {key: found[key] for key in ("negatives", "coverage", "made", "refused", "negatives_a_caption")}
    totals: dict[str, Counter[str]] = {"made": Counter(), "refused": Counter(), "negatives_a_caption": Counter()}
    for number in range(number_of_shards):
        for name, counts in read_json(_tally_path(out, number)).items():
            totals[name].update(counts)
    captions = sum(totals["negatives_a_caption"].values())
    covered = captions - totals["negatives_a_caption"]["0"]
    return {
        "negatives": sum(totals["made"].values()),
        "coverage": round(covered / captions, 6),
        **{name: dict(sorted(counts.items())) for name, counts in totals.items()},
    }


__all__ = ["Plan", "build", "make_shard", "read_shard", "shards"]
