"""Many requests at once: bounded, retried with backoff and jitter, within a budget, stopped where it is hopeless."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol

from compoclip.config import LLMOptions
from compoclip.errors import RunError
from compoclip.negatives.llm.answers import Answer
from compoclip.negatives.llm.budget import Budget
from compoclip.negatives.llm.client import Rejected, Transient
from compoclip.negatives.llm.requests import LLMRequest

LONGEST_BACKOFF = 60.0
HOPELESS = 8  # requests in a row that no try could answer: the server is gone, or takes none of ours


class Asks(Protocol):
    """What `Client` does, and what a test may do in its place."""

    async def ask(self, body: dict[str, Any]) -> Answer: ...

    async def close(self) -> None: ...


class Asking:
    """One run over requests.

    Reading ahead stops at twice `options.concurrency` requests, those under way included. `record(request, answer)`
    is called once for each answered request; one whose retries are used up is only counted (`failed`).
    `faults` counts failed tries by cause. `out_of_money` tells that the budget ended the run.
    """

    def __init__(
        self,
        client: Asks,
        options: LLMOptions,
        spending: Budget,
        record: Callable[[LLMRequest, Answer], None],
        proven: bool = False,
    ) -> None:
        self.client, self.options, self.spending, self.record = client, options, spending, record
        self.proven = proven  # the server has answered such a request before
        self.faults: Counter[str] = Counter()
        self.answered = self.failed = 0
        self.last_failure = ""
        self.out_of_money = False
        self._in_a_row = 0
        self._rejected: list[tuple[LLMRequest, Answer]] = []  # until one answer shows that it is not every request
        self._quiet_until = 0.0
        self._jitter = random.Random()

    async def run(self, requests: Iterable[LLMRequest | None]) -> None:
        """Ask them all; at a None, which a slow source gives now and then, others get their turn.

        Raises RunError where the server refuses or fails every request.
        """
        queue: asyncio.Queue[LLMRequest | None] = asyncio.Queue(self.options.concurrency)
        tasks = [asyncio.create_task(self._feed(requests, queue))]
        tasks += [asyncio.create_task(self._work(queue)) for _ in range(self.options.concurrency)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            await _ended(tasks)
        if self._rejected:
            self._stop_for_rejections()

    async def _feed(self, requests: Iterable[LLMRequest | None], queue: asyncio.Queue[LLMRequest | None]) -> None:
        for request in requests:
            if self.out_of_money:
                break
            await (queue.put(request) if request is not None else asyncio.sleep(0))
        for _ in range(self.options.concurrency):
            await queue.put(None)

    async def _work(self, queue: asyncio.Queue[LLMRequest | None]) -> None:
        while (request := await queue.get()) is not None:
            if not self.out_of_money:
                await self._one(request)

    async def _one(self, request: LLMRequest) -> None:
        amount = self.spending.most(request.body)
        while not self.spending.reserve(amount):
            if not self.spending.holds or self.out_of_money:
                self.out_of_money = True
                return
            await asyncio.sleep(0.01)  # what others have set aside may be more than they need
        try:
            await self._try(request)
        finally:
            self.spending.release(amount)

    async def _try(self, request: LLMRequest) -> None:
        tries = 0
        seen = self.answered
        while tries <= self.options.retries:
            await self._quiet()
            try:
                answer = await self.client.ask(request.body)
            except Transient as failure:
                self.faults[failure.fault] += 1
                self.last_failure = str(failure)
                if failure.wait:  # the limit is the account's, not the request's: everybody waits
                    self._quiet_until = max(self._quiet_until, time.monotonic() + failure.wait)
                if failure.fault == "429" and self.answered > seen:
                    seen = self.answered  # the server is busy with our other requests: that uses up no try
                else:
                    tries += 1
                if tries <= self.options.retries:
                    await asyncio.sleep(backoff(max(tries - 1, 0), self.options.backoff, self._jitter))
            except Rejected as refusal:
                self.faults["rejected"] += 1
                self._reject(request, Answer("", error=str(refusal)))
                return
            else:
                self._take(request, answer)
                return
        self.failed += 1
        self._in_a_row += 1
        if self._in_a_row >= HOPELESS:
            raise RunError(
                f"{self.options.shown_url}: {HOPELESS} requests in a row failed {self.options.retries + 1} times each "
                f"(the last: {self.last_failure}); see to the server, then go on with --resume"
            )

    async def _quiet(self) -> None:
        while (left := self._quiet_until - time.monotonic()) > 0:
            await asyncio.sleep(left + self._jitter.uniform(0, min(left, 1.0)) / 10)

    def _take(self, request: LLMRequest, answer: Answer) -> None:
        self.answered += 1
        self._in_a_row, self.proven = 0, True
        self.record(request, answer)
        for held in self._rejected:
            self.record(*held)
        self._rejected.clear()

    def _reject(self, request: LLMRequest, answer: Answer) -> None:
        if self.proven:
            self.record(request, answer)
            return
        self._rejected.append((request, answer))
        if len(self._rejected) >= HOPELESS:
            self._stop_for_rejections()

    def _stop_for_rejections(self) -> None:
        raise RunError(
            f"{self.options.shown_url} rejects every request ({self._rejected[-1][1].error}); change what it objects "
            "to (--llm-form plain, --llm-extra) and use another --out folder"
        )


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks until all have ended: before Python 3.12 `asyncio.wait_for` now and then swallows a cancellation."""
    while going := [task for task in tasks if not task.done()]:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=0.2)
    await asyncio.gather(*tasks, return_exceptions=True)


def backoff(attempt: int, base: float, jitter: random.Random) -> float:
    """Seconds before try `attempt` + 1: anything up to a limit that doubles each time ("full jitter")."""
    return jitter.uniform(0.0, min(LONGEST_BACKOFF, base * 2.0 ** min(attempt, 60)))


def run_session(work: Coroutine[Any, Any, None], client: Asks) -> None:
    """Do the work and close the client; in a thread of its own where this one runs a loop already (a notebook)."""

    async def session() -> None:
        try:
            await work
        finally:
            await client.close()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(session())
        return
    failures: list[BaseException] = []

    def in_thread() -> None:
        try:
            asyncio.run(session())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
