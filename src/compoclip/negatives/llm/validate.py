"""What a model's replies to a caption are good for: the same answer whenever the same replies are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from compoclip.config import LLMOptions
from compoclip.negatives.caption_db import Caption
from compoclip.negatives.judge import Judge
from compoclip.negatives.kinds import Proposal
from compoclip.negatives.llm.answers import Answer
from compoclip.negatives.llm.checks import check
from compoclip.negatives.llm.replies import parse_reply
from compoclip.negatives.llm.requests import LLMRequest, Questions
from compoclip.negatives.llm.style import dressed, edits_between

REASONS = {
    "rejected-by-server": "the server would not answer the request",
    "content-filter": "the server's own filter stopped the reply",
    "truncated": "the reply was longer than it may be and broke off",
    "unreadable": "no rewrite can be read from the reply",
    "surplus": "more rewrites than were asked for",
    "too-few": "fewer rewrites than were asked for (once a reply)",
}
_ENDINGS = {"length": "truncated", "content_filter": "content-filter"}


class Validated(NamedTuple):
    """Of one caption and kind: rewrites that passed, reasons of those that did not, and the request to ask next."""

    passed: list[Proposal]
    refused: Counter[str]
    open: LLMRequest | None


def validate(questions: Questions, place: int, caption: Caption, kind: str, kept: Mapping[str, Answer]) -> Validated:
    """Read the replies kept for a caption; a round follows only where those before gave nothing usable."""
    passed: list[Proposal] = []
    reasons: Counter[str] = Counter()
    judge = Judge(caption.text, caption.others)
    for k in range(questions.options.rounds):
        request = questions.request(place, caption, kind, k)
        answer = kept.get(request.digest)
        if answer is None:
            return Validated(passed, reasons, request)
        for text, reason in _rewrites(answer, kind, caption.text, questions.options):
            reason = reason or _gated(text, caption, judge, passed)
            if reason:
                reasons[reason] += 1
        if (wanted := questions.options.rewrites) < len(passed):
            reasons["surplus"] += len(passed) - wanted
            del passed[wanted:]
        if passed:
            break
    return Validated(passed, reasons, None)


def _rewrites(answer: Answer, kind: str, caption: str, options: LLMOptions) -> Iterator[tuple[str, str]]:
    """Each rewrite of a reply, with why it is refused or "" where it is not."""
    whole = "rejected-by-server" if answer.error else _ENDINGS.get(answer.finish_reason, "")
    if whole:
        yield "", whole
        return
    try:
        found = parse_reply(answer.text, options.form)
    except ValueError:
        said = check(kind, caption, answer.text)  # a refusal in prose where JSON was asked for is a refusal
        yield "", said if said in ("refusal", "empty") else "unreadable"
        return
    for text in found:
        yield text, check(kind, caption, text) or ""
    if len(found) < options.rewrites:
        yield "", "too-few"


def _gated(text: str, caption: Caption, judge: Judge, passed: list[Proposal]) -> str:
    text = dressed(text, caption.text)
    edits = edits_between(caption.text, text)
    reason = judge.refuses(text, edits)
    if reason is None:
        passed.append((text, edits))
    return reason or ""


def open_request(
    questions: Questions, place: int, caption: Caption, kind: str, kept: Mapping[str, Answer]
) -> LLMRequest | None:
    """The request to ask next about a caption and kind; None where its replies are in."""
    if questions.options.rounds == 1:  # whether there is a reply is all that matters
        request = questions.request(place, caption, kind, 0)
        return None if request.digest in kept else request
    return validate(questions, place, caption, kind, kept).open
