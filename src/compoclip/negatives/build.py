"""Captions files in, Parquet shards of negatives and a manifest out: in parallel, atomic, resumable."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from compoclip.config import BuildConfig, LLMOptions
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
from compoclip.negatives.llm.requests import Questions
from compoclip.negatives.llm.response_cache import read_cache
from compoclip.negatives.local import run_local
from compoclip.negatives.on_ray import need_ray, run_ray
from compoclip.negatives.shards import BuildPlan, Job, tally_path
from compoclip.negatives.store import MANIFEST, SCHEMA, epoch_folder
from compoclip.negatives.tars import TarsOut
from compoclip.negatives.text_only import score_build
from compoclip.negatives.vocabulary import Vocabulary
from compoclip.progress import bar

__all__ = ["build"]

Inputs = str | Path | Sequence[str | Path]
SHARD = 4096  # captions a file, and what is lost at most when a worker is killed


def build(
    inputs: Inputs,
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
    text_only: bool = False,
    epochs: int | None = None,
    engine: str = "local",
    ray_address: str | None = None,
    into_tars: str | Path | None = None,
    llm: LLMOptions | None = None,
    image_key: str | None = None,
    units: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Write negatives of every caption under `out` and return the manifest.

    The files' bytes depend on captions, kinds, per_caption, seed, epoch, vocabulary and parser, not on workers, engine
    or on how often the build was stopped and resumed. Memory does not grow with the number of captions.

    vocabulary: "captions" (the set's own words), "everyday", or "auto", the former from 300 captions on.
    split: only rows that are of it, by a column, a tar's name or a folder. caption_key, image_key: names of columns.
    balance: make four times as many, then keep those that text alone cannot tell from captions (`balance.py`).
    text_only: say of each negative how surely text alone tells it from captions (`text_only.py`).
    epochs: that many builds, of epoch, epoch + 1, ..., in the folders epoch-0, epoch-1, ... of `out`; returns their
    manifests' counts. Training takes them in turn.
    engine: "local" (processes) or "ray" (a cluster, see `on_ray.py`); workers is the number of either.
    into_tars: folder for copies of the input tars in which every sample has its negatives as one more member.
    units: also the short true texts inside each caption, with foils (`foils.py`), for objectives that read them.
    dry_run: read the captions and return the plan; nothing is written and no model asked.
    llm: the language model for kinds such as "llm:swap-nouns". Where its batch files leave requests open, a summary of
    them is returned in place of the manifest.

    Raises InputError for bad input, or where `out` contains another build; RunError where workers die or the model's
    server fails.

    inputs: files of captions in any format of docs/data.md. kinds: names and bundles; per_caption: at most that many.
    resume: go on with a build that was stopped. shard_size: captions a file. ray_address: of a cluster that
    runs already.

    Example: build("captions.tsv", "negatives", kinds="fsc-clip", per_caption=4, workers=8)
    """
    given = {
        name: value for name, value in locals().items() if name not in ("inputs", "out", "kinds", "llm", "dry_run")
    }
    config = BuildConfig(**given, kinds=tuple(resolve_kinds(kinds, llm=True)))
    out = Path(out)
    if engine == "ray":
        need_ray()
    check_llm(config.kinds, llm, resume, epochs)
    if dry_run:
        return _planned(inputs, config, llm)
    if epochs is not None:
        names = ("captions", "negatives", "coverage")
        each = {}
        for number in range(epochs):
            turn = config.model_copy(update={"epoch": epoch + number, "epochs": None})
            made = _one(inputs, epoch_folder(out, number), turn, llm)
            each[f"epoch-{number}"] = {key: made[key] for key in names if key in made}
        return each
    return _one(inputs, out, config, llm)


def _one(inputs: Inputs, out: Path, config: BuildConfig, llm: LLMOptions | None) -> dict[str, Any]:
    """The build of one epoch."""
    into_tars = config.into_tars
    tars = TarsOut(inputs, into_tars, config.split, config.caption_key, config.resume) if into_tars else None
    manifest = (_balanced if config.balance else _plain)(inputs, out, config, llm)
    if tars is not None and "negatives" in manifest:
        tars.write(out)
    return manifest


def _planned(inputs: Inputs, config: BuildConfig, llm: LLMOptions | None) -> dict[str, Any]:
    """What a build would do: its captions are read, nothing is written or asked."""
    asked = [name for name in config.kinds if name.startswith(LLM_PREFIX)]
    with CaptionDB() as table:
        header = _read(table, inputs, config, Report(), _versions(config.parser, parsed=len(asked) < len(config.kinds)))
        requests = {"llm_requests": f"{len(asked) * len(table)} or more, to {llm.model}"} if llm is not None else {}
        epochs = {"epochs": config.epochs} if config.epochs is not None else {}
        most = config.per_caption * len(table) * (config.epochs or 1)
    return {"dry_run": True, **header, "negatives": f"{most} at most", **epochs, **requests}


