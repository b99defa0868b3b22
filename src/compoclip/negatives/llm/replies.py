"""Reading what a model sent back: the rewrites, out of JSON or lines and whatever stands round them."""

from __future__ import annotations

import json
import re
from typing import Any

LONGEST_REPLY = 50_000  # characters; a reply that long has run away
_STARTS_TRIED = 40  # places where JSON may begin, in a reply that talks before it
_THOUGHT = re.compile(r"^.*</think(?:ing)?>", re.S | re.I)
_FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)```", re.S)
_NUMBER = re.compile(r"^(?:\(?\d{1,3}[.):](?!\d)\s*|[-*•–—·]\s+)+")
_LABEL = re.compile(r"^rewrite(?:\s*#?\d+)?\s*:\s*", re.I)
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "`": "`"}


def parse_reply(text: str, form: str) -> list[str]:
    """The rewrites in a reply, in order, white space tidied, at least one.

    form: "json" (or "schema") reads an object with "rewrites" (or a bare list), in a code fence or with talk round it;
    "plain" reads one rewrite a line, without numbers, bullets and quotation marks. A model's thoughts are passed over.
    Raises ValueError with a short reason for what cannot be read.
    """
    if len(text) > LONGEST_REPLY:
        raise ValueError("the reply has run away")
    if re.match(r"\s*<think", text, re.I) and not _THOUGHT.match(text):
        raise ValueError("the reply stops in mid-thought")
    text = _THOUGHT.sub("", text).strip()
    if not text:
        raise ValueError("the reply is empty")
    fenced = _FENCE.findall(text)
    body = fenced[-1].strip() if fenced else text
    if form in ("json", "schema") or body.startswith(("{", "[")):
        found = _from_json(body)
    elif form == "plain":
        found = _from_lines(body)
    else:
        raise ValueError(f"no reply form is called {form!r}")
    found = [" ".join(rewrite.split()) for rewrite in found]
    if not all(found):
        raise ValueError("a rewrite is empty")
    try:
        "".join(found).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("the reply contains broken characters") from None
    return found


def _from_json(text: str) -> list[str]:
    """The last value in the text that contains rewrites: a model may repeat the examples first."""
    decoder = json.JSONDecoder()
    found: Any = None
    reason, at = "the reply contains no JSON", 0
    for _ in range(_STARTS_TRIED):
        start = re.compile(r"[{\[]").search(text, at)
        if start is None:
            break
        at = start.start()
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            reason, at = "the reply's JSON is broken", at + 1
            continue
        if isinstance(value, list) and not (found is None and _is_texts(value)):
            continue  # a list in the talk round the object
        if isinstance(value, dict):
            if "rewrites" not in value:
                reason = 'the reply\'s JSON has no "rewrites"'
                continue
            value = [value["rewrites"]] if isinstance(value["rewrites"], str) else value["rewrites"]
            if not _is_texts(value):
                raise ValueError('"rewrites" is no list of texts')
        found = value
    if found is None:
        raise ValueError(reason)
    return list(found)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _from_lines(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        line = _bare(line)
        if any(map(str.isalnum, line)) and not line.endswith(":"):  # "Here are the rewrites:"
            found.append(line)
    if not found:
        raise ValueError("the reply contains no line to use")
    return found


def _bare(line: str) -> str:
    line = _NUMBER.sub("", line.strip())
    line = line.removeprefix("**").removesuffix("**").strip()
    line = _LABEL.sub("", line)
    while len(line) > 1 and _QUOTES.get(line[0]) == line[-1]:
        line = line[1:-1].strip()
    return line
