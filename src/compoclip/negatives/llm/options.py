"""What a build by language model is told: the server, what a request holds, and how long to insist."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from compoclip.errors import InputError
from compoclip.negatives.llm.prompts import FORMS

__all__ = ["LLMOptions"]

MOST_AT_ONCE = 1000  # connections that the client's pool holds
RESERVED = ("model", "messages")  # what makes a request ours


@dataclass(frozen=True)
class LLMOptions:
    """Settings of the `--llm-...` flags. Raises InputError for values that cannot be meant.

    url: an OpenAI-compatible server's base ("http://host:8000/v1"); "" where replies come from files only.
    key_env: environment variable that holds the key; None sends OPENAI_API_KEY where it is set.
    rewrites: negatives asked for in one request; rounds: requests a caption and kind, the next one only where all
    rewrites of those before were refused. timeout: seconds for a whole request. backoff: seconds, the first retry's
    longest wait. budget: US dollars; price_in, price_out: US dollars a million tokens. extra: fields added to a
    request's body; None takes one out. examples: a YAML file in place of our examples for the kinds it has.
    batch_out: write open requests to this file and stop; batch_in: result files to take replies from.
    allow_missing: finish though some requests have no reply.
    """

    model: str
    url: str = ""
    key_env: str | None = None
    rewrites: int = 1
    rounds: int = 1
    concurrency: int = 64
    timeout: float = 120.0
    retries: int = 6
    backoff: float = 0.5
    budget: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    form: str = "json"
    temperature: float = 0.7
    max_tokens: int = 256
    extra: Mapping[str, Any] = field(default_factory=dict)
    examples: str | Path | None = None
    batch_out: str | Path | None = None
    batch_in: tuple[str | Path, ...] = ()
    allow_missing: bool = False

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InputError("llm kinds need the name of a model: add --llm-model NAME")
        if self.form not in FORMS:
            raise InputError(f"--llm-form is {self.form!r}; choose {', '.join(FORMS[:-1])} or {FORMS[-1]}")
        if self.url and not self.url.startswith(("http://", "https://")):
            raise InputError(f"--llm-url {self.shown_url}: write http://host:port/v1 or https://host/v1")
        for name in ("rewrites", "rounds", "max_tokens"):
            if getattr(self, name) < 1:
                raise InputError(f"--llm-{name.replace('_', '-')} is at least 1")
        if not 1 <= self.concurrency <= MOST_AT_ONCE:
            raise InputError(f"--llm-concurrency is 1 to {MOST_AT_ONCE}")
        if self.timeout <= 0 or self.retries < 0 or self.temperature < 0:
            raise InputError("--llm-timeout is more than 0 s; --llm-retries and --llm-temperature are 0 or more")
        if any(price is not None and price < 0 for price in (self.budget, self.price_in, self.price_out)):
            raise InputError("--llm-budget and the prices are 0 or more US dollars")
        if self.budget is not None and (self.price_in is None or self.price_out is None):
            raise InputError("--llm-budget needs --llm-price-in and --llm-price-out (US dollars a million tokens)")
        if reserved := [name for name in RESERVED if name in self.extra]:
            raise InputError(f"--llm-extra cannot set {', '.join(reserved)}; there are flags for that")

    def identity(self) -> dict[str, Any]:
        """What replies depend on, for the manifest; server, patience and money are none of it."""
        return {
            "model": self.model,
            "rewrites": self.rewrites,
            "rounds": self.rounds,
            "form": self.form,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "extra": dict(self.extra),
        }

    @property
    def shown_url(self) -> str:
        """The server's address for messages, without a password or a query that may hold one."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def key(self) -> str:
        """The key to send. Servers of one's own want none, but the client must be given some text."""
        found = os.environ.get(self.key_env or "OPENAI_API_KEY", "").strip()  # a line's end is no part of a key
        if self.key_env and not found:
            raise InputError(f"--llm-key-env {self.key_env}: that environment variable is not set")
        return found or "none"


def read_extra(text: str | None) -> dict[str, Any]:
    """`--llm-extra '{"top_p": 0.9}'` as a dictionary. Raises InputError for what is no JSON object."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"--llm-extra is not JSON ({error.msg}); write for example '{{\"top_p\": 0.9}}'") from None
    if not isinstance(value, dict):
        raise InputError("--llm-extra is a JSON object, for example '{\"top_p\": 0.9}'")
    return value