def _read(table: CaptionDB, inputs: Inputs, config: BuildConfig, report: Report, versions: Any) -> dict[str, Any]:
    """Fill the table; the facts of the build that the manifest begins with."""
    table.fill(_counted(caption_rows(inputs, report, config.caption_key, config.split, config.image_key)))
    enough = config.vocabulary == "auto" and len(table) >= ENOUGH_CAPTIONS
    return {
        "schema": SCHEMA,
        "kinds": list(config.kinds),
        "per_caption": config.per_caption,
        "seed": config.seed,
        "epoch": config.epoch,
        "vocabulary": "captions" if config.vocabulary == "captions" or enough else "everyday",
        "versions": versions,
        "input_sha256": table.sha256,
        "inputs": [Path(p).name for p in ([inputs] if isinstance(inputs, (str, Path)) else inputs)],
        "captions": len(table),
        "images": table.images,
        "skipped": left_out(report),
        "captions_hash": table.captions_hash,
        "shard_size": config.shard_size,
        "shards": -(-len(table) // config.shard_size),
        **({"foils_per_unit": FOILS} if config.units else {}),
        **({"text_only": True} if config.text_only else {}),
    }


def _plain(inputs: Inputs, out: Path, config: BuildConfig, llm: LLMOptions | None) -> dict[str, Any]:
    resume = config.resume or bool(llm and llm.batch_in)
    asked = [name for name in config.kinds if name.startswith(LLM_PREFIX)]
    questions = Questions.of(asked, config.seed, config.epoch, llm) if llm is not None and asked else None
    report, versions = Report(), _versions(config.parser, parsed=len(asked) < len(config.kinds))
    with opened(out, resume), CaptionDB(out / f".captions.{os.getpid()}.tmp") as table:
        header = _read(table, inputs, config, report, versions)
        count = header["shards"]
        if questions is not None:
            header["llm"] = questions.identity()
        claim(out, header)
        if questions is not None:
            reopen(out, header)
            if not (out / MANIFEST).is_file():
                unfinished = collect(questions, table, config.shard_size, out)
                if unfinished is not None:
                    return unfinished
        ready = all(done(out, number) for number in range(count))
        own = header["vocabulary"] == "captions" and not ready
        words = Vocabulary.from_captions(table.texts()).counts if own else None
        plan = BuildPlan(
            *(config.kinds, config.per_caption, config.seed, config.epoch, words, config.parser),
            questions,
            config.units,
        )
        _make(table, plan, out, count, config)
        if config.text_only and not (out / MANIFEST).is_file():
            score_build(out, count)
    manifest = header | {"skipped_first": report.examples, "notes": report.notes} | counts(out, count)
    write_json(out / MANIFEST, manifest)
    (out / "plan.json").unlink(missing_ok=True)
    for number in range(count):
        tally_path(out, number).unlink(missing_ok=True)
    return manifest


def _make(table: CaptionDB, plan: BuildPlan, out: Path, count: int, config: BuildConfig) -> None:
    """Make the shards that are not there yet."""
    size = config.shard_size
    lengths = [min(size, len(table) - number * size) for number in range(count)]
    pending = [number for number in range(count) if not done(out, number)]
    jobs = (_job(table, number, size, out, plan) for number in pending)
    workers = min(config.workers, len(pending))
    with bar("negatives", len(table)) as progress:
        progress.advance(len(table) - sum(lengths[number] for number in pending))
        if not pending:
            return
        if config.engine == "ray":
            finished = run_ray(jobs, plan, out, workers, _versions, config.ray_address)
        else:
            finished = run_local(jobs, plan, out, workers)
        for number in finished:
            progress.advance(lengths[number])


def _job(table: CaptionDB, number: int, size: int, out: Path, plan: BuildPlan) -> Job:
    first = number * size
    replies = read_cache(out, number) if plan.questions is not None else None
    return Job(number, table.part(first, first + size), first, replies)


def _balanced(inputs: Inputs, out: Path, config: BuildConfig, llm: LLMOptions | None) -> dict[str, Any]:
    """Build into a folder of its own (which a resumed run takes up again), then balance into the one asked for."""
    if (out / MANIFEST).is_file():
        manifest = read_json(out / MANIFEST)
        if config.resume and "balance" in manifest:
            shutil.rmtree(out / "unbalanced", ignore_errors=True)  # where the build was killed while it tidied up
            return dict(manifest)
        raise InputError(f"{out}: contains negatives already; name another --out folder")
    unbalanced = out / "unbalanced"
    more = config.model_copy(update={"per_caption": OVERSAMPLE * config.per_caption})
    made = _plain(inputs, unbalanced, more, llm)
    if "negatives" not in made:
        return made
    return balance_build(unbalanced, out, config.per_caption)


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
