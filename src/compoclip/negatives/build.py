"""Captions files in, Parquet shards of negatives and a manifest out: in parallel, atomic, resumable."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from compoclip.data.report import Report
from compoclip.errors import InputError
from compoclip.io import read_json, write_json
from compoclip.language.parser import parser_version
from compoclip.negatives.balance import OVERSAMPLE, balance_build
from compoclip.negatives.caption_db import ENOUGH_CAPTIONS, CaptionDB
from compoclip.negatives.captions import caption_rows, left_out
from compoclip.negatives.foils import FOILS
from compoclip.negatives.folder import claim, counts, done, opened
from compoclip.negatives.kinds import LLM_PREFIX, resolve_kinds
from compoclip.negatives.llm.collecting import check_llm, collect, reopen
from compoclip.negatives.llm.options import LLMOptions
from compoclip.negatives.llm.requests import Questions
from compoclip.negatives.llm.response_cache import read_cache
from compoclip.negatives.local import run_local
from compoclip.negatives.on_ray import need_ray, run_ray
from compoclip.negatives.shards import BuildPlan, Job, tally_path
from compoclip.negatives.store import MANIFEST, SCHEMA, epoch_folder
from compoclip.negatives.tars import TarsOut
from compoclip.negatives.vocabulary import Vocabulary
from compoclip.progress import bar

__all__ = ["build"]

SHARD = 4096  # captions a file, and what is lost at most when a worker is killed
ENGINES = ("local", "ray")


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
    *,
    epochs: int | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    into_tars: str | Path | None = None,
    llm: LLMOptions | None = None,
    image_key: str | None = None,
    units: bool = False,
) -> dict[str, Any]:
    """Write negatives of every caption under `out` and return the manifest.

    The files' bytes depend on captions, kinds, per_caption, seed, epoch, vocabulary and parser, not on workers, engine
    or on how often the build was stopped and resumed. Memory does not grow with the number of captions.

    vocabulary: "captions" (the set's own words), "everyday", or "auto", the former from 300 captions on.
    split: only rows that are of it, by a column, a tar's name or a folder. caption_key, image_key: names of columns.
    balance: make four times as many, then keep those that text alone cannot tell from captions (`balance.py`).
    epochs: that many builds, of epoch, epoch + 1, ..., in the folders epoch-0, epoch-1, ... of `out`; returns their
    manifests' counts. Training takes them in turn.
    engine: "local" (processes) or "ray" (a cluster, see `on_ray.py`); workers is the number of either.
    into_tars: folder for copies of the input tars in which every sample has its negatives as one more member.
    units: also the short true texts inside each caption, with foils (`foils.py`), for objectives that read them.
    llm: the language model for kinds such as "llm:swap-nouns". Where its batch files leave requests open, a summary of
    them is returned in place of the manifest.

    Raises InputError for bad input, or where `out` holds another build; RunError where workers die or the model's
    server fails.
    """
    options = {name: value for name, value in locals().items() if name not in ("inputs", "out", "epochs")}
    out = Path(out)
    if workers < 1 or per_caption < 1 or shard_size < 1 or (epochs is not None and epochs < 1):
        raise InputError("workers, per_caption, shard_size and epochs are at least 1")
    if vocabulary not in ("auto", "captions", "everyday"):
        raise InputError(f"vocabulary is {vocabulary!r}; choose auto, captions or everyday")
    if engine not in ENGINES:
        raise InputError(f"engine is {engine!r}; choose {' or '.join(ENGINES)}")
    if engine == "ray":
        need_ray()
    names = options["kinds"] = tuple(resolve_kinds(kinds, llm=True))
    check_llm(names, llm, resume, epochs)
    if epochs is not None:
        if into_tars is not None:
            raise InputError("tars hold the negatives of one epoch; leave out --epochs or --into-tars")
        each = {
            f"epoch-{number}": build(inputs, epoch_folder(out, number), **{**options, "epoch": epoch + number})
            for number in range(epochs)
        }
        told = ("captions", "negatives", "coverage")
        return {name: {key: made[key] for key in told if key in made} for name, made in each.items()}
    if units and (balance or into_tars is not None):
        raise InputError("units go with a plain build: leave out --balance and --into-tars")
    tars = TarsOut(inputs, Path(into_tars), split, caption_key, resume) if into_tars is not None else None
    del options["into_tars"]
    manifest = _balanced(inputs, out, options) if balance else _plain(inputs, out, options)
    if tars is not None and "negatives" in manifest:
        tars.write(out)
    return manifest


def _plain(inputs: str | Path | Sequence[str | Path], out: Path, options: dict[str, Any]) -> dict[str, Any]:
    names, size, llm = options["kinds"], options["shard_size"], options["llm"]
    resume = options["resume"] or bool(llm and llm.batch_in)
    asked = [name for name in names if name.startswith(LLM_PREFIX)]
    questions = Questions.of(asked, options["seed"], options["epoch"], llm) if asked else None
    versions = _versions(options["parser"], parsed=len(asked) < len(names))
    report = Report()
    with opened(out, resume), CaptionDB(out / f".captions.{os.getpid()}.tmp") as table:
        rows = caption_rows(inputs, report, *(options[name] for name in ("caption_key", "split", "image_key")))
        table.fill(_counted(rows))
        count = -(-len(table) // size)
        enough = options["vocabulary"] == "auto" and len(table) >= ENOUGH_CAPTIONS
        own = options["vocabulary"] == "captions" or enough
        header: dict[str, Any] = {
            "schema": SCHEMA,
            "kinds": list(names),
            **{key: options[key] for key in ("per_caption", "seed", "epoch")},
            "vocabulary": "captions" if own else "everyday",
            "versions": versions,
            "input_sha256": table.sha256,
            "inputs": [Path(p).name for p in ([inputs] if isinstance(inputs, (str, Path)) else inputs)],
            "captions": len(table),
            "images": table.images,
            "skipped": left_out(report),
            "captions_hash": table.captions_hash,
            "shard_size": size,
            "shards": count,
            **({"foils_per_unit": FOILS} if options["units"] else {}),
        }
        if questions is not None:
            header["llm"] = questions.identity()
        claim(out, header)
        if questions is not None:
            reopen(out, header)
            if not (out / MANIFEST).is_file():
                unfinished = collect(questions, table, size, out)
                if unfinished is not None:
                    return unfinished
        ready = all(done(out, number) for number in range(count))
        words = Vocabulary.from_captions(table.texts()).counts if own and not ready else None
        plan = BuildPlan(
            *(names, options["per_caption"], options["seed"], options["epoch"], words, options["parser"]),
            questions,
            options["units"],
        )
        _make(table, plan, out, count, options)
    manifest = header | {"skipped_first": report.examples, "notes": report.notes} | counts(out, count)
    write_json(out / MANIFEST, manifest)
    (out / "plan.json").unlink(missing_ok=True)
    for number in range(count):
        tally_path(out, number).unlink(missing_ok=True)
    return manifest


def _make(table: CaptionDB, plan: BuildPlan, out: Path, count: int, options: dict[str, Any]) -> None:
    """Make the shards that are not there yet."""
    size = options["shard_size"]
    lengths = [min(size, len(table) - number * size) for number in range(count)]
    pending = [number for number in range(count) if not done(out, number)]
    jobs = (_job(table, number, size, out, plan) for number in pending)
    workers = min(options["workers"], len(pending))
    with bar("negatives", len(table)) as progress:
        progress.advance(len(table) - sum(lengths[number] for number in pending))
        if not pending:
            return
        if options["engine"] == "ray":
            finished = run_ray(jobs, plan, out, workers, _versions, options["ray_address"])
        else:
            finished = run_local(jobs, plan, out, workers)
        for number in finished:
            progress.advance(lengths[number])


def _job(table: CaptionDB, number: int, size: int, out: Path, plan: BuildPlan) -> Job:
    first = number * size
    replies = read_cache(out, number) if plan.questions is not None else None
    return Job(number, table.part(first, first + size), first, replies)


def _balanced(inputs: str | Path | Sequence[str | Path], out: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Build into a folder of its own (which a resumed run takes up again), then balance into the one asked for."""
    per_caption = options["per_caption"]
    if (out / MANIFEST).is_file():
        manifest = read_json(out / MANIFEST)
        if options["resume"] and "balance" in manifest:
            shutil.rmtree(out / "unbalanced", ignore_errors=True)  # where the build was killed while it tidied up
            return dict(manifest)
        raise InputError(f"{out}: holds negatives already; name another --out folder")
    unbalanced = out / "unbalanced"
    made = _plain(inputs, unbalanced, {**options, "per_caption": OVERSAMPLE * per_caption})
    if "negatives" not in made:
        return made
    return balance_build(unbalanced, out, per_caption)


def _counted(rows: Iterator[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
    with contextlib.ExitStack() as stack:
        progress = None  # none for the few captions that are read in no time
        for number, row in enumerate(rows, 1):
            yield row
            if number % 1000 == 0:
                progress = progress or stack.enter_context(bar("captions"))
                progress.advance(1000)


def _versions(parser: str | None, parsed: bool = True) -> dict[str, str]:
    packages = {name: version(name) for name in ("compoclip", "spacy", "lemminflect", "inflect")}
    return packages | ({"parser": parser_version(parser)} if parsed else {}) | {"lexicon": "WordNet 3.0"}
