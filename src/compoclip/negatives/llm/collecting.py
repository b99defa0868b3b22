"""Getting the replies of a build: from the server, from batch files, or in part, to be gone on with."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from compoclip.config import LLMOptions
from compoclip.errors import InputError, RunError
from compoclip.io import read_json, write_json
from compoclip.negatives.caption_db import CaptionDB
from compoclip.negatives.kinds import LLM_PREFIX
from compoclip.negatives.llm.answers import Answer
from compoclip.negatives.llm.asking import Asking, run_session
from compoclip.negatives.llm.batch import take_batch, write_batch
from compoclip.negatives.llm.budget import Budget, dollars
from compoclip.negatives.llm.client import Client, need_openai
from compoclip.negatives.llm.merging import NO_REPLY
from compoclip.negatives.llm.requests import LLMRequest, Questions
from compoclip.negatives.llm.response_cache import ResponseCache, cache_name, cached_answers, read_cache, repair
from compoclip.negatives.llm.validate import open_request
from compoclip.negatives.store import MANIFEST
from compoclip.progress import Bar, bar, console


def collect(questions: Questions, table: CaptionDB, shard_size: int, out: Path) -> dict[str, Any] | None:
    """`Collection.run`; the folder is locked by the build, or all would be asked twice."""
    return Collection(questions, table, shard_size, out).run()


class Collection:
    """The requests and replies of one build, in its folder `out`, `shard_size` captions a file."""

    def __init__(self, questions: Questions, table: CaptionDB, shard_size: int, out: Path) -> None:
        self.questions, self.options = questions, questions.options
        self.table, self.shard_size, self.out = table, shard_size, out
        self.spending = Budget(self.options.price_in, self.options.price_out, self.options.budget)
        self.faults: Counter[str] = Counter()
        self.kept = self._look_back()

    def run(self) -> dict[str, Any] | None:
        """Get what replies there are to get. None: all are in (or `allow_missing`), so shards can be made.

        Else a summary of what is open, for a person to go on with. Raises RunError where the server fails, the budget
        ends, or requests stay without a reply; InputError for unusable files and missing settings.
        """
        options = self.options
        summary: dict[str, Any] = {}
        if options.batch_in:
            with ResponseCache(self.out) as log, bar("batch results") as progress:
                counts = take_batch(
                    options.batch_in,
                    self.questions,
                    self.table,
                    self.shard_size,
                    log,
                    self._digests(),
                    progress.advance,
                )
            summary["results"] = dict(counts)
            self.kept += counts["taken"]
        if options.batch_out:
            files, left = write_batch(options.batch_out, (request for request in self.open() if request is not None))
            summary |= {"answered": self.kept, "open": left, "files": files}
            return summary if left and not options.allow_missing else None
        reason = ""
        if options.url:
            try:
                reason = self._ask()
            finally:
                if self.faults:
                    told = ", ".join(f"{count} x {fault}" for fault, count in self.faults.most_common())
                    console.print(f"tries that failed: {told}")
            if not reason:
                return None
        left = sum(request is not None for request in self.open())
        if not left or options.allow_missing:
            return None
        if options.batch_in and not options.url:
            return summary | {"answered": self.kept, "open": left}
        raise self._unfinished(left, reason)

    def open(self) -> Iterator[LLMRequest | None]:
        """Requests without a reply, in the captions' order; None for each that has one."""
        for shard, start in enumerate(range(0, len(self.table), self.shard_size)):
            kept = read_cache(self.out, shard)
            for index, caption in enumerate(self.table.part(start, start + self.shard_size), start):
                for kind in self.questions.kinds:
                    yield open_request(self.questions, index, caption, kind, kept)

    def _ask(self) -> str:
        """Ask the server until nothing is open; why something still is comes back, "" where nothing is."""
        total = len(self.table) * len(self.questions.kinds)
        with bar("requests", total, start=min(self.kept, total)) as progress:
            while True:  # each pass fails, ends, or brings captions without a usable reply to their next round
                before = self.kept
                asking = self._one_pass(progress)
                if asking.out_of_money:
                    return "budget"
                if asking.failed:
                    return f"the last failure: {asking.last_failure}"
                if self.kept == before or self.options.rounds == 1:
                    return ""

    def _one_pass(self, progress: Bar) -> Asking:
        start, before = time.monotonic(), self.kept

        def note() -> str:
            rate = (self.kept - before) / max(time.monotonic() - start, 1e-9)
            parts = [f"{rate:.1f}/s", str(self.spending)]
            parts += [f"{sum(asking.faults.values())} tries failed"] if asking.faults else []
            return " ".join(part for part in parts if part)

        def record(request: LLMRequest, answer: Answer) -> None:
            answer = log.add(request.place // self.shard_size, request, answer)
            self.spending.add(answer.prompt_tokens or 0, answer.completion_tokens or 0, request.body)
            self.kept += 1
            progress.advance(1, note())

        client = Client(self.options)
        with ResponseCache(self.out) as log:
            asking = Asking(client, self.options, self.spending, record, proven=self.kept > 0)
            try:
                run_session(asking.run(self.open()), client)
            finally:
                self.faults += asking.faults
        return asking

    def _unfinished(self, left: int, reason: str) -> RunError | InputError:
        done = f"{self.out}: {self.kept} replies are kept, {left} requests are open"
        if reason == "budget":
            spent, budget = dollars(self.spending.total), dollars(self.options.budget or 0.0)
            return RunError(f"{done}: {spent} of the budget of {budget} is spent; --resume with a larger --llm-budget")
        if reason:
            tries = self.options.retries + 1
            return RunError(
                f"{done} after {tries} tries each ({reason}); ask again with --resume, or finish without them: "
                "--resume --llm-allow-missing and no --llm-url"
            )
        return InputError(f"{done}; add --llm-url to ask a server, --llm-batch-out to write them, or --llm-batch-in")

    def _files(self) -> Iterator[Path]:
        for shard in range(-(-len(self.table) // self.shard_size)):
            path = self.out / cache_name(shard)
            if path.is_file():
                yield path

    def _look_back(self) -> int:
        """Repair files that a kill left torn, and add up what their replies cost."""
        count = 0
        for path in self._files():
            repair(path)
            for _, answer in cached_answers(path):
                count += 1
                self.spending.add(answer.prompt_tokens or 0, answer.completion_tokens or 0)
        return count

    def _digests(self) -> Iterator[str]:
        for path in self._files():
            yield from (digest for digest, _ in cached_answers(path))


def check_llm(kinds: Sequence[str], options: LLMOptions | None, resume: bool, epochs: int | None) -> None:
    """Is there what a build of these kinds needs? Raises InputError, before anything is written, where there is not."""
    asked = [name for name in kinds if name.startswith(LLM_PREFIX)]
    if not asked:
        if options is not None:
            raise InputError(
                "a language model is named, but no kind asks it: use --kinds llm:swap-nouns, llm:degla, ..."
            )
        return
    if options is None:
        raise InputError(f"{asked[0]} needs a language model: add --llm-url http://host:port/v1 --llm-model NAME")
    if epochs is not None and (options.batch_in or options.batch_out):
        raise InputError("a batch file belongs to one epoch; use --epoch N, one after the other, in place of --epochs")
    if options.url:
        need_openai()
        options.key()
    elif not (options.batch_in or options.batch_out or resume):
        raise InputError(
            f"{asked[0]} needs a server to ask (--llm-url) or a file to write requests to (--llm-batch-out)"
        )


def reopen(out: Path, header: dict[str, Any]) -> None:
    """Take up a build again that was finished though requests were open (`allow_missing`)."""
    manifest = out / MANIFEST
    if manifest.is_file() and any(name.endswith(f"/{NO_REPLY}") for name in read_json(manifest)["refused"]):
        write_json(out / "plan.json", header)
        manifest.unlink()
