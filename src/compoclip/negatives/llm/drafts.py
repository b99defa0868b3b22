"""Candidate in-context examples from a strong model, for a person to prune: the first stage of DeGLA's pipeline.

Source: arXiv 2504.16801, section 3.1: a model writes 200 examples of a kind, people keep 50.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from compoclip.config import LLMOptions
from compoclip.errors import InputError, RunError
from compoclip.io import parse_yaml, write_text
from compoclip.negatives.draw import Draw
from compoclip.negatives.judge import normalised
from compoclip.negatives.llm.answers import Answer, counted
from compoclip.negatives.llm.asking import Asking, run_session
from compoclip.negatives.llm.budget import Budget
from compoclip.negatives.llm.checks import check
from compoclip.negatives.llm.client import Client, need_openai
from compoclip.negatives.llm.examples import Example
from compoclip.negatives.llm.prompts import PROMPT_VERSION, example_request, prompt_hash
from compoclip.negatives.llm.requests import LLMRequest
from compoclip.progress import bar

AT_ONCE = 25  # examples a request: a longer list is often cut short
TOKENS = 120  # an example may take
MOST_ROUNDS = 6  # a model that repeats itself is not asked for ever
_PAIR = re.compile(r"caption:[ \t]*(\S.*)\n\s*rewrite:[ \t]*(\S.*)")


def write_candidates(
    kind: str, options: LLMOptions, out: str | Path, count: int = 200, seed: int = 0
) -> dict[str, Any]:
    """Ask for `count` examples of a kind and write those that pass the checks to a YAML file, for `--llm-examples`.

    Returns what was written and what was refused, by reason. Raises InputError for an unknown kind or where the file is
    there already, RunError where the server fails or writes nothing of use.
    """
    out = Path(out)
    example_request(kind, count)
    if out.exists():
        raise InputError(f"{out}: is there already; name another file with --out")
    if not options.url:
        raise InputError("examples are asked of a server: add --llm-url http://host:port/v1")
    need_openai()
    found: dict[str, Example] = {}
    refused: Counter[str] = Counter()
    spending = Budget(options.price_in, options.price_out, options.budget)

    def record(request: LLMRequest, answer: Answer) -> None:
        answer = counted(answer, request.body)
        spending.add(answer.prompt_tokens or 0, answer.completion_tokens or 0, request.body)
        before = len(found)
        for pair in read_pairs(answer.text):
            reason = check(kind, *pair) or ("repeated" if normalised(pair.caption) in found else None)
            if reason or len(found) == count:
                refused[reason or "surplus"] += 1
            else:
                found[normalised(pair.caption)] = pair
        progress.advance(len(found) - before, str(spending))

    with bar(f"examples of {kind}", count) as progress:
        for turn in range(MOST_ROUNDS):
            before, left = len(found), count - len(found)
            sizes = [min(AT_ONCE, left - start) for start in range(0, left, AT_ONCE)]
            requests = [_request(kind, size, options, seed, turn, at) for at, size in enumerate(sizes)]
            asking = Asking(Client(options), options, spending, record)
            run_session(asking.run(requests), asking.client)
            if len(found) in (before, count) or asking.out_of_money:
                break
    if not found:
        raise RunError(f"{options.model} wrote no usable example of {kind} ({dict(refused)}); try another model")
    write_text(out, _as_yaml(kind, list(found.values()), options.model))
    return {"kind": kind, "file": str(out), "examples": len(found), "refused": dict(sorted(refused.items()))}


def _request(kind: str, size: int, options: LLMOptions, seed: int, turn: int, at: int) -> LLMRequest:
    sent = example_request(kind, size)
    body: dict[str, Any] = {
        "model": options.model,
        "messages": sent,
        "temperature": options.temperature,
        "max_tokens": max(options.max_tokens, TOKENS * size),
        "seed": Draw("llm-candidates", seed, kind, turn, at).below(1 << 31),
    }
    body = {name: value for name, value in (body | dict(options.extra)).items() if value is not None}
    return LLMRequest(at, "", kind, turn, body, prompt_hash(sent), "")


def read_pairs(text: str) -> list[Example]:
    """The pairs in a reply, whatever stands round them; those that are broken are passed over."""
    pairs = []
    for found in _PAIR.finditer(text.replace("\r\n", "\n")):
        caption, rewrite = (_unquoted(value) for value in found.groups())
        if caption and rewrite:
            pairs.append(Example(caption, rewrite))
    return pairs


def _unquoted(value: str) -> str:
    try:
        plain = parse_yaml(value.strip())
    except yaml.YAMLError:
        return ""
    return " ".join(plain.split()) if isinstance(plain, str) else ""


def _as_yaml(kind: str, pairs: list[Example], model: str) -> str:
    lines = [
        f"# Written by {' '.join(model.split())}, prompt version {PROMPT_VERSION}. Read them, delete what is not good",
        "# (DeGLA kept 50 of 200), then: compoclip negatives build ... --llm-examples THIS FILE",
        f"{kind}:",
    ]
    for pair in pairs:
        quoted = [json.dumps(text, ensure_ascii=False) for text in pair]
        lines += [f"- caption: {quoted[0]}", f"  rewrite: {quoted[1]}"]
    return "\n".join(lines) + "\n"
