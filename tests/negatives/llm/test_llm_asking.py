"""The asking itself, against a client of the test's own: what is alive at once, waits, budgets, what ends a run."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from compoclip.config import LLMOptions
from compoclip.errors import RunError
from compoclip.negatives.llm import asking
from compoclip.negatives.llm.answers import Answer, counted, read_answer
from compoclip.negatives.llm.asking import HOPELESS, Asking, backoff, run_session
from compoclip.negatives.llm.budget import Budget
from compoclip.negatives.llm.client import LONGEST_WAIT, Rejected, Transient, retry_after
from compoclip.negatives.llm.requests import LLMRequest


def request(number: int, characters: int = 40) -> LLMRequest:
    body = {"messages": [{"content": "x" * characters}], "max_tokens": 10, "n": number}
    return LLMRequest(number, str(number), "swap-nouns", 0, body, "", f"{number:016x}")


class Server:
    """`script[number]`: what happens to a request, try by try; then it is answered."""

    def __init__(self, script: dict[int, list[Exception]] | None = None) -> None:
        self.script = script or {}
        self.alive = self.most_alive = 0
        self.log: list[int] = []

    async def ask(self, body: dict[str, Any]) -> Answer:
        self.log.append(body["n"])
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        try:
            await asyncio.sleep(0.0005)
            if self.script.get(body["n"]):
                raise self.script[body["n"]].pop(0)
            return Answer("y", "stop", "m", 10, 5)
        finally:
            self.alive -= 1

    async def close(self) -> None:
        return


def ask(server: Server, requests: Any, spending: Budget | None = None, proven: bool = False, **given: Any) -> Any:
    options = LLMOptions(model="m", url="http://x/v1", **{"concurrency": 4, "backoff": 0.001, "retries": 2, **given})
    kept: list[int] = []
    spending = spending or Budget(None, None)

    def record(one: LLMRequest, answer: Answer) -> None:
        kept.append(one.place)
        spending.add(answer.prompt_tokens or 0, answer.completion_tokens or 0, one.body)

    run = Asking(server, options, spending, record, proven)
    run.kept = kept
    try:
        run_session(run.run(requests), server)
    except RunError as error:
        run.error = str(error)
    return run


@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_requests_are_read_no_further_than_twice_the_concurrency(concurrency: int) -> None:
    drawn = 0

    def source() -> Iterator[LLMRequest]:
        nonlocal drawn
        for number in range(100):
            drawn += 1
            most.append(drawn - len(run_kept))
            yield request(number)

    most: list[int] = []
    server = Server()
    run_kept: list[int] = []
    options = LLMOptions(model="m", url="http://x/v1", concurrency=concurrency)
    run = Asking(server, options, Budget(None, None), lambda one, _: run_kept.append(one.place))
    run_session(run.run(source()), server)
    assert sorted(run_kept) == list(range(100))
    assert server.most_alive == concurrency
    assert concurrency < max(most) <= 2 * concurrency + 1  # and the one in hand


def test_each_is_recorded_once_whatever_happens_on_the_way() -> None:
    script = {n: [Transient("500") for _ in range(n % 4)] for n in range(40)}
    run = ask(Server(script), map(request, range(40)))
    assert sorted(run.kept) == [n for n in range(40) if n % 4 < 3]
    assert (run.answered, run.failed) == (30, 10)
    assert run.faults == {"500": sum(n % 4 for n in range(40))}


def test_nothing_is_sent_while_the_server_asks_for_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """One 429 with Retry-After: everybody waits, by a clock that only sleeping moves."""
    now = 0.0
    sent: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        await real_sleep(0)

    real_sleep = asyncio.sleep
    monkeypatch.setattr(asking.time, "monotonic", lambda: now)
    monkeypatch.setattr(asking.asyncio, "sleep", sleep)

    class Limited(Server):
        async def ask(self, body: dict[str, Any]) -> Answer:
            sent.append(now)
            if len(sent) == 3:
                raise Transient("429", wait=100.0)
            return Answer("y", "stop", "m", 10, 5)

    run = ask(Limited(), map(request, range(10)), concurrency=1)
    assert run.answered == 10
    assert len(sent) == 11
    assert max(sent[:3]) == 0.0
    assert min(sent[3:]) >= 100.0


def test_a_server_busy_with_other_requests_costs_no_tries() -> None:
    """Request 0 meets thirty 429s, and between any two of them others are answered; alone it would have three tries."""

    class Busy(Server):
        async def ask(self, body: dict[str, Any]) -> Answer:
            self.log.append(body["n"])
            if body["n"] == 0 and self.log.count(0) <= 30:
                while others and len(run_log) < 2 * self.log.count(0):
                    await asyncio.sleep(0)
                raise Transient("429")
            await asyncio.sleep(0)
            run_log.append(body["n"])
            return Answer("y", "stop", "m", 10, 5)

    for others, answered in ((200, 201), (0, 0)):
        run_log: list[int] = []
        run = ask(Busy(), map(request, range(others + 1)), concurrency=2, backoff=0.0)
        assert (run.answered, run.failed) == (answered, int(not others))


def test_a_run_ends_where_nothing_is_answered_any_more() -> None:
    down = {n: [Transient("500", "down")] * 3 for n in range(20, 100)}
    run = ask(Server(down), map(request, range(100)))
    assert run.answered == 20
    assert run.failed == HOPELESS
    assert f"{HOPELESS} requests in a row failed 3 times each (the last: 500: down)" in run.error


def test_single_rejections_are_kept_once_an_answer_shows_that_others_pass() -> None:
    script = {n: [Rejected("400: filtered")] for n in (0, 1, 50)}
    run = ask(Server(script), map(request, range(60)), concurrency=1)
    assert sorted(run.kept) == list(range(60))
    assert run.faults == {"rejected": 3}


@pytest.mark.parametrize("count", [3, 100])
def test_rejections_only_end_the_run_with_nothing_kept(count: int) -> None:
    run = ask(Server({n: [Rejected("400: bad field")] for n in range(count)}), map(request, range(count)))
    assert run.kept == []
    assert "rejects every request (400: bad field)" in run.error
    run = ask(Server({0: [Rejected("400: filtered")]}), [request(0)], proven=True)  # others have passed before
    assert run.kept == [0]


def test_what_ends_a_run_ends_it_at_once() -> None:
    run = ask(Server({5: [RunError("answers 401")]}), map(request, range(1000)), concurrency=4)
    assert run.error == "answers 401"
    assert len(run.kept) < 20


def test_the_budget_is_spent_to_the_last_request_that_fits() -> None:
    """A request is estimated at 10 + 10 tokens and takes 10 + 5: at $1 a token, $100 pay for six and not for a seventh,
    of which only $10 are left when it may cost $20."""
    for concurrency in (1, 3, 50):
        money = Budget(1e6, 1e6, 100.0)
        run = ask(Server(), map(request, range(50)), money, concurrency=concurrency)
        assert run.answered == 6
        assert run.out_of_money
        assert money.total == 90.0
        assert money.reserved == 0.0


def test_sums_that_floats_cannot_hold_do_not_keep_a_run_waiting() -> None:
    for concurrency in (3, 16):
        money = Budget(0.1, 0.3, 1e-5)
        run = ask(Server(), (request(n, 37 + n) for n in range(200)), money, concurrency=concurrency)
        assert run.out_of_money
        assert money.total <= 1e-5


def test_estimates_learn_from_what_prompts_have_taken() -> None:
    money = Budget(1e6, 0.0, 1000.0)
    body = {"messages": [{"content": "x" * 40}]}
    assert money.most(body) == 10.0
    money.add(25, 0, body)
    assert money.most(body) == 25.0


def test_backoff_doubles_up_to_a_limit_with_full_jitter() -> None:
    jitter = random.Random(0)
    for attempt in range(12):
        waits = [backoff(attempt, 0.5, jitter) for _ in range(500)]
        limit = min(60.0, 0.5 * 2**attempt)
        assert 0 <= min(waits) < 0.05 * limit
        assert 0.95 * limit < max(waits) <= limit


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after": "1", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "99999"}, LONGEST_WAIT),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": formatdate(time.time() - 100, usegmt=True)}, 0.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_a_date() -> None:
    assert retry_after({"retry-after": formatdate(time.time() + 300, usegmt=True)}) == pytest.approx(300, abs=60)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"content": [1]}}]},
        {"choices": [{"message": {"content": "x"}}], "usage": 3},
    ],
)
def test_bodies_that_are_no_answers(body: Any) -> None:
    with pytest.raises(ValueError):
        read_answer(body)


def test_answers_as_servers_spell_them() -> None:
    message = {"content": None, "refusal": "No."}
    answer = read_answer({"choices": [{"message": message, "finish_reason": None}], "usage": {"prompt_tokens": True}})
    assert answer == Answer("No.")
    assert counted(answer, {"messages": [{"content": "12345"}]}) == Answer("No.", "", "", 2, 1)


def test_a_run_ends_though_a_request_swallows_its_cancellation() -> None:
    """As `asyncio.wait_for` does before Python 3.12 where an answer comes at the very moment."""

    class Deaf(Server):
        async def ask(self, body: dict[str, Any]) -> Answer:
            if body["n"] == 3:
                raise RunError("the server is gone")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(30)
            return Answer("y", "stop", "m", 10, 5)

    run = Asking(
        Deaf(), LLMOptions(model="m", url="http://x/v1", concurrency=4), Budget(None, None), lambda one, answer: None
    )
    with pytest.raises(RunError, match="gone"):
        asyncio.run(asyncio.wait_for(run.run(request(n) for n in range(100)), 20))
